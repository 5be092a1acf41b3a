"""What an intent says of its events."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.digest import Events, checksum, checksums, distinct, key, pack, unpack


@st.composite
def some_events(draw: st.DrawFn) -> Events:
    """Of one request: at most 24 hours, any places, or none at all."""
    times = sorted(draw(st.lists(st.integers(0, 86_400_000), min_size=1, max_size=20)))
    base = draw(st.integers(0, 2**41))
    count = len(times)
    located = draw(st.booleans())
    starts = draw(st.lists(st.integers(0, 2**50), min_size=count, max_size=count))
    return Events(
        array("q", [base + time for time in times]),
        array("I", draw(st.lists(st.integers(0, 2**32 - 1), min_size=count, max_size=count))),
        array("q", [draw(st.integers(1, 5)) for _ in times] if located else []),
        array("q", starts if located else []),
        array("q", [start + draw(st.integers(1, 10**6)) for start in starts] if located else []),
    )


@given(some_events())
def test_what_is_packed_comes_back(events: Events) -> None:
    """Times, checksums and places survive the journal. Catches: a column that is mixed up."""
    text = pack(events)
    assert text.isascii()
    assert unpack(text, events.timestamps[0], len(events), distinct(events)) == events


def test_sources_may_have_other_numbers_when_they_come_back() -> None:
    """A take-over renumbers them. Catches: numbers that are packed themselves."""
    events = Events(
        *(
            array(k, v)
            for k, v in zip("qIqqq", ([5, 5], [1, 2], [9, 4], [0, 0], [1, 1]), strict=True)
        )
    )
    again = unpack(pack(events), 5, 2, (70, 80))
    assert list(again.sources) == [70, 80]


@pytest.mark.parametrize("count", [1, 3])
def test_another_count_is_refused(count: int) -> None:
    """A digest that does not fit its intent says nothing. Catches: a column cut in silence."""
    events = Events(
        *(
            array(k, v)
            for k, v in zip("qIqqq", ([5, 5], [1, 2], [9, 4], [0, 0], [1, 1]), strict=True)
        )
    )
    with pytest.raises(ValueError, match="events"):
        unpack(pack(events), 5, count, (9, 4))


def test_a_checksum_is_of_what_cloudwatch_shows() -> None:
    """A lone surrogate is sent as U+FFFD, and comes back so. Catches: the checksum as read."""
    assert checksum("a\udcffb") == checksum("a\ufffdb")
    assert list(checksums(["x", "a\udcffb"])) == [checksum("x"), checksum("a\ufffdb")]


def test_keys_differ_by_time_and_by_text() -> None:
    """Equal texts at two times are two keys. Catches: the timestamp left out."""
    assert len({key(1, checksum("a")), key(2, checksum("a")), key(1, checksum("b"))}) == 3

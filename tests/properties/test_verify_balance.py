"""The balance of expected and held is that of two multisets, however they are cut and ordered."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sidecar.commands.verify_balance import Chunk, difference, merged
from sidecar.model.records import NO_TIME

chunks = st.lists(
    st.builds(
        Chunk,
        st.one_of(st.just(NO_TIME), st.integers(0, 9)),
        st.lists(st.integers(0, 5), min_size=1, max_size=6),
    ),
    max_size=8,
)


def counted(found: list[Chunk]) -> Counter[int]:
    """The multiset of all hashes."""
    return Counter(each for chunk in found for each in chunk.hashes)


@given(st.lists(chunks, max_size=3), chunks)
def test_the_difference_is_that_of_multisets(files: list[list[Chunk]], stream: list[Chunk]) -> None:
    """Missing and surplus are exact for any order and any times.

    Would catch: a count that is forgotten when it passes zero, or a file left out.
    """
    missing, surplus = difference(merged(map(iter, files)), stream)

    expected, held = counted([chunk for file in files for chunk in file]), counted(stream)
    assert missing == dict(expected - held)
    assert surplus == dict(held - expected)


def test_what_is_in_order_cancels_out_at_once() -> None:
    """A stream in its files' order needs room for a few chunks, however long it is.

    Would catch: one side read to its end before the other.
    """
    most_ahead = 0
    balance = {"expected": 0, "held": 0}

    def counting(side: str) -> object:
        nonlocal most_ahead
        for time in range(1000):
            balance[side] += 1
            most_ahead = max(most_ahead, abs(balance["expected"] - balance["held"]))
            yield Chunk(time, list(range(time * 10, time * 10 + 10)))

    assert difference(counting("expected"), counting("held")) == ({}, {})  # type: ignore[arg-type]
    assert most_ahead <= 2

"""missing = U - (S - A), over readings that show more, less, or nothing of what is stored."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.reconciliation import Comparison

KEYS = st.lists(st.integers(0, 4), max_size=12)


@given(KEYS, KEYS, st.data())
def test_c02_exactly_what_is_not_stored_is_missing(
    unknown: list[int], acknowledged: list[int], data: st.DataObject
) -> None:
    """Whatever part of U is stored, and whatever readings show of it, once all was seen.

    Catches: S looked up rather than counted, or one reading that replaces another.
    """
    stored = [key for key in unknown if data.draw(st.booleans())]
    truth = Counter(stored) + Counter(acknowledged)
    comparison = Comparison(unknown, acknowledged)
    for _ in range(data.draw(st.integers(0, 3))):
        seen = [key for key in truth.elements() if data.draw(st.booleans())]
        comparison.take(Counter(seen))
        if comparison.all_found:
            assert Counter(stored) == Counter(unknown), "found too early"
    comparison.take(truth)
    missing = comparison.missing(unknown)
    assert Counter(unknown[index] for index in missing) == Counter(unknown) - Counter(stored)
    assert comparison.all_found == (not missing)
    assert comparison.fits(truth)
    assert not comparison.is_hidden


def test_c02_an_equal_acknowledged_event_proves_nothing() -> None:
    """What is acknowledged explains what is seen first. Catches: A left out."""
    comparison = Comparison([7], [7])
    comparison.take(Counter([7]))
    assert comparison.missing([7]) == [0]


def test_c02_more_than_was_sent_does_not_fit() -> None:
    """More of a key than was sent, or a key that was not. Catches: foreign events passed over."""
    comparison = Comparison([1], [1])
    assert comparison.fits(Counter([1, 1]))
    for foreign in ([1, 2], [1, 1, 1]):
        assert not comparison.fits(Counter(foreign))


def test_c02_acknowledged_events_out_of_sight_are_noticed() -> None:
    """Then what is missing may be stored as well. Catches: `is_hidden` that looks at U."""
    comparison = Comparison([1], [2])
    comparison.take(Counter([1]))
    assert comparison.is_hidden

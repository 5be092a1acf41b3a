"""Ranges of bytes and sets of them."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.byte_range import ByteRange, ByteRanges

RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=15)


def filled(ranges: list[tuple[int, int]]) -> tuple[ByteRanges, set[int]]:
    """The set under test, and a plain set of the same bytes."""
    tested, plain = ByteRanges(), set[int]()
    for start, end in ranges:
        fresh = set(range(start, end)) - plain
        assert tested.add(start, end) == len(fresh)
        plain |= fresh
    return tested, plain


@given(RANGES)
def test_it_holds_what_a_plain_set_of_bytes_holds(ranges: list[tuple[int, int]]) -> None:
    """However ranges overlap and touch, the bytes are those added, in the fewest sorted ranges."""
    tested, plain = filled(ranges)
    held = list(tested)
    assert {byte for start, end in held for byte in range(start, end)} == plain
    assert all(a.end < b.start for a, b in pairwise(held))
    assert tested.total == len(plain)


@given(RANGES, st.integers(0, 40), st.integers(0, 40))
def test_questions_are_answered_as_by_a_plain_set(
    ranges: list[tuple[int, int]], start: int, end: int
) -> None:
    """contains, overlaps, gaps and low_water agree with the plain set for any range."""
    tested, plain = filled(ranges)
    asked = set(range(start, end))
    assert tested.contains(start, end) == (asked <= plain)
    assert tested.overlaps(start, end) == bool(asked & plain)
    gaps = list(tested.gaps(start, end))
    assert {byte for gap in gaps for byte in range(*gap)} == asked - plain
    assert all(gap.length for gap in gaps)
    low_water = start
    while low_water in plain:
        low_water += 1
    assert tested.low_water(start) == low_water


@given(RANGES, st.integers(0, 40))
def test_discard_below_leaves_the_bytes_from_the_offset_on(
    ranges: list[tuple[int, int]], offset: int
) -> None:
    """Only bytes below the offset go, also from within a range."""
    tested, plain = filled(ranges)
    tested.discard_below(offset)
    expected = ByteRanges(tuple(ByteRange(b, b + 1) for b in plain if b >= offset))
    assert tested == expected

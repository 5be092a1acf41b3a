"""Half-open ranges of bytes in a source, and sets of them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple


class ByteRange(NamedTuple):
    """The bytes from `start` up to, and without, `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes; 0 when empty or reversed."""
        return max(0, self.end - self.start)


class ByteRanges:
    """A set of bytes, kept as sorted ranges that neither overlap nor touch."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, ranges: tuple[ByteRange, ...] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in ranges:
            self.add(start, end)

    def add(self, start: int, end: int) -> int:
        """Put [start, end) in and return how many of its bytes were not there before."""
        if end <= start:
            return 0
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        covered = sum(
            max(0, min(end, self._ends[i]) - max(start, self._starts[i]))
            for i in range(first, last)
        )
        low, high = start, end
        if first < last:
            low = min(start, self._starts[first])
            high = max(end, self._ends[last - 1])
        self._starts[first:last] = [low]
        self._ends[first:last] = [high]
        return end - start - covered

    def discard_below(self, offset: int) -> None:
        """Take every byte below `offset` out."""
        keep = bisect_right(self._ends, offset)
        del self._starts[:keep], self._ends[:keep]
        if self._starts and self._starts[0] < offset:
            self._starts[0] = offset

    def contains(self, start: int, end: int) -> bool:
        """Whether every byte of [start, end) is in the set; an empty range always is."""
        if end <= start:
            return True
        return self.low_water(start) >= end

    def overlaps(self, start: int, end: int) -> bool:
        """Whether any byte of [start, end) is in the set."""
        at = bisect_right(self._ends, start)
        return start < end and at < len(self._starts) and self._starts[at] < end

    def low_water(self, start: int) -> int:
        """The end of the unbroken run of bytes that begins at `start`; `start` when none does."""
        at = bisect_right(self._starts, start) - 1
        return max(start, self._ends[at]) if at >= 0 else start

    def gaps(self, start: int, end: int) -> Iterator[ByteRange]:
        """The ranges within [start, end) which are not in the set, in order."""
        at = bisect_right(self._ends, start)
        while start < end:
            if at == len(self._starts) or self._starts[at] >= end:
                yield ByteRange(start, end)
                return
            if self._starts[at] > start:
                yield ByteRange(start, self._starts[at])
            start = self._ends[at]
            at += 1

    @property
    def total(self) -> int:
        """How many bytes are in the set."""
        return sum(self._ends) - sum(self._starts)

    def __iter__(self) -> Iterator[ByteRange]:
        return map(ByteRange, self._starts, self._ends)

    def __len__(self) -> int:
        """How many separate ranges."""
        return len(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ByteRanges):
            return NotImplemented
        return self._starts == other._starts and self._ends == other._ends

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __repr__(self) -> str:
        return f"ByteRanges({tuple(self)!r})"

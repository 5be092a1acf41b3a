"""Reading back: the order of the events, positions between them, pages and their tokens.

The order is (timestamp, arrival of the batch, index in it). A position is the gap just before
such a key, so it stays valid while events arrive, become visible or vanish.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from .batch import Batch
from .errors import invalid
from .rules import EVENT_OVERHEAD

# GetLogEvents: "as many log events as can fit in a response size of 1 MB (up to 10,000 log
# events)".
MAX_PAGE_BYTES = 1_048_576
MAX_PAGE_EVENTS = 10_000
LATEST = 1 << 60
_TOKEN = re.compile(r"([fb])/(\d{20})(\d{20})(\d{16})/(?:s|e\d+)")


class Position(NamedTuple):
    """The gap before the event with this key."""

    timestamp: int
    number: int = 0
    offset: int = 0

    def token(self, direction: str, mark: str = "s") -> str:
        """As the service writes it, `direction` being f (forward) or b (backward)."""
        return f"{direction}/{self.timestamp:020d}{self.number:020d}{self.offset:016d}/{mark}"


def parse_token(token: object) -> tuple[str, Position]:
    """Direction and position; raises InvalidParameterException for what was never given out."""
    found = _TOKEN.fullmatch(token) if isinstance(token, str) else None
    if not found:
        raise invalid("The specified nextToken is invalid.")
    return found[1], Position(int(found[2]), int(found[3]), int(found[4]))


class Slice(NamedTuple):
    """Events [first, last) of one batch."""

    batch: Batch
    first: int
    last: int


def ordered(batches: Iterable[Batch], now_ms: int, begin: Position, end: Position) -> list[Slice]:
    """What is visible between two positions, in reading order, as few slices as possible."""
    heap: list[tuple[int, int, int, int, Batch]] = []
    for batch in batches:
        low, high = _index(batch, begin), _index(batch, end)
        if low >= high:
            continue
        for first, last in batch.visibility.ranges(len(batch), now_ms):
            first, last = max(first, low), min(last, high)
            if first < last:
                heap.append((batch.timestamps[first], batch.number, first, last, batch))
    heapify(heap)
    slices = []
    while heap:
        _, number, first, last, batch = heappop(heap)
        until = last
        if heap:
            rival = heap[0]
            cut = bisect_right if (number, first) < (rival[1], rival[2]) else bisect_left
            until = cut(batch.timestamps, rival[0], first, last)
            if until < last:
                heappush(heap, (batch.timestamps[until], number, until, last, batch))
        slices.append(Slice(batch, first, until))
    return slices


def _index(batch: Batch, position: Position) -> int:
    """The first index of the batch that lies behind the position."""
    if batch.number == position.number:
        return position.offset
    cut = bisect_right if batch.number < position.number else bisect_left
    return cut(batch.timestamps, position.timestamp)


def take(slices: list[Slice], limit: int, *, backward: bool = False) -> list[Slice]:
    """One page from the head (or the tail) of ordered slices, in reading order."""
    page: list[Slice] = []
    room, count = MAX_PAGE_BYTES, 0
    for batch, first, last in reversed(slices) if backward else slices:
        span = range(last - 1, first - 1, -1) if backward else range(first, last)
        taken = 0
        for index in span:
            room -= batch.size(index) + EVENT_OVERHEAD
            if count + taken == limit or (room < 0 and count + taken > 0):
                break
            taken += 1
        if taken:
            count += taken
            cut = (last - taken, last) if backward else (first, first + taken)
            page.append(Slice(batch, *cut))
        if taken < last - first:
            break
    return page[::-1] if backward else page


def before(page: list[Slice]) -> Position:
    """The gap in front of a page that is not empty."""
    batch, first, _ = page[0]
    return Position(batch.timestamps[first], batch.number, first)


def behind(page: list[Slice]) -> Position:
    """The gap behind a page that is not empty."""
    batch, _, last = page[-1]
    return Position(batch.timestamps[last - 1], batch.number, last)

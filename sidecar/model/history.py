"""What CloudWatch has acknowledged of late, event by event: what reconciling must not count twice.

Bounded: the oldest batches are let go, and of their times it is only known that the stream holds
something there. What meets such a gap cannot be reconciled. Between two gaps nothing was stored:
there an archive may belong that is read after newer lines, or a request that nobody answered while
others of its stream went on. So gaps are put together as late as may be, and the nearest first.
"""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from sidecar.model import digest
from sidecar.model.journal import BatchStored, HistoryEnds, IntentSent

MOST_EVENTS = 200_000
"""Remembered, over all streams: some 1.5 MB of text, which each snapshot writes."""

MOST_GAPS = 16
"""Of a stream, unless requests of unknown outcome keep more of them apart."""

MOST_STREAMS = 1_000
"""Of which it is known what is forgotten of them; beyond that, one end for all."""

# PutLogEvents takes events of up to 2 hours ahead: so late may be what is not known.
MOST_AHEAD_MS = 2 * 60 * 60 * 1000

NEVER = -1
EVERY_STREAM = ("", "")

Stream = tuple[str, str]
Gap = tuple[int, int]
"""The first and the last timestamp that belong to it."""


@dataclass(slots=True)
class History:
    """Acknowledged batches by number, the oldest first, and what is not known beside them.

    `gaps` are the stretches of time in which a stream holds what is forgotten, in order. Up to its
    `ends` nothing is known of it at all. `intents` are the ledger's, requests without a result, and
    `owed` those whose events will be sent again with the times they had.
    """

    batches: dict[int, BatchStored] = field(default_factory=dict)
    ends: dict[Stream, int] = field(default_factory=dict)
    gaps: dict[Stream, list[Gap]] = field(default_factory=dict)
    intents: Mapping[int, IntentSent] = field(default_factory=dict, repr=False, compare=False)
    owed: Iterable[IntentSent] = field(default=(), repr=False, compare=False)
    _events: int = field(default=0, repr=False, compare=False)
    _of_stream: Counter[Stream] = field(default_factory=Counter, repr=False, compare=False)

    def add(self, stored: BatchStored) -> None:
        """Remember a batch that is acknowledged."""
        self.discard(stored.batch)
        self.batches[stored.batch] = stored
        self._events += stored.count
        self._of_stream[stored.group, stored.stream] += 1
        while self._events > MOST_EVENTS:
            self._forget(self._least_wanted())

    def discard(self, batch: int) -> None:
        """The number is a new batch's now, or it was never stored."""
        if (stored := self.batches.pop(batch, None)) is not None:
            self._events -= stored.count
            stream = stored.group, stored.stream
            self._of_stream[stream] -= 1
            if not self._of_stream[stream]:
                del self._of_stream[stream]

    def end(self, stream: Stream, timestamp: int) -> None:
        """What the stream holds up to here is not known."""
        before = max(self.ends.pop(stream, NEVER), timestamp)
        self.ends[stream] = before
        self._bound_streams()

    def gap(self, stream: Stream, since: int, until: int) -> None:
        """What the stream holds of this stretch of time is not known."""
        gaps = self.gaps.pop(stream, [])
        for gap in [each for each in gaps if each[0] <= until + 1 and since <= each[1] + 1]:
            gaps.remove(gap)
            since, until = min(since, gap[0]), max(until, gap[1])
        insort(gaps, (since, until))
        # The last: which streams are forgotten of late shows by their order.
        self.gaps[stream] = gaps
        self._bound_gaps(stream)
        self._bound_streams()

    def forget(self, intent: IntentSent) -> None:
        """Which of its events are stored will never be known, nor whether once or twice."""
        self.gap((intent.group, intent.stream), intent.least, intent.greatest)

    def ended(self, stream: Stream) -> int:
        """Up to where nothing is known of it."""
        return max(self.ends.get(stream, NEVER), self.ends.get(EVERY_STREAM, NEVER))

    def reaches(self, stream: Stream, least: int, greatest: int) -> bool:
        """Is every acknowledged event of the stream with these timestamps known?"""
        return least > self.ended(stream) and not any(
            since <= greatest and least <= until for since, until in self.gaps.get(stream, ())
        )

    def knows(self, stream: Stream) -> bool:
        """Was anything of this stream acknowledged?"""
        return stream in self.ends or stream in self.gaps or stream in self._of_stream

    def keys(self, stream: Stream, least: int, greatest: int) -> Iterator[int]:
        """The keys of the stream's acknowledged events with these timestamps."""
        low, high = digest.key(least, 0), digest.key(greatest + 1, 0)
        for stored in self.batches.values():
            of_stream = (stored.group, stored.stream) == stream
            if of_stream and stored.least <= greatest and stored.greatest >= least:
                sources = range(1 << 16)
                events = digest.unpack(stored.events, stored.least, stored.count, sources)
                yield from (key for key in events.keys if low <= key < high)

    def entries(self) -> Iterator[BatchStored | HistoryEnds]:
        """What rebuilds it."""
        for (group, stream), timestamp in self.ends.items():
            yield HistoryEnds(group, stream, timestamp)
        for (group, stream), gaps in self.gaps.items():
            for since, until in gaps:
                yield HistoryEnds(group, stream, until, since)
        yield from self.batches.values()

    def _least_wanted(self) -> BatchStored:
        """The oldest that neither a request must be told from nor is its stream's last: the
        next batch of a slow stream may begin with the timestamp that its last one ended with."""
        fallback: BatchStored | None = None
        for stored in self.batches.values():
            if self._of_stream[stored.group, stored.stream] > 1:
                if not any(_meet(stored, intent) for intent in self._to_be_told()):
                    return stored
                fallback = fallback or stored
        return fallback or next(iter(self.batches.values()))

    def _to_be_told(self) -> Iterator[IntentSent]:
        """The requests that are asked about, or soon may be."""
        yield from self.intents.values()
        yield from self.owed

    def _forget(self, stored: BatchStored) -> None:
        self.discard(stored.batch)
        self.gap((stored.group, stored.stream), stored.least, stored.greatest)

    def _bound_gaps(self, stream: Stream) -> None:
        """Make one of the two gaps with the least time between them, but for unknown times."""
        gaps = self.gaps[stream]
        while len(gaps) > MOST_GAPS:
            unknown = [
                intent.least
                for intent in self._to_be_told()
                if (intent.group, intent.stream) == stream
                and self.reaches(stream, intent.least, intent.greatest)
            ]
            apart = [
                (after[0] - before[1], at)
                for at, (before, after) in enumerate(pairwise(gaps))
                if not any(before[1] < least < after[0] for least in unknown)
            ]
            if not apart:
                break
            _, at = min(apart)
            gaps[at : at + 2] = [(gaps[at][0], gaps[at + 1][1])]

    def _bound_streams(self) -> None:
        """Of the streams longest ago one end is kept for all."""
        while len(self.ends) + len(self.gaps) > MOST_STREAMS:
            oldest = next((each for each in self.ends if each != EVERY_STREAM), None)
            if oldest is not None:
                end = self.ends.pop(oldest)
            else:
                end = self.gaps.pop(next(iter(self.gaps)))[-1][1]
            self.ends[EVERY_STREAM] = max(self.ends.get(EVERY_STREAM, NEVER), end)


def _meet(stored: BatchStored, intent: IntentSent) -> bool:
    return (
        stored.stream == intent.stream
        and stored.group == intent.group
        and stored.least <= intent.greatest
        and intent.least <= stored.greatest
    )


def as_stored(intent: IntentSent) -> BatchStored:
    """What is remembered of an intent, all of whose events are stored."""
    return BatchStored(
        intent.batch,
        intent.group,
        intent.stream,
        intent.least,
        intent.greatest,
        intent.count,
        intent.at_ms,
        intent.events,
    )


def partly_stored(intent: IntentSent, indexes: list[int]) -> BatchStored:
    """The same where only some of its events are."""
    events = digest.unpack(intent.events, intent.least, intent.count, intent.sources)
    kept = events.picked(indexes)
    return BatchStored(
        intent.batch,
        intent.group,
        intent.stream,
        kept.timestamps[0],
        kept.timestamps[-1],
        len(kept),
        intent.at_ms,
        digest.pack(kept),
    )

"""What CloudWatch has acknowledged of late, event by event: what reconciling must not count twice.

Bounded: the oldest batches are let go, and then it is only known up to which timestamp a stream
holds events that are not known any more. What reaches below that cannot be reconciled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sidecar.model import digest
from sidecar.model.journal import BatchStored, HistoryEnds, IntentSent

MOST_EVENTS = 200_000
"""Remembered, over all streams: some 1.5 MB of text, which each snapshot writes."""

MOST_ENDS = 1_000
"""Streams of which it is known up to where they are forgotten; beyond that, one for all."""

# PutLogEvents takes events of up to 2 hours ahead: so late may be what is not known.
MOST_AHEAD_MS = 2 * 60 * 60 * 1000

NEVER = -1
EVERY_STREAM = ("", "")

Stream = tuple[str, str]


@dataclass(slots=True)
class History:
    """Acknowledged batches by number, the oldest first, and where the rest ends."""

    batches: dict[int, BatchStored] = field(default_factory=dict)
    ends: dict[Stream, int] = field(default_factory=dict)
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
        if len(self.ends) > MOST_ENDS:
            oldest = next(each for each in self.ends if each != EVERY_STREAM)
            self.ends[EVERY_STREAM] = max(self.ends.get(EVERY_STREAM, NEVER), self.ends.pop(oldest))

    def reaches(self, stream: Stream, least: int) -> bool:
        """Is every acknowledged event of the stream from `least` on known?"""
        ends = self.ends.get(stream, NEVER), self.ends.get(EVERY_STREAM, NEVER)
        return least > max(ends)

    def knows(self, stream: Stream) -> bool:
        """Was anything of this stream acknowledged?"""
        return stream in self.ends or any(
            (stored.group, stored.stream) == stream for stored in self.batches.values()
        )

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
        yield from self.batches.values()

    def _least_wanted(self) -> BatchStored:
        """The oldest of those that are not their stream's last: the next batch of a stream that has
        been slow may begin with the timestamp that its last one ended with."""
        batches = self.batches.values()
        followed = (each for each in batches if self._of_stream[each.group, each.stream] > 1)
        return next(followed, next(iter(batches)))

    def _forget(self, stored: BatchStored) -> None:
        self.discard(stored.batch)
        self.end((stored.group, stored.stream), stored.greatest)


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

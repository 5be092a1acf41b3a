"""What waits for one stream, is ready for it, and is under way to it."""

from __future__ import annotations

from collections import deque

from sidecar.delivery import encode
from sidecar.delivery.cutting import Number, cut
from sidecar.model.batch import Batch, StreamKey
from sidecar.model.portion import Portion

AGAIN_SECONDS = 1.0
"""For so long events wait for those of the same times that are about to be read once more."""


class StreamQueue:
    """One stream's portions, then batches, first in first out."""

    def __init__(self, key: StreamKey, newest_arrival: int) -> None:
        self.key = key
        self.newest_arrival = newest_arrival
        """The newest time of arrival given to an event, in ms: the next one is later."""
        self.is_proven = False
        """Has the stream taken a batch? Until then one at a time: it may have to be made first."""
        self.sent_at = float("-inf")
        self.memory = 0
        """Bytes taken by what is queued, ready and under way."""
        self.ready: deque[Batch] = deque()
        self.in_flight: dict[int, Batch] = {}
        self.unresolved: dict[int, tuple[int, int]] = {}
        """Least and greatest timestamp of each request of unknown outcome, by batch."""
        self.failures = 0
        """Unknown outcomes since the last acknowledgement."""
        self.not_before = 0.0
        self._first: deque[Batch] = deque()
        """Ready before all others: what failed, and what is older than they are."""
        self._awaited: list[tuple[int, int, float]] = []
        """Timestamps of what is about to be read once more, and until when others wait for it."""
        self._again: deque[Portion] = deque()
        self._portions: deque[Portion] = deque()
        self._events = 0
        self._bytes = 0

    @property
    def is_empty(self) -> bool:
        waiting = self._portions or self._again or self._first or self.ready
        return not (waiting or self.in_flight or self.unresolved)

    def put_first(self, batch: Batch) -> None:
        """It goes before all others."""
        self._first.appendleft(batch)

    def await_again(self, times: tuple[int, int], now: float) -> None:
        """Events with these timestamps are about to be read once more: they come first."""
        self._awaited = [each for each in self._awaited if now < each[2]]
        self._awaited.append((*times, now + AGAIN_SECONDS))

    def cut_due(self, linger: float) -> float | None:
        """When to cut at the latest what waits; None when nothing does, or not for the time."""
        if self._again:
            return self._again[0].read_at
        if not self._portions or self._next is not None:
            return None
        return self._portions[0].read_at + linger

    def add(self, portion: Portion) -> None:
        if portion.again:
            self._again.append(portion)
            return
        self._portions.append(portion)
        self._events += len(portion.records)
        self._bytes += encode.batch_bytes(portion.records.sizes)

    def cut(self, now: float, now_ms: int, linger: float, number: Number) -> int:
        """Make batches of what is full, has waited for `linger`, or has nothing to wait for.

        Gives the change of memory taken, in bytes.
        """
        change = 0
        while self._again:
            cost = sum(portion.cost for portion in self._again)
            batches = cut(self.key, self._again, now_ms, number)
            self._first.extend(batches)
            change += sum(batch.cost for batch in batches)
            change -= cost - sum(portion.cost for portion in self._again)
        while self._portions and (self._is_full or self._is_due(now, linger)):
            cost = sum(portion.cost for portion in self._portions)
            arrival = max(now_ms, self.newest_arrival + 1)
            batches = cut(self.key, self._portions, arrival, number)
            for batch in batches:
                if batch.arrival:
                    self.newest_arrival = arrival
                self._events -= batch.count
                change += batch.cost
            self.ready.extend(batches)
            if not self._portions:
                self._events = self._bytes = 0
            else:
                self._bytes = sum(
                    encode.batch_bytes(portion.records.sizes[portion.taken :])
                    for portion in self._portions
                )
            change -= cost - sum(portion.cost for portion in self._portions)
        return change

    def may_send(self, batch: Batch, now: float, most: int) -> bool:
        """Would CloudWatch show this batch after those under way? It sorts by timestamp, so only
        equal or older ones have to wait for them.

        What may be stored or not is told from the batch by its timestamps alone: only one of other
        times may be sent beside it.
        """
        if now < max(batch.not_before, self.not_before):
            return False
        if len(self.in_flight) >= (most if self.is_proven else 1):
            return False
        return all(batch.least > other.greatest for other in self.in_flight.values()) and all(
            batch.least > greatest or batch.greatest < least
            for least, greatest in self.unresolved.values()
        )

    def take(self, now: float, most: int) -> Batch | None:
        """The next batch, under way from now on, if it may be sent beside less than `most` of this
        stream."""
        batch = self._next
        if batch is None or now < self._waits_until(batch) or not self.may_send(batch, now, most):
            return None
        (self._first or self.ready).popleft()
        self.in_flight[batch.number] = batch
        self.sent_at = batch.sent_at = now
        return batch

    @property
    def due(self) -> float | None:
        """When the next batch may go, as far as time alone decides; None when there is none."""
        batch = self._next
        if batch is None:
            return None
        return max(batch.not_before, self.not_before, self._waits_until(batch))

    @property
    def _next(self) -> Batch | None:
        waiting = self._first or self.ready
        return waiting[0] if waiting else None

    def _waits_until(self, batch: Batch) -> float:
        """Equal timestamps are shown in the order of arrival: older events are to come first."""
        if self._first:
            return 0.0
        return max(
            (
                until
                for least, greatest, until in self._awaited
                if batch.least <= greatest and least <= batch.greatest
            ),
            default=0.0,
        )

    @property
    def _is_full(self) -> bool:
        return self._bytes >= encode.MAX_BATCH_BYTES or self._events >= encode.MAX_EVENTS

    def _is_due(self, now: float, linger: float) -> bool:
        """An idle stream's records go at once; a busy one's wait for company, or requests of a
        few lines each would cost more than the lines. Behind a batch that waits itself they have
        the time: where requests are slow, the queue would fill with such batches."""
        if self._next is not None:
            return False
        since = self._portions[0].read_at if self.in_flight else self.sent_at
        return now - since >= linger

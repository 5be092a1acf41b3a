"""Delivers what was read: batches out, outcomes in, and what each outcome means for the bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from sidecar.delivery.cutting import halves, manifest_batch
from sidecar.delivery.destination import (
    Accepted,
    Denied,
    Failure,
    Invalid,
    Unknown,
)
from sidecar.delivery.sender import Result, Senders
from sidecar.delivery.stream_queue import StreamQueue
from sidecar.health import Degradation
from sidecar.model.backoff import Pace, delay
from sidecar.model.batch import ArtifactVersion, Batch, BatchSpan, Reason, StreamKey
from sidecar.model.journal import BatchAbandoned, Entry, Fate, IntentSent, IntentSpan, Settled, Span
from sidecar.model.ledger import Ledger
from sidecar.model.portion import Portion
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)


MOST_IDLE = 1000
"""Streams with nothing to send that are remembered, to know when they were last sent to."""


class Refuse(Protocol):
    """Keeps the dead letters of these events of a batch, durably; False when it could not."""

    def __call__(self, batch: Batch, refused: list[tuple[int, Reason]], now_ms: int) -> bool: ...


class Delivery:
    """Every stream's queue, and the senders that serve them. Owned by the pump."""

    def __init__(
        self,
        *,
        senders: Senders,
        ledger: Ledger,
        record: Callable[[Entry], None],
        refuse: Refuse,
        shipped: Callable[[ArtifactVersion, int], None],
        totals: Totals,
        in_flight: int,
        linger: float,
    ) -> None:
        self.memory = 0
        """Bytes taken by what is read and not yet settled."""
        self.largest_portion = 1024 * 1024
        """What one more portion may take: the largest of late, more than that at the start."""
        self._senders = senders
        self._ledger = ledger
        self._record = record
        self._refuse = refuse
        self._shipped = shipped
        self._totals = totals
        self._linger = linger
        self._next_number = ledger.next_batch
        self._pace = Pace(in_flight, random.random)
        self._in_flight = in_flight
        self._busy: dict[StreamKey, StreamQueue] = {}
        self._idle: dict[StreamKey, StreamQueue] = {}
        self._troubles: dict[StreamKey, Failure] = {}
        self._unkept: list[Result] = []

    @property
    def is_empty(self) -> bool:
        return not self._busy

    @property
    def under_way(self) -> int:
        return self._senders.under_way

    @property
    def busy(self) -> int:
        """Streams that hold anything."""
        return len(self._busy)

    def held(self, key: StreamKey) -> int:
        """Bytes of `memory` that this stream takes."""
        queue = self._busy.get(key)
        return queue.memory if queue is not None else 0

    def _hold(self, queue: StreamQueue, change: int) -> None:
        queue.memory += change
        self.memory += change

    def add(self, key: StreamKey, portion: Portion) -> None:
        """Queue records; every portion holds at least one."""
        queue = self._queue(key)
        queue.add(portion)
        self.largest_portion = max(portion.cost, int(self.largest_portion * 0.99))
        self._hold(queue, portion.cost)

    def add_manifest(
        self, key: StreamKey, message: str, version: ArtifactVersion, now_ms: int
    ) -> None:
        """Queue one event that stands for an artifact, with the time of now."""
        batch = manifest_batch(key, message, version, now_ms, self.number())
        queue = self._queue(key)
        queue.ready.append(batch)
        self._hold(queue, batch.cost)

    def number(self) -> int:
        """A number no other batch of this state directory has."""
        number = max(self._next_number, self._ledger.next_batch)
        self._next_number = number + 1
        return number

    def settle(self, now: float, now_ms: int) -> int:
        """Act on every outcome that came in; gives how many."""
        results = [*self._unkept, *self._senders.results()]
        self._unkept = []
        for result in results:
            queue = self._busy[result.batch.key]
            queue.in_flight.pop(result.batch.number, None)
            if isinstance(result.outcome, Accepted):
                self._accepted(queue, result, result.outcome, now_ms)
            elif isinstance(result.outcome, Invalid):
                self._refused(queue, result, result.outcome, now_ms)
            else:
                self._failed(queue, result.batch, result.outcome, now)
            if queue.is_empty:
                self._troubles.pop(queue.key, None)
                self._idle[queue.key] = self._busy.pop(queue.key)
                if len(self._idle) > MOST_IDLE:
                    # What it knew of arrival times is in the ledger, through its intents.
                    del self._idle[next(iter(self._idle))]
        return len(results)

    def cut(self, now: float, now_ms: int) -> None:
        """Make batches of what is full or has waited long enough."""
        for queue in self._busy.values():
            self._hold(queue, queue.cut(now, now_ms, self._linger, self.number))

    def startable(self, now: float) -> list[Batch]:
        """The batches to send now, one a stream first, as far as the pace allows."""
        started: list[Batch] = []
        # A stream that never answers must not take every sender.
        most = max(1, self._in_flight // 2)
        progress = True
        while progress:
            progress = False
            for queue in self._busy.values():
                under_way = self._senders.under_way + len(started)
                if not self._pace.allows(under_way, now):
                    return started
                batch = queue.next(now, most)
                if batch is not None:
                    queue.ready.popleft()
                    queue.in_flight[batch.number] = batch
                    queue.sent_at = now
                    started.append(batch)
                    progress = True
        # A stream that was served first waits behind the others the next time.
        for key in {batch.key for batch in started}:
            self._busy[key] = self._busy.pop(key)
        return started

    def intend(self, batches: list[Batch], now_ms: int) -> None:
        """Note the requests about to be made; what has no result later has an unknown outcome."""
        for batch in batches:
            spans = tuple(IntentSpan(span.source, span.start, span.end) for span in batch.spans)
            self._record(
                IntentSent(
                    batch=batch.number,
                    group=batch.key.group,
                    stream=batch.key.stream,
                    spans=spans,
                    count=batch.count,
                    least=batch.least,
                    greatest=batch.greatest,
                    crc=batch.crc,
                    arrival=batch.arrival,
                    at_ms=now_ms,
                )
            )

    def send(self, batches: list[Batch]) -> None:
        for batch in batches:
            self._totals.batches += 1
            if batch.failures:
                self._totals.retries += 1
            self._senders.send(batch)

    def next_due(self, now: float) -> float:
        """Seconds until something may be cut or sent without any outside event; 60 at most."""
        due = 60.0
        for queue in self._busy.values():
            cut = queue.cut_due(self._linger)
            if cut is not None:
                due = min(due, cut - now)
            if queue.ready:
                due = min(due, max(queue.ready[0].not_before, self._pace.resumes_at) - now)
        if self._senders.under_way and due <= 0.0:
            return 0.05  # held back by what is under way: its outcome wakes the pump
        return max(0.0, due)

    def degradations(self) -> Iterator[Degradation]:
        """What stands in the way of delivery, one of each kind, in words for a person."""
        seen: dict[str, Degradation] = {}
        for key, failure in self._troubles.items():
            kind = _kind(failure)
            where = f"{key.group} {key.stream}"
            seen.setdefault(kind, Degradation(kind, f"{failure.text} (first for {where})"))
        yield from seen.values()

    def _queue(self, key: StreamKey) -> StreamQueue:
        queue = self._busy.get(key)
        if queue is None:
            queue = self._idle.pop(key, None)
            if queue is None:
                queue = StreamQueue(key, self._ledger.arrivals.get(key, 0))
            self._busy[key] = queue
        return queue

    def _accepted(self, queue: StreamQueue, result: Result, outcome: Accepted, now_ms: int) -> None:
        batch = result.batch
        refused = _refused_events(outcome, batch.count)
        if refused and batch.artifact is None and not self._refuse(batch, refused, now_ms):
            # The dead letters are not durable yet: nothing of this batch is settled before.
            self._unkept.append(result)
            queue.in_flight[batch.number] = batch
            return
        self._pace.succeeded()
        queue.is_proven = True
        self._troubles.pop(queue.key, None)
        self._hold(queue, -batch.cost)
        self._totals.events_delivered += batch.count - len(refused)
        self._totals.lag.observe(max(0.0, now_ms - batch.least) / 1000.0)
        if batch.artifact is not None:
            if refused:
                log.error("artifact_refused", path=batch.artifact.path, reason=refused[0][1])
            self._shipped(batch.artifact, now_ms)
            self._record(Settled(batch.number, ()))
            return
        spans = self._spans(batch, refused)
        self._record(Settled(batch.number, tuple(spans)))
        size = sum(span.end - span.start for span in spans if span.fate == "delivered")
        self._totals.bytes_acknowledged += size
        log.debug(
            "batch_delivered", stream=batch.key.stream, events=batch.count, bytes=len(batch.body)
        )

    def _spans(self, batch: Batch, refused: list[tuple[int, Reason]]) -> list[Span]:
        """The batch's spans with their fates; each refused event is a span of its own."""
        if not refused:
            return [_settled(span, "delivered") for span in batch.spans]
        spans = []
        rejected = set()
        for index, reason in refused:
            source, start, end = batch.sources[index], batch.starts[index], batch.ends[index]
            spans.append(Span(source, start, end, "rejected"))
            rejected.add((source, start))
            self._totals.count_rejected(reason, 1, end - start)
        of_end = {(span.source, span.end): span for span in batch.spans}
        for source, start, end in zip(batch.sources, batch.starts, batch.ends, strict=True):
            if (source, start) in rejected:
                continue
            known = of_end.get((source, end))
            last = spans[-1]
            if last.fate == "delivered" and last.source == source and last.end == start:
                start = spans.pop().start
            marker = known.marker if known else (0, 0)
            resume = known.resume if known else None
            spans.append(Span(source, start, end, "delivered", *marker, resume))
        return spans

    def _refused(self, queue: StreamQueue, result: Result, outcome: Invalid, now_ms: int) -> None:
        """The service takes none of it: find the one event that is the cause, by halves."""
        batch = result.batch
        self._totals.count_refusal("invalid")
        if batch.count > 1:
            self._record(Settled(batch.number, ()))
            parts = halves(batch, self.number)
            for part in reversed(parts):
                part.failures = batch.failures + 1
                queue.ready.appendleft(part)
            self._hold(queue, sum(part.cost for part in parts) - batch.cost)
            log.info("batch_halved", stream=queue.key.stream, events=batch.count)
            return
        log.warning("event_refused", stream=queue.key.stream, reason=outcome.message)
        refused: list[tuple[int, Reason]] = [(0, "invalid")]
        if batch.artifact is None and not self._refuse(batch, refused, now_ms):
            self._unkept.append(result)
            queue.in_flight[batch.number] = batch
            return
        self._hold(queue, -batch.cost)
        spans = () if batch.artifact is not None else tuple(self._spans(batch, refused))
        self._record(Settled(batch.number, spans))
        if batch.artifact is not None:
            self._shipped(batch.artifact, now_ms)

    def _failed(self, queue: StreamQueue, batch: Batch, failure: Failure, now: float) -> None:
        """Try again later, without end; where it may be stored, that is counted."""
        kind = _kind(failure)
        self._totals.count_refusal(kind)
        known = self._troubles.get(queue.key)
        if known is None or _kind(known) != kind:
            log.warning(
                "delivery_failing",
                kind=kind,
                group=queue.key.group,
                stream=queue.key.stream,
                problem=failure.text,
            )
        self._troubles[queue.key] = failure
        if isinstance(failure, Unknown):
            self._record(BatchAbandoned(batch.number))
            self._totals.possible_duplicates += batch.count
            batch.number = self.number()
        else:
            self._record(Settled(batch.number, ()))
        batch.failures += 1
        batch.not_before = now + delay(batch.failures, random.random)
        self._pace.failed(now)
        queue.ready.appendleft(batch)


def _kind(failure: Failure) -> str:
    """A fixed word for a kind of failure: a metric's label."""
    if isinstance(failure, Denied):
        return "denied"
    return {
        "Throttled": "throttled",
        "Unreachable": "unreachable",
        "Unknown": "outcome_unknown",
        "MissingTarget": "missing",
        "Invalid": "invalid",
    }[type(failure).__name__]


def _settled(span: BatchSpan, fate: Fate) -> Span:
    return Span(span.source, span.start, span.end, fate, *span.marker, span.resume)


def _refused_events(outcome: Accepted, count: int) -> list[tuple[int, Reason]]:
    """Which events of the body were refused, by index, with the reason."""
    if outcome.first == 0 and outcome.last == count:
        return []
    refused: list[tuple[int, Reason]] = [
        (index, "too_old" if index < outcome.too_old else "expired")
        for index in range(outcome.first)
    ]
    refused += [(index, "too_new") for index in range(outcome.last, count)]
    return refused

"""Delivers what was read: batches out, outcomes in, and what each outcome means for the bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import structlog

from sidecar.delivery import send_time
from sidecar.delivery.cutting import halves, manifest_batch, part
from sidecar.delivery.destination import (
    Accepted,
    Failure,
    Invalid,
    Unknown,
)
from sidecar.delivery.fates import refused_events, settled_spans
from sidecar.delivery.intents import intent_of
from sidecar.delivery.reconcile import Reconciler, Resolution, Unresolved
from sidecar.delivery.sender import Result, Senders
from sidecar.delivery.stream_queue import StreamQueue
from sidecar.delivery.troubles import Troubles, kind_of
from sidecar.health import Degradation
from sidecar.model.backoff import Pace, delay
from sidecar.model.batch import ArtifactVersion, Batch, Reason, StreamKey
from sidecar.model.journal import (
    BatchAbandoned,
    Counted,
    Entry,
    HistoryEnds,
    IntentSent,
    Settled,
    Span,
)
from sidecar.model.ledger import Ledger
from sidecar.model.outcome_ranges import Missing, missing_ranges, stored_spans
from sidecar.model.portion import Portion
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)


MOST_IDLE = 1000
"""Streams with nothing to send that are remembered, to know when they were last sent to."""


MOST_UNANSWERED = 6
"""Requests of unknown outcome that there may be, of a stream and of all of them, while CloudWatch
acknowledges nothing and does not say what it holds: they take memory, and each is read for when it
answers again. While it does answer, `reconcile_wait` is their end."""

LAST_PROBE_SECONDS = 60.0
"""After so long one more is sent all the same, in case that only asking fails."""


class Release(Protocol):
    """A request of an earlier process is resolved: its sources may go on. What is missing is to be
    read and sent again."""

    def __call__(self, intent: IntentSent, missing: list[Missing], now: float) -> None: ...


class Refuse(Protocol):
    """Keeps the dead letters of these events of a batch, durably; False when it could not."""

    def __call__(self, batch: Batch, refused: list[tuple[int, Reason]], now_ms: int) -> bool: ...


class Delivery:
    """Every stream's queue, and the senders that serve them. Owned by the pump."""

    def __init__(
        self,
        *,
        senders: Senders,
        reconciler: Reconciler,
        ledger: Ledger,
        record: Callable[[Entry], None],
        refuse: Refuse,
        shipped: Callable[[ArtifactVersion, int], None],
        release: Release,
        totals: Totals,
        in_flight: int,
        linger: float,
        memory: int,
    ) -> None:
        self.memory = 0
        """Bytes taken by what is read and not yet settled."""
        self.largest_portion = 1024 * 1024
        """What one more portion may take: the largest of late, more than that at the start."""
        self._senders = senders
        self._reconciler = reconciler
        self._probed_at = float("-inf")
        self._release = release
        self._boot = send_time.boot()
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
        self._troubles = Troubles()
        self._unkept: list[Result] = []

    @property
    def is_empty(self) -> bool:
        return not self._busy

    @property
    def under_way(self) -> int:
        return self._senders.under_way + self._senders.reading

    @property
    def unresolved(self) -> int:
        """Requests of unknown outcome, which CloudWatch is being asked about."""
        return self._reconciler.count

    @property
    def busy(self) -> int:
        """Streams that hold anything."""
        return len(self._busy)

    @property
    def fills_senders(self) -> bool:
        """Would what is ready keep half of the senders busy, and are they free?"""
        half = max(1, self._in_flight // 2)
        if self._in_flight - self._senders.under_way < half:
            return False
        ready = 0
        for queue in self._busy.values():
            ready += len(queue.ready)
            if ready >= half:
                return True
        return False

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
                self._accepted(queue, result, result.outcome, now, now_ms)
            elif isinstance(result.outcome, Invalid):
                self._refused(queue, result, result.outcome, now_ms)
            else:
                self._failed(queue, result.batch, result.outcome, now, now_ms)
            self._rest(queue, now)
        resolutions = self._reconciler.step(now)
        for resolution in resolutions:
            self._resolve(resolution, now, now_ms)
        if self._reconciler.answered:
            self._reconciler.answered = False
            self._pace.revive()
        return len(results) + len(resolutions)

    def take_over(self, intents: Iterable[IntentSent], now: float, now_ms: int) -> None:
        """Find out about requests without a result that processes left which are gone.

        They are in the ledger, under numbers of its own. To be called before their sources are
        read; at any time otherwise.
        """
        for intent in list(intents):
            why_not = self._reconciler.hopeless(intent, now_ms)
            log.warning(
                "batch_outcome_unknown",
                group=intent.group,
                stream=intent.stream,
                events=intent.count,
            )
            elapsed = send_time.seconds_since(
                intent, now_ms=now_ms, boot=self._boot, up_ms=send_time.up_ms()
            )
            unresolved = Unresolved(intent, now - elapsed)
            if why_not is not None:
                everything = list(range(intent.count))
                self._resolve(Resolution(unresolved, everything, True, why_not), now, now_ms)
                continue
            queue = self._queue(unresolved.key)
            queue.unresolved[intent.batch] = (intent.least, intent.greatest)
            known = self._ledger.arrivals.get(queue.key, 0)
            queue.newest_arrival = max(queue.newest_arrival, known)
            self._reconciler.ask(unresolved, now)

    def cut(self, now: float, now_ms: int) -> None:
        """Make batches of what is full or has waited long enough."""
        for queue in self._busy.values():
            self._hold(queue, queue.cut(now, now_ms, self._linger, self.number))

    def startable(self, now: float) -> list[Batch]:
        """The batches to send now, one a stream first, as far as the pace allows."""
        silent = now - self._probed_at
        if self._pace.is_probing and self._waits_for_answers(self._reconciler.count, silent):
            return []
        started = self._started(now)
        # A stream that was served waits behind the others the next time, above all where there
        # was no turn for all of them.
        for key in dict.fromkeys(batch.key for batch in started):
            self._busy[key] = self._busy.pop(key)
        return started

    def _started(self, now: float) -> list[Batch]:
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
                silent = now - queue.sent_at
                if queue.failures and self._waits_for_answers(len(queue.unresolved), silent):
                    continue
                batch = queue.take(now, most)
                if batch is not None:
                    self._probed_at = now
                    started.append(batch)
                    progress = True
        return started

    def _waits_for_answers(self, unresolved: int, silent: float) -> bool:
        """Where all that is sent comes to nothing that is known, would one more request only add
        to that? Then the reads are the probes. `silent` are the seconds since the last request."""
        if unresolved < MOST_UNANSWERED or silent >= LAST_PROBE_SECONDS:
            return False
        return self._reconciler.is_unanswered

    def intend(self, batches: list[Batch], now_ms: int, *, later: float = 0.0) -> None:
        """Note the requests about to be made; what has no result later has an unknown outcome.

        Once more, so many seconds `later`, where noting them took its time.
        """
        for batch in batches:
            batch.sent_at += later
            self._record(intent_of(batch, now_ms, self._boot))

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
            if (ready_at := queue.due) is not None:
                due = min(due, max(ready_at, self._pace.resumes_at) - now)
        if due <= 0.0 and self.unresolved:
            due = 0.05  # what is ready waits for what is unknown, or for its turn
        due = min(due, self._reconciler.next_due(now))
        if self._senders.under_way and due <= 0.0:
            return 0.05  # held back by what is under way: its outcome wakes the pump
        return max(0.0, due)

    def degradations(self, now: float) -> Iterator[Degradation]:
        """What stands in the way of delivery, one of each kind, in words for a person."""
        yield from self._troubles.degradations()
        yield from self._reconciler.degradations(now)

    def _queue(self, key: StreamKey) -> StreamQueue:
        queue = self._busy.get(key)
        if queue is None:
            queue = self._idle.pop(key, None)
            if queue is None:
                queue = StreamQueue(key, self._ledger.arrivals.get(key, 0))
            self._busy[key] = queue
        return queue

    def _rest(self, queue: StreamQueue, now: float) -> None:
        """A queue that holds nothing is idle."""
        if not queue.is_empty:
            return
        self._troubles.over(queue.key, now)
        self._idle[queue.key] = self._busy.pop(queue.key)
        if len(self._idle) > MOST_IDLE:
            # What it knew of arrival times is in the ledger, through its intents.
            del self._idle[next(iter(self._idle))]

    def _accepted(
        self, queue: StreamQueue, result: Result, outcome: Accepted, now: float, now_ms: int
    ) -> None:
        batch = result.batch
        refused = refused_events(outcome, batch.count)
        if refused and batch.artifact is None and not self._refuse(batch, refused, now_ms):
            # The dead letters are not durable yet: nothing of this batch is settled before.
            self._unkept.append(result)
            queue.in_flight[batch.number] = batch
            return
        self._pace.succeeded()
        queue.is_proven = True
        queue.failures, queue.not_before = 0, 0.0
        self._troubles.over(queue.key, now)
        self._hold(queue, -batch.cost)
        self._totals.events_delivered += batch.count - len(refused)
        self._totals.lag.observe(max(0.0, now_ms - batch.least) / 1000.0)
        if batch.artifact is not None:
            if refused:
                log.error("artifact_refused", path=batch.artifact.path, reason=refused[0][1])
            self._shipped(batch.artifact, now_ms)
            self._record(Settled(batch.number, (), stored=not refused))
            return
        spans = self._settled(batch, refused)
        self._record(Settled(batch.number, tuple(spans), stored=True))
        size = sum(span.end - span.start for span in spans if span.fate == "delivered")
        self._totals.bytes_acknowledged += size
        log.debug(
            "batch_delivered", stream=batch.key.stream, events=batch.count, bytes=len(batch.body)
        )

    def _settled(self, batch: Batch, refused: list[tuple[int, Reason]]) -> list[Span]:
        """The batch's spans with their fates; what was refused is counted."""
        for index, reason in refused:
            self._totals.count_rejected(reason, 1, batch.ends[index] - batch.starts[index])
        return settled_spans(batch, refused)

    def _refused(self, queue: StreamQueue, result: Result, outcome: Invalid, now_ms: int) -> None:
        """The service takes none of it: find the one event that is the cause, by halves."""
        batch = result.batch
        self._totals.count_refusal("invalid")
        if batch.count > 1:
            self._record(Settled(batch.number, ()))
            parts = halves(batch, self.number)
            for part in reversed(parts):
                part.failures = batch.failures + 1
                queue.put_first(part)
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
        spans = () if batch.artifact is not None else tuple(self._settled(batch, refused))
        if batch.artifact is not None:
            self._shipped(batch.artifact, now_ms)
        self._record(Settled(batch.number, spans))

    def _failed(
        self, queue: StreamQueue, batch: Batch, failure: Failure, now: float, now_ms: int
    ) -> None:
        """Try again later, without end; where it may be stored, find out first."""
        self._totals.count_refusal(kind_of(failure))
        self._troubles.note(queue.key, failure, now)
        self._pace.failed(now)
        batch.failures += 1
        if isinstance(failure, Unknown):
            self._find_out(queue, batch, now, now_ms)
            return
        self._record(Settled(batch.number, ()))
        batch.not_before = now + delay(batch.failures, random.random)
        queue.put_first(batch)

    def _find_out(self, queue: StreamQueue, batch: Batch, now: float, now_ms: int) -> None:
        """The batch may be stored: ask, before it is sent again."""
        queue.failures += 1
        self._totals.outcomes_unknown += 1
        # The ledger has forgotten it where its file's number was another's by then.
        intent = self._ledger.intents.get(batch.number) or intent_of(batch, now_ms, self._boot)
        unresolved = Unresolved(intent, batch.sent_at, batch)
        why_not = self._reconciler.hopeless(intent, now_ms)
        if why_not is not None:
            batch.not_before = now + delay(batch.failures, random.random)
            everything = list(range(batch.count))
            self._resolve(Resolution(unresolved, everything, True, why_not), now, now_ms)
            return
        queue.not_before = now + delay(queue.failures, random.random)
        queue.unresolved[batch.number] = (batch.least, batch.greatest)
        self._reconciler.ask(unresolved, now)

    def _resolve(self, resolution: Resolution, now: float, now_ms: int) -> None:
        """It is known what is stored: settle that, and send the rest again."""
        batch, intent = resolution.unresolved.batch, resolution.unresolved.intent
        # Its sources may have become others: a copy of a truncated one.
        intent = self._ledger.intents.get(intent.batch, intent)
        missing = resolution.missing
        found = intent.count - len(missing)
        log.info(
            "outcome_resolved",
            group=intent.group,
            stream=intent.stream,
            events=intent.count,
            found=found,
            missing=len(missing),
            possible_duplicates=len(missing) if resolution.doubtful else 0,
            why=resolution.why,
        )
        self._totals.outcomes_resolved += 1
        self._totals.events_found += found
        self._totals.events_delivered += found
        if found:
            spans = stored_spans(intent, missing)
            self._totals.bytes_acknowledged += sum(span.end - span.start for span in spans)
            if intent.artifact is not None:
                self._shipped(ArtifactVersion(*intent.artifact), now_ms)
            self._record(Settled(intent.batch, tuple(spans), stored=True))
        if resolution.doubtful:
            self._count_doubtful(intent, len(missing))
        elif not found:
            self._record(Settled(intent.batch, ()))
        queue = self._queue(resolution.unresolved.key)
        queue.unresolved.pop(intent.batch, None)
        if batch is None:
            if missing:
                queue.await_again((intent.least, intent.greatest), now)
            self._release(intent, [] if not missing else missing_ranges(intent, missing), now)
        else:
            self._again(queue, batch, missing)
        self._rest(queue, now)

    def _count_doubtful(self, intent: IntentSent, events: int) -> None:
        """These are sent again although they may be stored."""
        self._totals.possible_duplicates += events
        if intent.batch in self._ledger.intents:
            self._record(BatchAbandoned(intent.batch))
            return
        ledger = self._ledger
        duplicates = ledger.possible_duplicates + events
        self._record(Counted(ledger.next_source, ledger.next_batch, duplicates))
        self._record(HistoryEnds(intent.group, intent.stream, intent.greatest, intent.least))

    def _again(self, queue: StreamQueue, batch: Batch, missing: list[int]) -> None:
        """What is missing of a batch goes next, with its timestamps."""
        self._hold(queue, -batch.cost)
        if not missing:
            return
        if len(missing) < batch.count:
            rest = part(batch, missing, self.number())
            rest.failures, rest.not_before = batch.failures, batch.not_before
        else:
            rest = batch
            rest.number = self.number()
        rest.artifact = batch.artifact
        self._hold(queue, rest.cost)
        queue.put_first(rest)

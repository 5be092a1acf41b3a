"""A destination that fails in every way CloudWatch can, on the test's clock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sidecar.delivery import encode
from sidecar.delivery.destination import (
    Accepted,
    Created,
    Denied,
    Failure,
    Outcome,
    Page,
    StoredEvent,
    Target,
    Throttled,
    Unknown,
    Unmade,
)
from tests.support.fake_destination import FakeDestination, StoredBatch

RECONCILE_WAIT = 3.0
"""Seconds: what follows adds up to less, as `delivery.reconcile_wait` promises."""

LATE_SECONDS = 1.5
"""After which a request is executed whose answer was lost long before."""

HIDDEN_SECONDS = 1.0
"""After which whatever was stored is readable for good."""

PIECES = 3

Fate: TypeAlias = Literal["stored", "lost", "late"]
Showing: TypeAlias = Literal["at once", "late", "in pieces", "off and on"]


@dataclass(eq=False)
class FickleDestination(FakeDestination):
    """`unknown` decides the outcomes of the next puts: Unknown, and the batch stored, lost or
    stored late. `refusal` meets every write, `reading_refusal` every read, `throttled_reads` so
    many. While it is `silent`, requests have their fate and are never answered, until `speak`.

    What somebody deleted is kept in `deleted`. `hits` counts every fault by what it did.
    """

    clock: Callable[[], float] = lambda: 0.0
    unknown: list[Fate] = field(default_factory=list)
    showing: Showing = "at once"
    refusal: Failure | None = None
    reading_refusal: Denied | None = None
    throttled_reads: int = 0
    silent: Fate | None = None
    unanswered: int = 0
    deleted: list[str] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._late: list[tuple[float, str, str, list[StoredEvent]]] = []
        self._hidden: list[tuple[StoredBatch, float, float]] = []
        self._speaks = threading.Event()

    def put(self, group: str, stream: str, body: bytes, count: int) -> Outcome:
        with self._lock:
            self.catch_up()
            if self.refusal is not None:
                self.hits[type(self.refusal).__name__] += 1
                return self.refusal
            missing = self._trouble() or self._missing(group, stream)
            fate = self.silent or (self.unknown.pop(0) if self.unknown and not missing else None)
            if fate is None or missing:
                self.hits["down or expired"] += self._trouble() is not None
                return super().put(group, stream, body, count)
            self.hits[f"{'silence' if self.silent else 'no answer'}, {fate}"] += 1
            if fate == "stored":
                super().put(group, stream, body, count)
            if fate == "late":
                events = [StoredEvent(*event) for event in encode.decode(body)]
                self._late.append((self.clock() + LATE_SECONDS, group, stream, events))
            if not self.silent:
                return Unknown(f"the answer was lost, the batch is {fate}")
            self.unanswered += 1
            speaks = self._speaks
        speaks.wait()
        return Unknown("it spoke again to nobody")

    def create(self, group: str, stream: str, what: Target) -> Created | Unmade:
        if isinstance(self.refusal, Denied | Throttled):
            return self.refusal
        return super().create(group, stream, what)

    def read(
        self, group: str, stream: str, least: int, greatest: int, token: str | None = None
    ) -> Page | Failure:
        with self._lock:
            self.catch_up()
            if self.reading_refusal is not None:
                self.hits["reading denied"] += 1
                return self.reading_refusal
            if self.throttled_reads > 0:
                self.hits["reading throttled"] += 1
                self.throttled_reads -= 1
                return Throttled("Rate exceeded")
            return super().read(group, stream, least, greatest, token)

    def speak(self) -> None:
        """End the silence; whoever was waiting is gone."""
        self.silent, self.unanswered = None, 0
        self._speaks.set()
        self._speaks = threading.Event()

    def catch_up(self) -> None:
        """Execute what is due by now, and show what is to be shown."""
        with self._lock:
            now = self.clock()
            due = [late for late in self._late if late[0] <= now]
            self._late = [late for late in self._late if late[0] > now]
            for _, group, stream, events in due:
                self._store(group, stream, events)
            for batch, since, until in self._hidden:
                batch.visible = not since <= now < until
            self._hidden = [each for each in self._hidden if each[2] > now]

    def delete_stream(self, group: str, stream: str) -> None:
        with self._lock:
            self.hits["stream deleted"] += 1
            self.deleted += self.messages(group, stream)
            super().delete_stream(group, stream)

    def delete_group(self, group: str) -> None:
        with self._lock:
            self.hits["group deleted"] += 1
            for stream in self.streams(group):
                self.deleted += self.messages(group, stream)
            super().delete_group(group)

    def _store(self, group: str, stream: str, events: list[StoredEvent]) -> Outcome:
        outcome = super()._store(group, stream, events)
        if isinstance(outcome, Accepted) and self.showing != "at once":
            self.hits[f"shown {self.showing}"] += 1
            batches = self._groups[group][stream]
            batches += self._hiding(batches.pop())
        return outcome

    def _hiding(self, batch: StoredBatch) -> list[StoredBatch]:
        """The batch as it shows over the next second: the last piece first."""
        now, share = self.clock(), HIDDEN_SECONDS / PIECES
        if self.showing == "late":
            self._hidden.append((batch, now, now + HIDDEN_SECONDS))
        elif self.showing == "off and on":
            self._hidden.append((batch, now + share, now + HIDDEN_SECONDS))
        else:
            size = -(-len(batch.events) // PIECES)
            starts = range(0, len(batch.events), size)
            pieces = [StoredBatch(batch.events[start : start + size]) for start in starts]
            for number, piece in enumerate(reversed(pieces)):
                self._hidden.append((piece, now, now + number * share))
            return pieces
        return [batch]

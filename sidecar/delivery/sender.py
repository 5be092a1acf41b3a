"""Blocking requests, on threads of their own; their outcomes go back to the pump."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import structlog

from sidecar.delivery.destination import (
    Created,
    Destination,
    Failure,
    MissingTarget,
    Outcome,
    Page,
    Unknown,
    Unreachable,
)
from sidecar.health import Vitals
from sidecar.model.batch import Batch

log = structlog.get_logger(__name__)

LONGEST_CREATION = 1.0
"""Seconds after which a batch whose stream had to be made goes back to the pump: its intent says
when it was sent, and a reader of the journal must be able to believe that."""


class Result(NamedTuple):
    """A batch and how its request came out."""

    batch: Batch
    outcome: Outcome


class Query(NamedTuple):
    """One page of a stream to be read."""

    group: str
    stream: str
    least: int
    greatest: int
    token: str | None


class Answer(NamedTuple):
    """A query and what came of it."""

    query: Query
    page: Page | Failure


class Senders:
    """A pool of at most `most` daemon threads, and one for reading, started as they are needed.

    Daemons, because a request that never answers must not keep the process from ending.
    `may_send` is asked right before each request that could store events: a member that may not
    send any more finds out here, after whatever time its batch has waited.
    """

    def __init__(
        self,
        destination: Destination,
        most: int,
        vitals: Vitals,
        wake: Callable[[], None],
        *,
        may_send: Callable[[], bool] = lambda: True,
    ) -> None:
        self._destination = destination
        self._most = most + 1
        self._vitals = vitals
        self._wake = wake
        self._may_send = may_send
        self._asked: queue.SimpleQueue[Batch | Query] = queue.SimpleQueue()
        self._threads = 0
        self._results: deque[Result] = deque()
        self._answers: deque[Answer] = deque()
        self.under_way = 0
        """Batches handed over whose results were not taken yet."""
        self.reading = 0
        """Queries likewise."""

    def send(self, batch: Batch) -> None:
        """Hand a batch over; its result will be in `results`."""
        self.under_way += 1
        self._ask(batch)

    def read(self, query: Query) -> None:
        """Hand a query over; what it shows will be in `answers`."""
        self.reading += 1
        self._ask(query)

    def results(self) -> list[Result]:
        """What has come out since the last call; only the pump calls."""
        results = []
        while self._results:
            results.append(self._results.popleft())
        self.under_way -= len(results)
        return results

    def answers(self) -> list[Answer]:
        """What queries have come to since the last call; only the pump calls."""
        answers = []
        while self._answers:
            answers.append(self._answers.popleft())
        self.reading -= len(answers)
        return answers

    def _ask(self, asked: Batch | Query) -> None:
        if self._threads < min(self._most, self.under_way + self.reading):
            self._threads += 1
            name = f"sender-{self._threads}"
            threading.Thread(target=self._run, name=name, daemon=True).start()
        self._asked.put(asked)

    def _run(self) -> None:
        while True:
            asked = self._asked.get()
            token = self._vitals.request_started(time.monotonic())
            try:
                if isinstance(asked, Query):
                    self._answers.append(Answer(asked, self._read(asked)))
                else:
                    self._results.append(self._put(asked))
            finally:
                self._vitals.request_finished(token)
            self._wake()

    def _read(self, query: Query) -> Page | Failure:
        try:
            return self._destination.read(*query)
        except Exception as error:
            log.error("sender_failed", exc_info=True)
            return Unreachable(f"{type(error).__name__}: {error}")

    def _put(self, batch: Batch) -> Result:
        try:
            outcome = self._put_or_make(batch)
        except Exception as error:
            log.error("sender_failed", exc_info=True)
            outcome = Unknown(f"{type(error).__name__}: {error}")
        return Result(batch, outcome)

    def _put_or_make(self, batch: Batch) -> Outcome:
        """Send; where the stream or its group is missing, make it and send once more."""
        began = time.monotonic()
        group, stream = batch.key
        outcome = self._put_once(batch)
        if not isinstance(outcome, MissingTarget):
            return outcome
        made = self._destination.create(group, stream, outcome.what)
        if not isinstance(made, Created):
            return made
        log.info("stream_created", group=group, stream=stream)
        if made.note:
            log.warning("group_created_otherwise", group=group, note=made.note)
        if time.monotonic() - began > LONGEST_CREATION:
            return outcome
        return self._put_once(batch)

    def _put_once(self, batch: Batch) -> Outcome:
        if not self._may_send():
            return Unreachable("this sidecar may not send: it is not sure to be a member any more")
        group, stream = batch.key
        return self._destination.put(group, stream, batch.body, batch.count)

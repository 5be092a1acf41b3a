"""Blocking requests, on threads of their own; their outcomes go back to the pump."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import structlog

from sidecar.delivery.destination import Created, Destination, MissingTarget, Outcome, Unknown
from sidecar.health import Vitals
from sidecar.model.batch import Batch

log = structlog.get_logger(__name__)


class Result(NamedTuple):
    """A batch and how its request came out."""

    batch: Batch
    outcome: Outcome


class Senders:
    """A pool of at most `most` daemon threads, started as they are needed.

    Daemons, because a request that never answers must not keep the process from ending.
    """

    def __init__(
        self, destination: Destination, most: int, vitals: Vitals, wake: Callable[[], None]
    ) -> None:
        self._destination = destination
        self._most = most
        self._vitals = vitals
        self._wake = wake
        self._batches: queue.SimpleQueue[Batch] = queue.SimpleQueue()
        self._threads = 0
        self._results: deque[Result] = deque()
        self.under_way = 0

    def send(self, batch: Batch) -> None:
        """Hand a batch over; its result will be in `results`."""
        self.under_way += 1
        if self._threads < min(self._most, self.under_way):
            self._threads += 1
            name = f"sender-{self._threads}"
            threading.Thread(target=self._run, name=name, daemon=True).start()
        self._batches.put(batch)

    def results(self) -> list[Result]:
        """What has come out since the last call; only the pump calls."""
        results = []
        while self._results:
            results.append(self._results.popleft())
        self.under_way -= len(results)
        return results

    def _run(self) -> None:
        while True:
            batch = self._batches.get()
            token = self._vitals.request_started(time.monotonic())
            try:
                outcome = self._put(batch)
            except Exception as error:
                log.error("sender_failed", exc_info=True)
                outcome = Unknown(f"{type(error).__name__}: {error}")
            finally:
                self._vitals.request_finished(token)
            self._results.append(Result(batch, outcome))
            self._wake()

    def _put(self, batch: Batch) -> Outcome:
        """Send; where the stream or its group is missing, make it and send once more."""
        group, stream = batch.key
        outcome = self._destination.put(group, stream, batch.body, batch.count)
        if not isinstance(outcome, MissingTarget):
            return outcome
        made = self._destination.create(group, stream, outcome.what)
        if not isinstance(made, Created):
            return made
        log.info("stream_created", group=group, stream=stream)
        if made.note:
            log.warning("group_created_otherwise", group=group, note=made.note)
        return self._destination.put(group, stream, batch.body, batch.count)

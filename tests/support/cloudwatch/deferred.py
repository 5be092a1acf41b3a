"""Requests that are executed after their client is gone."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count

from .clock import Clock


class Deferred:
    """Executions waiting for their moment of the service's clock, on one thread of its own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._numbers = count()
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._running = 0
        self._stopped = False
        self._thread: threading.Thread | None = None

    def add(self, due_ms: int, execute: Callable[[], None]) -> None:
        """Executes at `due_ms`, or soon after."""
        with self._lock:
            heapq.heappush(self._waiting, (due_ms, next(self._numbers), execute))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="deferred", daemon=True)
                self._thread.start()
        self._clock.wake()

    @property
    def pending(self) -> int:
        """How many are not executed yet."""
        with self._lock:
            return len(self._waiting) + self._running

    def run_due(self, *, everything: bool = False) -> None:
        """Executes on the calling thread what is due, or all of it."""
        while True:
            with self._lock:
                due = self._waiting and (everything or self._waiting[0][0] <= self._clock.now_ms())
                if not due:
                    return
                execute = heapq.heappop(self._waiting)[2]
                self._running += 1
            try:
                execute()
            finally:
                with self._lock:
                    self._running -= 1

    def stop(self) -> None:
        """Drops what is waiting."""
        with self._lock:
            self._stopped = True
            self._waiting.clear()
            thread = self._thread
        if thread is not None:
            # A wake-up between the thread's look and its wait would be missed: repeat it.
            while thread.is_alive():
                self._clock.wake()
                thread.join(0.05)

    def _run(self) -> None:
        while True:
            self.run_due()
            with self._lock:
                if self._stopped:
                    return
                due = self._waiting[0][0] if self._waiting else None
            # Bounded, so that a change between the look above and the wait costs 50 ms at most.
            self._clock.wait(due, at_most=0.05 if due is not None else 1.0)

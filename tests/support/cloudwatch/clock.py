"""The service's own clock, which a test can move.

It decides ages, retention, visibility and delayed executions. Signatures are checked against the
machine's clock, since the client signs with that one.
"""

from __future__ import annotations

import threading
import time


class Clock:
    """The machine's time plus an offset, or a frozen instant."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._offset_ms = 0
        self._frozen_at: int | None = None

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        if self._frozen_at is not None:
            return self._frozen_at
        return time.time_ns() // 1_000_000 + self._offset_ms

    def freeze(self, at_ms: int | None = None) -> int:
        """Stands still, at `at_ms` or now, and returns that instant."""
        with self._changed:
            self._frozen_at = self.now_ms() if at_ms is None else at_ms
            self._changed.notify_all()
            return self._frozen_at

    def release(self) -> None:
        """Runs on from the frozen instant."""
        with self._changed:
            if self._frozen_at is not None:
                self._offset_ms = self._frozen_at - time.time_ns() // 1_000_000
                self._frozen_at = None
            self._changed.notify_all()

    def advance(self, seconds: float) -> None:
        """Moves forward (or back, when negative), frozen or not."""
        step = round(seconds * 1000)
        with self._changed:
            if self._frozen_at is None:
                self._offset_ms += step
            else:
                self._frozen_at += step
            self._changed.notify_all()

    def wake(self) -> None:
        """Lets every waiter look again."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, due_ms: int | None, at_most: float) -> None:
        """Returns when `due_ms` is here, the clock was moved, or `at_most` seconds are over."""
        with self._changed:
            remaining = at_most
            if due_ms is not None:
                ahead = (due_ms - self.now_ms()) / 1000
                remaining = ahead if self._frozen_at is None else at_most if ahead > 0 else 0
            self._changed.wait(max(0.0, min(remaining, at_most)))

"""What was asked of the service, and what was unlawful in it."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass

from .errors import UnlawfulError

# Calls kept one by one; the counts have no end.
KEPT_CALLS = 100_000


@dataclass(eq=False)
class Call:
    """One request. `status` is None until it is answered, and 0 for a reset.

    `executed` is true once its events were stored.
    """

    operation: str
    at_ms: int
    size: int
    group: str | None = None
    stream: str | None = None
    events: int = 0
    status: int | None = None
    code: str | None = None
    fault: str | None = None
    executed: bool = False


@dataclass(frozen=True)
class Violation:
    """An unlawful request: a bug of the client."""

    operation: str
    group: str | None
    stream: str | None
    code: str
    message: str
    at_ms: int

    def described(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


class Record:
    """Counts by operation, the latest calls, the violations, and how many puts ran at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: Counter[tuple[str | None, str | None]] = Counter()
        self.requests: Counter[str] = Counter()
        self.calls: deque[Call] = deque(maxlen=KEPT_CALLS)
        self.violations: list[Violation] = []
        self.peak = 0
        self.peak_per_stream: Counter[tuple[str | None, str | None]] = Counter()

    def begin(self, call: Call) -> None:
        """A PutLogEvents is being worked on."""
        if call.operation != "PutLogEvents":
            return
        key = (call.group, call.stream)
        with self._changed:
            self._running[key] += 1
            self.peak = max(self.peak, self._running.total())
            self.peak_per_stream[key] = max(self.peak_per_stream[key], self._running[key])

    def end(self, call: Call) -> None:
        """It is not any more."""
        if call.operation != "PutLogEvents":
            return
        key = (call.group, call.stream)
        with self._changed:
            self._running[key] -= 1
            if not self._running[key]:
                del self._running[key]

    def add(self, call: Call) -> None:
        """A call has arrived."""
        with self._changed:
            self.requests[call.operation] += 1
            self.calls.append(call)
            self._changed.notify_all()

    def violation(self, call: Call, error: UnlawfulError) -> None:
        """A call was unlawful."""
        found = Violation(
            call.operation, call.group, call.stream, error.code, error.message, call.at_ms
        )
        with self._changed:
            self.violations.append(found)

    def wake(self) -> None:
        """Something was answered or stored: whoever waits looks again."""
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, holds: Callable[[], bool], timeout: float) -> bool:
        """Looks after each call until it holds; False when `timeout` seconds are over."""
        deadline = time.monotonic() + timeout
        while True:
            if holds():
                return True
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return False
            with self._changed:
                # Bounded, since a call may end between the look and the wait.
                self._changed.wait(min(remaining, 0.05))

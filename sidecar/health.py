"""Whether a restart would help, kept apart from whether all is well.

`/healthz` fails for what a restart cures, and for nothing else: replacing a task because
CloudWatch is down or a permission is missing would lose what the task knows and mend nothing.
"""

import itertools
import threading
from dataclasses import dataclass
from typing import NamedTuple

# The pump steps several times a second; file-system calls that may hang run beside it.
PUMP_STALLED_SECONDS = 30.0
# Before the first step: reading the journals and the first look at a large volume.
START_SECONDS = 120.0
# A request ends within 30 s by its connect and read time-outs; twice that means a lost thread.
REQUEST_OVERDUE_SECONDS = 60.0


class Degradation(NamedTuple):
    """Something is wrong that a restart would not cure.

    `kind` is a fixed lower-case word with underscores (a metric's label); `text` tells a person
    what is wrong and what to do.
    """

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Healthy, or the reasons why a restart is the cure."""

    healthy: bool
    reasons: tuple[str, ...]


class Vitals:
    """Signs of life, left by the pump and the senders and read by the web thread.

    All times are of one monotonic clock, in seconds, given by the caller.
    """

    def __init__(self, started: float) -> None:
        self._alive_until = started + START_SECONDS
        self._last_beat = started
        self._has_beaten = False
        self._tokens = itertools.count()
        self._requests: dict[int, float] = {}
        self._lock = threading.Lock()
        self._scanned = False
        self._draining = False
        self._degradations: tuple[Degradation, ...] = ()

    def beat(self, now: float) -> None:
        """The pump is alive; called at every step, also while it waits for another member."""
        if self._has_beaten and now < self._last_beat:
            return  # an older sign of life, by another clock's reading, takes nothing back
        self._has_beaten = True
        self._last_beat = now
        self._alive_until = now + PUMP_STALLED_SECONDS

    def first_scan_done(self) -> None:
        """Every root was looked at once: from now on the sidecar is ready."""
        self._scanned = True

    def drain_began(self) -> None:
        """What is written from now on may be left to the next run: no longer ready."""
        self._draining = True

    def degrade(self, degradations: tuple[Degradation, ...]) -> None:
        """Replace the list of what is wrong without being curable here; () when all is well."""
        self._degradations = degradations

    @property
    def degradations(self) -> tuple[Degradation, ...]:
        return self._degradations

    def request_started(self, now: float) -> int:
        """A sender begins a request; returns the token to finish it with. Any thread may call."""
        token = next(self._tokens)
        with self._lock:
            self._requests[token] = now
        return token

    def request_finished(self, token: int) -> None:
        """The request ended, however it ended; a token that is not open is ignored."""
        with self._lock:
            self._requests.pop(token, None)

    def verdict(self, now: float) -> Verdict:
        """What `/healthz` says at `now`."""
        reasons = []
        if now > self._alive_until:
            silence = now - self._last_beat
            reasons.append(f"the pump has not stepped for {silence:.0f} s")
        with self._lock:
            begun = list(self._requests.values())
        overdue = [now - each for each in begun if now - each > REQUEST_OVERDUE_SECONDS]
        if overdue:
            reasons.append(
                f"{len(overdue)} request(s) to AWS past their deadline, "
                f"the longest for {max(overdue):.0f} s"
            )
        return Verdict(healthy=not reasons, reasons=tuple(reasons))

    @property
    def unready(self) -> str | None:
        """Why `/readyz` says 503, or None.

        A draining sidecar is not ready: it still reads on until the files are quiet, but nobody
        should begin work that counts on it.
        """
        if self._draining:
            return "draining"
        return None if self._scanned else "starting: the first scan is not done"

"""Faults on demand: which requests they hit, how often, and until when.

A fault fires for requests that match `operation`, `group` and `stream` (globs; a request without
a stream matches no stream pattern), after `skip` matching requests, at most `times` times, each
time with `probability` (drawn from `seed`), until it is cleared or `lasts` seconds are over. Waits
and `lasts` go by the machine's time, visibility and delayed execution by the service's clock.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from itertools import count

KINDS = {
    "throttle": "ThrottlingException, HTTP 400; nothing stored",
    "server_error": "HTTP `status` (500 or 503); with stored=true it was executed all the same",
    "access_denied": "AccessDeniedException, HTTP 400",
    "expired_token": "ExpiredTokenException, HTTP 400",
    "not_found": "ResourceNotFoundException although it exists; `what`: group or stream (default)",
    "aborted": "OperationAbortedException: somebody else changes the resource",
    "limit_exceeded": "LimitExceededException",
    "unrecognized": "UnrecognizedClientException, HTTP 400",
    "reset_before": "the connection is reset, nothing was executed",
    "reset_after": "executed, then the connection is reset without a reply",
    "cut_reply": "executed, then a 200 whose body breaks off: an empty success to boto3",
    "no_answer": "`seconds` (60) of silence, then a reset; with stored=true executed at once",
    "slow": "the reply is late by `seconds` (1), and the execution with it",
    "delayed": "the connection is reset (hang=true: left silent) and the request executed up to "
    "`seconds` (20) later: exactly then with exact=true, else at a random moment",
    "poison": "PutLogEvents with a message that contains `marker` is InvalidParameterException",
    "lag": "what is put becomes readable only after `seconds` (5)",
    "partial": "a put batch becomes readable in `pieces` (4), in any order, over `seconds` (5)",
    "flicker": "a put batch is readable, after `after` (1) seconds unreadable for `seconds` (2), "
    "`cycles` (1) times",
    "blind": "reads find nothing, as if nothing had arrived",
    "empty_page": "GetLogEvents gives an empty page with a token that leads on",
    "down": "until cleared, or for `seconds` or `lasts`: mode=refuse stops listening, "
    "mode=reset resets every connection",
}
# What a kind applies to when no operation is named.
_SCOPES = {
    "poison": "PutLogEvents",
    "lag": "PutLogEvents",
    "partial": "PutLogEvents",
    "flicker": "PutLogEvents",
    "delayed": "PutLogEvents",
    "blind": "*LogEvents",
    "empty_page": "GetLogEvents",
}
# These combine with one another and with one of the others; of the others, the first decides.
MODIFIERS = frozenset(("slow", "poison", "lag", "partial", "flicker", "blind"))
_SECONDS = {
    "no_answer": 60.0,
    "slow": 1.0,
    "delayed": 20.0,
    "lag": 5.0,
    "partial": 5.0,
    "flicker": 2.0,
}


@dataclass(eq=False)
class Fault:
    """One fault; `fired` counts the requests it hit, `cleared` ends every wait it caused."""

    kind: str
    operation: str | None = None
    group: str | None = None
    stream: str | None = None
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    seed: int = 0
    seconds: float | None = None
    status: int = 500
    stored: bool = False
    hang: bool = False
    exact: bool = False
    marker: str = "POISON"
    pieces: int = 4
    after: float = 1.0
    cycles: int = 1
    mode: str = "refuse"
    what: str = "stream"
    lasts: float | None = None
    number: int = 0
    fired: int = 0
    cleared: threading.Event = field(default_factory=threading.Event, repr=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault '{self.kind}'; known: {', '.join(KINDS)}")
        if self.mode not in ("refuse", "reset"):
            raise ValueError(f"unknown mode '{self.mode}'; known: refuse, reset")
        if self.operation is None:
            self.operation = _SCOPES.get(self.kind)
        if self.seconds is None:
            self.seconds = _SECONDS.get(self.kind)
        if self.kind == "down" and self.lasts is None:
            self.lasts = self.seconds
        self.random = random.Random(self.seed)

    @property
    def duration(self) -> float:
        """Seconds, zero where the kind has none."""
        return self.seconds or 0.0

    def matches(self, operation: str, group: str | None, stream: str | None) -> bool:
        """Is such a request within this fault's scope?"""
        return (
            _fits(self.operation, operation)
            and _fits(self.group, group)
            and _fits(self.stream, stream)
        )

    def draw(self) -> bool:
        """Counts one matching request; does the fault hit it?"""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None and self.fired >= self.times:
            return False
        if self.probability < 1.0 and self.random.random() >= self.probability:
            return False
        self.fired += 1
        return True

    def described(self) -> dict[str, object]:
        """For JSON."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "cleared"}


def _fits(pattern: str | None, name: str | None) -> bool:
    return pattern is None or (name is not None and fnmatchcase(name, pattern))


class Faults:
    """The faults in force, in the order they were added."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._lock = threading.Lock()
        self._numbers = count(1)
        self._active: list[Fault] = []
        self._timers: dict[Fault, threading.Timer] = {}
        self._changed = changed

    def add(self, kind: str, **options: object) -> Fault:
        """Puts a fault in force; the options are the fields of Fault. ValueError when unknown."""
        try:
            fault = Fault(kind, **options)  # type: ignore[arg-type]
        except TypeError as error:
            raise ValueError(f"fault '{kind}': {error}") from None
        with self._lock:
            fault.number = next(self._numbers)
            self._active.append(fault)
        self._changed()
        if fault.lasts is not None:
            timer = threading.Timer(fault.lasts, self.clear, (fault,))
            timer.daemon = True
            with self._lock:
                self._timers[fault] = timer
            timer.start()
        return fault

    def clear(self, fault: Fault | int | None = None) -> None:
        """Ends one fault, by itself or its number, or all; whoever hangs in it goes on."""
        with self._lock:
            ended = [f for f in self._active if fault is None or fault is f or fault == f.number]
            self._active = [f for f in self._active if f not in ended]
            timers = [self._timers.pop(f) for f in ended if f in self._timers]
        for timer in timers:
            timer.cancel()
        self._changed()
        for one in ended:
            one.cleared.set()

    def active(self) -> list[Fault]:
        """A copy of the list."""
        with self._lock:
            return list(self._active)

    def plan(self, operation: str, group: str | None, stream: str | None) -> list[Fault]:
        """What hits this request: any number of modifiers, and at most one of the others."""
        with self._lock:
            plan: list[Fault] = []
            decided = False
            for fault in self._active:
                if fault.kind == "down" or (decided and fault.kind not in MODIFIERS):
                    continue
                if fault.matches(operation, group, stream) and fault.draw():
                    plan.append(fault)
                    decided = decided or fault.kind not in MODIFIERS
            return plan

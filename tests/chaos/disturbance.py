"""The faults that are switched on at random while a sidecar is killed, and how often each hit.

Whatever is combined, CloudWatch shows what it accepted within `reconcile_wait`, 30 s: a request is
executed 20 s after it was sent at the latest, hidden for 5 s more, and whole and steady 4 s later.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.cloudwatch.faults import Fault

LATEST = 20.0
"""Seconds after which a request is executed whose client died, at the latest."""

PROBABILITY = 0.15
"""Of a fault hitting a request, where it has none of its own."""

WRITING: dict[str, dict[str, Any]] = {
    "throttle": {},
    "access_denied": {},
    "expired_token": {},
    "server_error": {},
    "server_error, stored": {"kind": "server_error", "status": 503, "stored": True},
    "reset_before": {},
    "reset_after": {},
    "cut_reply": {},
    "no_answer": {},
    "no_answer, stored": {"kind": "no_answer", "stored": True},
    "delayed": {"seconds": LATEST},
    "delayed, exactly": {"kind": "delayed", "seconds": LATEST, "exact": True},
    "delayed, silent": {"kind": "delayed", "seconds": LATEST, "exact": True, "hang": True},
    "slow": {"seconds": 0.3, "probability": 0.5},
}
READING: dict[str, dict[str, Any]] = {
    "read throttle": {"kind": "throttle"},
    "read expired_token": {"kind": "expired_token"},
    "read server_error": {"kind": "server_error"},
    "read reset": {"kind": "reset_before"},
    "empty_page": {},
}
SHOWING: dict[str, dict[str, Any]] = {
    "lag": {"seconds": 5.0, "probability": 0.7},
    "partial": {"seconds": 4.0, "probability": 0.7},
    "flicker": {"after": 1.0, "seconds": 1.0, "cycles": 2, "probability": 0.7},
}
NAMES = (*WRITING, *READING, *SHOWING)


class Disturbance:
    """One random choice of faults after the other, on one CloudWatch."""

    def __init__(self, cloudwatch: StrictCloudWatch, chance: random.Random) -> None:
        self._faults = cloudwatch.faults
        self._chance = chance
        self._active: dict[str, Fault] = {}
        self._fired: Counter[str] = Counter()

    def change(self) -> None:
        """Another choice: any number of faults of each sort."""
        self.end()
        for sort, operation in (
            (WRITING, "PutLogEvents"),
            (READING, "GetLogEvents"),
            (SHOWING, "PutLogEvents"),
        ):
            for name in self._chance.sample(sorted(sort), self._chance.randint(0, len(sort))):
                given = {"operation": operation, "probability": PROBABILITY, "kind": name}
                options = given | {"seed": self._chance.randrange(10**6)} | sort[name]
                self._active[name] = self._faults.add(options.pop("kind"), **options)

    def calm(self) -> None:
        """Let writes work again; reads may fail on, and what is stored show late."""
        for name in [each for each in self._active if each in WRITING]:
            self._end(name)

    def end(self) -> None:
        """Switch all of them off."""
        for name in list(self._active):
            self._end(name)

    @property
    def fired(self) -> dict[str, int]:
        """How often each of them hit a request, those that never did with zero."""
        active = Counter({name: fault.fired for name, fault in self._active.items()})
        return {name: (self._fired + active)[name] for name in NAMES}

    def _end(self, name: str) -> None:
        fault = self._active.pop(name)
        self._faults.clear(fault)
        self._fired[name] += fault.fired

"""How long to wait after a failure, and how much to have under way: pure rules, no clock."""

from __future__ import annotations

from collections.abc import Callable

FIRST_DELAY = 0.1
"""Seconds before the first new attempt."""

LONGEST_DELAY = 6.0
"""Seconds between attempts at most. The contract lets delivery resume within 15 s of a trouble's
end; the first attempt after it may still fail, with credentials that were found before it."""


def delay(failures: int, random: Callable[[], float]) -> float:
    """Seconds to wait after this many failures in a row, with jitter.

    Half of the delay is fixed and half random: many sidecars that failed together do not come back
    together, and none comes back at once.
    """
    ceiling = min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(failures - 1, 16))
    return ceiling * (0.5 + 0.5 * random())


class Pace:
    """How many requests may be under way, and from when: additive increase, halved on failure.

    One stream's poisoned request among successes hardly slows the others; when everything fails the
    pace falls to one probe at a time with a growing pause, so an outage costs next to nothing
    however many streams wait.
    """

    def __init__(self, most: int, random: Callable[[], float]) -> None:
        self._most = most
        self._random = random
        self._limit = float(most)
        self._failures = 0
        self._not_before = 0.0

    @property
    def failures(self) -> int:
        """Failures since the last success."""
        return self._failures

    @property
    def resumes_at(self) -> float:
        """Monotonic seconds before which nothing new may start; 0 when nothing holds it back."""
        return self._not_before

    @property
    def is_probing(self) -> bool:
        """Does everything fail, so that one request at a time finds out whether it still does?"""
        return self._limit == 1.0 and self._failures > 0

    def revive(self) -> None:
        """The service answers something else: try again now."""
        self._not_before = 0.0

    def allows(self, under_way: int, now: float) -> bool:
        return under_way < int(self._limit) and now >= self._not_before

    def succeeded(self) -> None:
        self._failures = 0
        self._not_before = 0.0
        self._limit = min(float(self._most), self._limit + 1.0)

    def failed(self, now: float) -> None:
        self._failures += 1
        self._limit = max(1.0, self._limit / 2.0)
        if self._limit == 1.0:
            self._not_before = now + delay(
                max(1, self._failures - self._most.bit_length()), self._random
            )

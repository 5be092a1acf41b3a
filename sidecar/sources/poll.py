"""When to look at a file or a directory again, and what looking costs.

EFS bills each metadata operation, so there is one budget for all looks; it outranks the intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

HOT_SECONDS = 60.0
"""A file that changed within the last minute is hot: its next line is expected any moment."""

QUIET_SHARE = 8.0
"""Beyond that a file quiet for t seconds more is looked at again after t / 8: what changed an hour
ago can wait minutes."""


def interval(quiet: float, hot: float, cold: float) -> float:
    """Seconds until the next look at something that has not changed for `quiet` seconds."""
    return min(cold, max(hot, (quiet - HOT_SECONDS) / QUIET_SHARE))


MOST_DEBT_SECONDS = 2.0


class Budget:
    """A token bucket of metadata operations: `rate` a second, one second's worth saved up."""

    def __init__(self, rate: float, now: float, alive: Callable[[], None] = lambda: None) -> None:
        self.rate = rate
        self._alive = alive
        self._tokens = rate
        self._at = now
        self.spent = 0

    def has_room(self, now: float) -> bool:
        """Is there at least one operation left? Larger costs may run into debt and are paid off."""
        self._refill(now)
        return self._tokens >= 1.0

    def spend(self, operations: int) -> None:
        """Count operations, asked for first (a look) or not (an open that must be).

        The debt of what must be is bounded: ten thousand files at the start are opened at once,
        and must not keep all looks waiting for minutes afterwards. Each is a sign of life: over NFS
        that start may take longer than any step, and yet nothing hangs.
        """
        self._alive()
        self._tokens = max(self._tokens - operations, -MOST_DEBT_SECONDS * self.rate)
        self.spent += operations

    def wait(self, now: float) -> float:
        """Seconds until one operation is allowed."""
        self._refill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def _refill(self, now: float) -> None:
        self._tokens = min(max(self.rate, 1.0), self._tokens + (now - self._at) * self.rate)
        self._at = now


class Pace:
    """The intervals that the budget allows: each is stretched alike when all together cost more.

    Without that, what is due would queue up, and a hot file would wait behind ten thousand cold
    ones as long as they do.
    """

    SPARED = 0.1
    """The share of the budget that is left for opens, renames and new directories."""

    def __init__(self, hot: float, cold: float, budget: Budget) -> None:
        self.hot = hot
        self.cold = cold
        self._budget = budget
        self._costs: dict[Hashable, float] = {}
        self._cost = 0.0

    @property
    def stretch(self) -> float:
        """How many times longer the intervals are than configured; 1 where the budget suffices."""
        return max(1.0, self._cost / (self._budget.rate * (1.0 - self.SPARED)))

    def interval(
        self, key: Hashable, quiet: float, *, slower: float = 1.0, operations: int = 1
    ) -> float:
        """Seconds until the next look at what has not changed for `quiet` seconds."""
        wanted = interval(quiet, min(self.hot * slower, self.cold), self.cold)
        self._cost += operations / wanted - self._costs.get(key, 0.0)
        self._costs[key] = operations / wanted
        return wanted * self.stretch

    def forget(self, key: Hashable) -> None:
        """It is not looked at any more."""
        self._cost = max(0.0, self._cost - self._costs.pop(key, 0.0))


class Rate:
    """Operations a second over the last ten seconds, from a running count."""

    WINDOW = 10.0

    def __init__(self, now: float) -> None:
        self._marks: list[tuple[float, int]] = [(now, 0)]

    def mark(self, now: float, count: int) -> None:
        """Note the running count; at most about once a second is kept."""
        if now - self._marks[-1][0] < 1.0:
            return
        self._marks.append((now, count))
        while len(self._marks) > 2 and now - self._marks[1][0] >= self.WINDOW:
            self._marks.pop(0)

    def per_second(self, now: float, count: int) -> float:
        at, before = self._marks[0]
        return (count - before) / max(1.0, now - at)

"""When to look at a file or a directory again, and what looking costs.

EFS bills each metadata operation, so there is one budget for all looks; it outranks the intervals.
"""

from __future__ import annotations

QUIET_SHARE = 8.0
"""A file quiet for t seconds is looked at again after t / 8: what changed an hour ago can wait
minutes, what changed a second ago cannot."""


def interval(quiet: float, hot: float, cold: float) -> float:
    """Seconds until the next look at something that has not changed for `quiet` seconds."""
    return min(cold, max(hot, quiet / QUIET_SHARE))


MOST_DEBT_SECONDS = 2.0


class Budget:
    """A token bucket of metadata operations: `rate` a second, one second's worth saved up."""

    def __init__(self, rate: float, now: float) -> None:
        self.rate = rate
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
        and must not keep all looks waiting for minutes afterwards.
        """
        self._tokens = max(self._tokens - operations, -MOST_DEBT_SECONDS * self.rate)
        self.spent += operations

    def wait(self, now: float) -> float:
        """Seconds until one operation is allowed."""
        self._refill(now)
        return max(0.0, (1.0 - self._tokens) / self.rate)

    def _refill(self, now: float) -> None:
        self._tokens = min(max(self.rate, 1.0), self._tokens + (now - self._at) * self.rate)
        self._at = now


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

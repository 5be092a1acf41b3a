"""A line a minute that says how far delivery has come, for alarms that read the log.

CloudWatch alarms cannot scrape `/metrics`; a metric filter on this line can feed them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from sidecar.telemetry.totals import Totals

log = structlog.get_logger(__name__)

PROGRESS_SECONDS = 60.0
"""CloudWatch's standard metrics have one point a minute."""

SINCE_THE_LAST = (
    "events_delivered",
    "events_rejected",
    "events_filtered",
    "bytes_acknowledged",
    "bytes_gone",
    "possible_duplicates",
    "retries",
)
"""Counters whose line holds what was added since the line before: a filter's sums are then right
over any period, and over restarts."""


class Progress:
    """Logs `sidecar_progress` when it is due; times are of the pump's clock."""

    def __init__(self, totals: Totals, now: float) -> None:
        self._totals = totals
        self._due = now + PROGRESS_SECONDS
        self._before = self._counted()

    def tell(
        self, now: float, backlog: Callable[[], Mapping[str, Any]], degraded: int, *, last: bool
    ) -> None:
        """Log the line if a minute is over, or at the end. `backlog` is asked only then."""
        if now < self._due and not last:
            return
        self._due = now + PROGRESS_SECONDS
        counted = self._counted()
        added = {name: counted[name] - self._before[name] for name in SINCE_THE_LAST}
        self._before = counted
        left = {f"backlog_{key}": value for key, value in backlog().items()}
        log.info("sidecar_progress", **left, **added, degraded=degraded)

    def _counted(self) -> dict[str, int]:
        return {name: getattr(self._totals, name) for name in SINCE_THE_LAST}

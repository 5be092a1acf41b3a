"""Where the pump leaves its status and the web threads pick it up."""

import threading
import time
from collections.abc import Callable
from typing import Any

from sidecar.telemetry import Totals

Status = dict[str, Any]


def empty_status(member: str = "") -> Status:
    """A valid document of the contract's shape for the time before the pump's first step."""
    return {
        "member": member,
        "state": "running",
        "degraded": [],
        "backlog": {"bytes": 0, "oldest_seconds": 0.0, "files": 0},
        "totals": Totals().numbers(),
        "sources": [],
        "members": [],
        "poll": {"operations_per_second": 0.0},
    }


def shortened(status: Status, limit: int, match: str = "") -> Status:
    """`status` with at most `limit` sources, and how many there were.

    Those with a problem come first, then the furthest behind. `match` is looked for in path,
    stream and state, without regard to case.
    """
    every = status.get("sources", ())
    words = match.casefold()
    kept = [each for each in every if words in _searched(each)] if words else list(every)
    kept.sort(key=_urgency)
    counts = {"sources_total": len(every), "sources_matched": len(kept)}
    return {**status, "sources": kept[:limit], **counts}


def _urgency(source: Status) -> tuple[bool, int, float]:
    return (
        source.get("problem") is None,
        -source.get("lag_bytes", 0),
        -source.get("lag_seconds", 0.0),
    )


def _searched(source: Status) -> str:
    return "\n".join(str(source.get(key, "")) for key in ("path", "stream", "state")).casefold()


class StatusBoard:
    """Holds the last status; asks for a new one only when somebody looks.

    The pump alone builds a status, since it owns every structure, and only when `wanted`: with
    10,000 sources one costs tens of milliseconds. A published document must not be changed.
    """

    def __init__(
        self,
        wake: Callable[[], None] = lambda: None,
        *,
        member: str = "",
        fresh_for: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.wanted = False
        self.wake = wake
        self._fresh_for = fresh_for
        self._clock = clock
        self._status = empty_status(member)
        self._published_at: float | None = None
        self._made_at = clock()
        self._editions = 0
        self._changed = threading.Condition()

    def publish(self, status: Status) -> None:
        """The pump's part: put up a complete document, and let who waits for one go on."""
        with self._changed:
            self.wanted = False
            self._status = status
            self._published_at = self._clock()
            self._editions += 1
            self._changed.notify_all()

    def read(self, wait: float) -> Status:
        """The newest status, at most `wait` seconds later, with its age in `stale_seconds`.

        One published within the last `fresh_for` seconds is given at once. When the pump does
        not answer in time the last one is given: an old answer tells more than none.
        """
        with self._changed:
            if not self._is_fresh():
                edition = self._editions
                self.wanted = True
                self.wake()
                self._changed.wait_for(lambda: self._editions > edition, timeout=wait)
            since = self._made_at if self._published_at is None else self._published_at
            age = self._clock() - since
            return {**self._status, "stale_seconds": round(max(0.0, age), 3)}

    def _is_fresh(self) -> bool:
        if self._published_at is None:
            return False
        return self._clock() - self._published_at < self._fresh_for

"""The heartbeat, by which a member proves to itself that it still holds its lock, and its fence.

The proof is a write that reached the server through the descriptor which holds the lock. It counts
from the moment the write began. Without a recent one nothing may be sent and nothing claimed: a
sidecar that is cut off from the volume stops well before the server gives its lock away, which a
lease of 90 seconds (NFS, EFS) leaves time for: 10 s of fence and 30 s of the longest request.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from sidecar.registry.members import Member, MembershipLostError

log = structlog.get_logger(__name__)

BEAT_SECONDS = 3.0
"""Between heartbeats. EFS bills each as a write of 32 KiB."""

FENCE_SECONDS = 10.0
"""No request starts later than so long after the last heartbeat that worked."""

STOP_SECONDS = 1.0
"""How long a stop waits for a beat that is under way; one may hang in a mount for ever."""


def boot_clock() -> float:
    """Seconds since boot. It goes on while the machine is suspended, which `monotonic` does not."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Fence:
    """Whether this member may act as one. Any thread may ask."""

    def __init__(self, clock: Callable[[], float] = boot_clock) -> None:
        self._clock = clock
        self._proved_at = clock()
        self.beats = 0
        """Heartbeats that worked: two operations each."""
        self.lost: str | None = None
        """Why the membership is lost for good; None while it is not."""

    def proved(self, at: float) -> None:
        """A heartbeat that began at this time of `clock` worked."""
        self._proved_at = max(self._proved_at, at)
        self.beats += 1

    def lose(self, reason: str) -> None:
        """Close for good."""
        self.lost = reason

    @property
    def age(self) -> float:
        """Seconds since the last proof."""
        return self._clock() - self._proved_at

    @property
    def is_open(self) -> bool:
        return self.lost is None and self.age < FENCE_SECONDS

    @property
    def problem(self) -> str:
        """Why it is closed, for people; empty while it is open."""
        if self.lost is not None:
            return self.lost
        return "" if self.is_open else f"no heartbeat reached the volume for {self.age:.0f} s"


class Heartbeat:
    """Beats on a thread of its own: the pump may stand still in a read, the proof must not."""

    def __init__(
        self, member: Member, fence: Fence, wake: Callable[[], None], every: float = BEAT_SECONDS
    ) -> None:
        self._member = member
        self._fence = fence
        self._wake = wake
        self._every = every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.problem: str | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> bool:
        """End the thread; False when it hangs in the volume, and the descriptor is still in use."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(STOP_SECONDS)
        return not self._thread.is_alive()

    def beat(self) -> bool:
        """One heartbeat; False when the membership is lost."""
        began = boot_clock()
        was_open = self._fence.is_open
        try:
            worked = self._member.beat(int(time.time() * 1000))
        except MembershipLostError as error:
            self._fence.lose(str(error))
            self._wake()
            return False
        if worked:
            self._fence.proved(began)
            if not was_open:
                self._wake()
        if worked != (self.problem is None):
            self.problem = None if worked else self._member.problem
            if not worked:
                log.warning("heartbeat_failed", problem=self.problem)
        return True

    def _run(self) -> None:
        while self.beat() and not self._stopped.wait(self._every):
            pass

"""Whether a volume answers, asked on a thread of its own a moment before the pump calls it.

A call to a hard NFS mount whose server is away hangs until the server is back, and cannot be taken
back. So the pump has somebody else ask first, and leaves alone what does not answer: the files of
other volumes go on. What it has begun when the volume goes away hangs all the same; that is the
rare case, and `/healthz` tells.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from sidecar.sources.mounts import Mounts, mount_point
from sidecar.sources.poll import Budget

log = structlog.get_logger(__name__)

FRESH_SECONDS = 1.0
"""An answer counts for so long: EFS bills each, and a volume seldom goes away."""

PATIENCE_SECONDS = 1.0
"""How long the pump waits for an answer, once; then it goes on without."""


def ask_server(mount: str) -> None:
    """One round trip to the server, whatever the client remembers."""
    os.statvfs(mount)


class Reach:
    """The volumes below the roots by their mount points. Owned by the pump.

    The one that holds the state directory is not asked about: without the journal nothing may be
    sent, so there is nothing to go on with while it hangs.
    """

    def __init__(
        self,
        mounts: Mounts,
        budget: Budget,
        state_dir: str,
        wake: Callable[[], None],
        *,
        ask: Callable[[str], None] = ask_server,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._mounts = mounts
        self._budget = budget
        self._kept = mount_point(state_dir)
        self._wake = wake
        self._ask = ask
        self._clock = clock
        self._volumes: dict[str, _Volume] = {}

    def answers(self, root: str) -> bool:
        """May what lies below this root be touched now?"""
        mount = self._asked_about(root)
        if mount is None:
            return True
        volume = self._volumes.get(mount)
        if volume is None:
            volume = self._volumes[mount] = _Volume(mount, self._ask, self._wake, self._clock)
        if volume.is_waiting or self._clock() - volume.answered_at < FRESH_SECONDS:
            return not volume.is_waiting
        self._budget.spend(1)
        return volume.is_asked_and_answers()

    def hangs(self, root: str) -> bool:
        """Is an answer for this root overdue? Does not ask."""
        mount = self._asked_about(root)
        return mount is not None and mount in self.hung

    @property
    def hung(self) -> list[str]:
        """The mount points of the volumes whose answer is overdue."""
        return [mount for mount, volume in self._volumes.items() if volume.is_waiting]

    def _asked_about(self, root: str) -> str | None:
        mode = self._mounts.mode(root)
        return mode.mount if mode.revalidates and mode.mount not in ("", self._kept) else None


class _Volume:
    """One volume, and the thread that asks it."""

    def __init__(
        self,
        mount: str,
        ask: Callable[[str], None],
        wake: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.answered_at = float("-inf")
        self._mount = mount
        self._ask = ask
        self._wake = wake
        self._clock = clock
        self._questions: queue.SimpleQueue[threading.Event] = queue.SimpleQueue()
        self._question = threading.Event()
        self._question.set()
        threading.Thread(target=self._run, name=f"reach {mount}", daemon=True).start()

    @property
    def is_waiting(self) -> bool:
        """Is the last question unanswered?"""
        return not self._question.is_set()

    def is_asked_and_answers(self) -> bool:
        self._question = threading.Event()
        self._questions.put(self._question)
        if self._question.wait(PATIENCE_SECONDS):
            return True
        log.warning("volume_hangs", mount=self._mount, remedy="its files wait until it answers")
        return False

    def _run(self) -> None:
        while True:
            question = self._questions.get()
            began = self._clock()
            # An error is an answer as well: what is wrong shows at the files.
            with suppress(OSError):
                self._ask(self._mount)
            self.answered_at = self._clock()
            question.set()
            if self.answered_at - began > PATIENCE_SECONDS:
                log.info("volume_answers_again", mount=self._mount)
                self._wake()

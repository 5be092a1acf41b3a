"""What the pump sleeps on: any thread, and a signal handler, may wake it."""

from __future__ import annotations

import os
import select


class Wake:
    """An eventfd. `threading.Event` takes a lock, which a signal handler could deadlock on."""

    def __init__(self) -> None:
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._descriptor, select.POLLIN)
        self._is_set = False

    def set(self) -> None:
        if not self._is_set:
            self._is_set = True
            os.eventfd_write(self._descriptor, 1)

    def wait(self, seconds: float) -> bool:
        """Sleep until woken, at most so long; True when woken. Forgets the waking."""
        woken = bool(self._poll.poll(max(0.0, seconds) * 1000.0))
        if woken:
            os.eventfd_read(self._descriptor)
        # Only now: a waking in between the other way round would be read away and yet stand as set,
        # and no later one would be written.
        self._is_set = False
        return woken

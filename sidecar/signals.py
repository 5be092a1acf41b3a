"""What the process was asked by signals: to stop, to stop at once, to reload.

The standard library alone, because the handlers are installed before anything else is imported: a
signal during the start must not end in Python's default, which is to die without a word.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

ENDED_AT_ONCE = 3
"""Exit status of a second signal (contract): the next run resumes."""


class Signals:
    """SIGTERM and SIGINT ask to stop, and a second one ends at once; SIGHUP asks to reload."""

    def __init__(self) -> None:
        self.stop_asked = False
        self.reload_asked = False
        self._on_stop: Callable[[], None] = _nothing
        self._on_any: Callable[[], None] = _nothing

    def install(self) -> None:
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, lambda *_: self.ask_reload())

    def listen(self, on_any: Callable[[], None], on_stop: Callable[[], None]) -> None:
        """Call `on_any` at each signal from now on, and `on_stop` at the first that asks to stop.

        Both run inside a signal handler: they must not wait for any lock.
        """
        self._on_any, self._on_stop = on_any, on_stop
        if self.stop_asked:
            on_stop()

    def ask_reload(self) -> None:
        """Any thread may call."""
        self.reload_asked = True
        self._on_any()

    def _stop(self, _number: int, _frame: object) -> None:
        if self.stop_asked:
            # The journal is whole at every moment: whatever is not in it is read again.
            os._exit(ENDED_AT_ONCE)
        self.stop_asked = True
        self._on_stop()
        self._on_any()


def _nothing() -> None:
    """Nobody listens yet."""

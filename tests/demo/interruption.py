"""Ctrl-C: the first asks for an orderly end, the second ends at once."""

import signal
import threading
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Abandoned(Exception):  # noqa: N818 - a person's wish, not an error
    """End now: kill what runs, remove what was made."""


class Interruption:
    """What SIGINT, SIGTERM and SIGHUP do to this process."""

    def __init__(self) -> None:
        self.asked = threading.Event()

    @classmethod
    def installed(cls) -> "Interruption":
        """Takes the signals over, also where the shell had them ignored."""
        interruption = cls()
        for number in SIGNALS:
            signal.signal(number, interruption.on_signal)
        return interruption

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Raises Abandoned at the second signal."""
        if self.asked.is_set():
            self.over()
            raise Abandoned
        self.asked.set()

    def over(self) -> None:
        """From now on no signal interrupts: what follows is the clean-up."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)

    def check(self) -> None:
        """Raises Abandoned once asked: for the time before there is anything to compare."""
        if self.asked.is_set():
            self.over()
            raise Abandoned

"""A process of the demo's own, which cannot outlive it."""

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60.0
LOOK_SECONDS = 0.05
LAST_LINES = 10

# prctl(2): the signal that a process gets when its parent ends, however that ends. Linux only.
PR_SET_PDEATHSIG = 1


class Failed(Exception):  # noqa: N818 - the demo's own ending, told to a person
    """A part of the demo did not do what it must; the text says what, for a person."""


class Child:
    """Runs `python -m …`. What it says on either stream is in `said`, a file.

    It has a process group of its own, so that Ctrl-C in a terminal reaches the demo alone, which
    then ends its parts in order.
    """

    def __init__(
        self, name: str, module: Sequence[str], environ: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.said = folder / f"{name}.said"
        with self.said.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *module],
                cwd=ROOT,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=die_with_parent(),
            )

    def announced(self, pattern: str, check: Callable[[], None]) -> str:
        """Group 1 of the pattern, as soon as the process says it; `check` may raise meanwhile."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            check()
            if found := re.search(pattern, self.said.read_text(errors="replace")):
                return found[1]
            self.expect_alive()
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} did not start within {START_SECONDS:.0f} s{self.last()}")
            time.sleep(LOOK_SECONDS)

    @property
    def status(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.poll()

    def expect_alive(self) -> None:
        """Raises Failed with the last lines the process said when it has ended."""
        if self.status is not None:
            raise Failed(f"{self.name} ended by itself, status {self.status}{self.last()}")

    def stop(self, seconds: float) -> None:
        """SIGTERM; raises Failed unless it ends with status 0 in time."""
        self.expect_alive()
        self._process.terminate()
        try:
            status = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"{self.name} did not stop within {seconds:.0f} s{self.last()}") from None
        if status != 0:
            raise Failed(f"{self.name} stopped with status {status}{self.last()}")

    def kill(self) -> None:
        """SIGKILL to it and whatever it started; harmless when it has ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last(self) -> str:
        """What it said last, to be put after a message."""
        lines = self.said.read_text(errors="replace").splitlines()[-LAST_LINES:]
        return "".join(f"\n  {self.name}: {line}" for line in lines)


def die_with_parent() -> Callable[[], None] | None:
    """What the new process does before it becomes the program; None where there is no such way."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def tie() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return tie

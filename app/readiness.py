"""Whether uploads can be stored, found out by storing something.

The probe runs in a thread of its own and is waited for only briefly: a volume that hangs must not
hang the answer that says so. Each probe costs EFS a few billed operations, so its result is kept.
"""

import os
import threading
import time
from pathlib import Path

PROBE_BYTES = 4096
KEEP_SECONDS = 10.0
# A refusal is looked at again sooner, so that a repaired volume is used again soon.
KEEP_REFUSAL_SECONDS = 2.0
WAIT_SECONDS = 2.0


class VolumeProbe:
    """Writes, fsyncs and removes a small file in `directory`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "probe"
        self._changed = threading.Condition()
        self._asked_at: float | None = None
        self._answered_at: float | None = None
        self._problem: str | None = None

    def problem(self, wait: float = WAIT_SECONDS) -> str | None:
        """Why nothing can be stored, or None; blocks for at most `wait` seconds."""
        with self._changed:
            if not self._fresh() and self._asked_at is None:
                self._asked_at = time.monotonic()
                threading.Thread(target=self._probe, name="volume-probe", daemon=True).start()
            if self._asked_at is None or self._changed.wait_for(
                lambda: self._asked_at is None, wait
            ):
                return self._problem
            waited = time.monotonic() - self._asked_at
            return f"{self._path.parent} has not answered for {waited:.0f} s"

    def _fresh(self) -> bool:
        if self._answered_at is None:
            return False
        keep = KEEP_SECONDS if self._problem is None else KEEP_REFUSAL_SECONDS
        return time.monotonic() - self._answered_at < keep

    def _probe(self) -> None:
        problem = None
        try:
            store(self._path)
        except OSError as error:
            problem = f"cannot write to {self._path.parent}: {error.strerror or error}"
        with self._changed:
            self._problem = problem
            self._answered_at = time.monotonic()
            self._asked_at = None
            self._changed.notify_all()


def store(path: Path) -> None:
    """Write and remove PROBE_BYTES; raises OSError where the volume does not take them."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o660)
    try:
        rest = PROBE_BYTES
        while rest:
            # A volume about to be full takes a part, and refuses at the next call.
            rest -= os.write(descriptor, b"\0" * rest)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
        path.unlink(missing_ok=True)

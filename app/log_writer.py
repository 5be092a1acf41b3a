"""From the threads that log to the file: a bounded queue and one thread that writes.

Nothing a caller does waits for the volume. A volume that refuses or stalls is given `patience`
seconds; then the lines go to the overflow (stderr) until the file takes one again.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from app.log_files import LogFile
from app.log_overflow import Overflow

MOST_LINES = 10_000
MOST_BYTES = 8 << 20
# What was written since the last fsync is kept, because a failed fsync says that it may be gone.
MOST_UNSYNCED = 4 << 20
RETRY_SECONDS = 0.25
PROBE_SECONDS = 1.0

Render = Callable[[str, dict[str, Any]], bytes]


@dataclass(frozen=True)
class LogHealth:
    """`written` lines reached the file, `to_stderr` did not; `lost` reached neither."""

    file: str
    written: int
    queued: int
    to_stderr: int
    lost: int
    rotations: int
    errors: int
    stalled_seconds: float
    trouble: str | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class LogWriter:
    """Owns the file from `start` to `close`; `append` may be called from any thread."""

    def __init__(
        self,
        file: LogFile,
        overflow: Overflow,
        render: Render,
        *,
        sync_every: float = 1.0,
        patience: float = 2.0,
        most_lines: int = MOST_LINES,
    ) -> None:
        self._file = file
        self._overflow = overflow
        self._render = render
        self._sync_every = sync_every
        self._patience = patience
        self._most_lines = most_lines
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._held: deque[bytes] = deque()
        self._unsynced: list[bytes] = []
        self._unsynced_bytes = 0
        self._unsynced_since = 0.0
        self._changed = threading.Condition()
        self._closing = False
        self._closed = False
        self._diverting = False
        self._torn_told = False
        self._trouble: str | None = None
        self._trouble_since = 0.0
        self._calling_since: float | None = None
        self._written = 0
        self._errors = 0
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def append(self, line: bytes) -> None:
        """Take one line, ending in a line feed. Never blocks on the volume."""
        with self._changed:
            self._divert_if_stalled()
            room = len(self._lines) < self._most_lines and self._bytes + len(line) <= MOST_BYTES
            if room and not self._diverting and not self._closed:
                self._lines.append(line)
                self._bytes += len(line)
                self._changed.notify_all()
                return
        self._overflow.append(line)

    def close(self, seconds: float = 5.0) -> None:
        """Write and fsync what is queued; after `seconds` the rest goes to stderr."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(seconds)
        with self._changed:
            self._closed = True
            if self._thread.is_alive():
                # The call that hangs may still succeed: these lines may then be in both places.
                for line in [*self._unsynced, *self._held, *self._lines]:
                    self._overflow.append(line)
        self._overflow.close(min(seconds, 2.0))

    def health(self) -> LogHealth:
        with self._changed:
            self._divert_if_stalled()
            stalled = time.monotonic() - self._calling_since if self._calling_since else 0.0
            trouble = self._trouble
            if trouble is None and stalled > self._patience:
                trouble = f"{self._file.path} has not taken a write for {stalled:.0f} s"
            return LogHealth(
                file=str(self._file.path),
                written=self._written,
                queued=len(self._lines) + len(self._held),
                to_stderr=self._overflow.accepted,
                lost=self._overflow.lost,
                rotations=self._file.rotations,
                errors=self._errors,
                stalled_seconds=round(stalled, 3),
                trouble=trouble,
            )

    def _divert_if_stalled(self) -> None:
        since = self._calling_since
        if since is None or time.monotonic() - since < self._patience:
            return
        self._divert_queued()

    def _divert_queued(self) -> None:
        while self._lines:
            self._overflow.append(self._lines.popleft())
        self._bytes = 0

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closing, self._wait_seconds())
                self._held.extend(self._lines)
                self._lines.clear()
                self._bytes = 0
                closing = self._closing
            healthy = self._probe() if self._diverting else self._write()
            if closing and not self._lines and (healthy or self._give_up()):
                return
            if not healthy and not closing:
                pause = PROBE_SECONDS if self._diverting else RETRY_SECONDS
                with self._changed:
                    self._changed.wait_for(lambda: self._closing, pause)

    def _wait_seconds(self) -> float | None:
        if self._diverting:
            return 0.0
        if not self._unsynced and not self._held:
            return None
        return max(0.0, self._unsynced_since + self._sync_every - time.monotonic())

    def _write(self) -> bool:
        before = list(self._held)
        self._calling_since = time.monotonic()
        try:
            try:
                self._file.append(self._held)
            finally:
                self._took(before[: len(before) - len(self._held)])
            if self._sync_due():
                self._file.sync()
                self._forget_unsynced()
        except OSError as error:
            self._failed(error)
            return False
        finally:
            self._calling_since = None
        self._trouble = None
        return True

    def _took(self, lines: list[bytes]) -> None:
        if lines and not self._unsynced:
            self._unsynced_since = time.monotonic()
        self._unsynced.extend(lines)
        self._unsynced_bytes += sum(map(len, lines))
        self._written += len(lines)

    def _sync_due(self) -> bool:
        age = time.monotonic() - self._unsynced_since
        return self._closing or age >= self._sync_every or self._unsynced_bytes > MOST_UNSYNCED

    def _forget_unsynced(self) -> None:
        self._unsynced = []
        self._unsynced_bytes = 0

    def _failed(self, error: OSError) -> None:
        self._errors += 1
        now = time.monotonic()
        if self._trouble is None:
            self._trouble_since = now
        reason = error.strerror or os.strerror(error.errno or 0)
        self._trouble = f"{self._file.path}: {reason}"
        if now - self._trouble_since >= self._patience:
            self._give_up()

    def _give_up(self) -> bool:
        """Send to stderr all that is not certainly in the file, and go on there."""
        if not self._diverting:
            keys = {"level": "error", "file": str(self._file.path), "trouble": self._trouble}
            self._overflow.append(self._render("log_file_unwritable", keys))
        uncertain = [*self._unsynced]
        if self._file.torn is not None and self._file.torn not in uncertain:
            uncertain.append(self._file.torn)
        with self._changed:
            self._diverting = True
            for line in [*uncertain, *self._held]:
                self._overflow.append(line)
            self._divert_queued()
        self._written -= len(self._unsynced)
        self._held.clear()
        self._forget_unsynced()
        return True

    def _probe(self) -> bool:
        """Try the file with the line that says that it works again."""
        for line in self._held:
            self._overflow.append(line)
        self._held.clear()
        keys = {
            "level": "warning",
            "file": str(self._file.path),
            "to_stderr": self._overflow.accepted,
            "lost": self._overflow.lost,
        }
        self._calling_since = time.monotonic()
        try:
            self._file.append(deque([self._render("log_file_recovered", keys)]))
            self._file.sync()
        except OSError as error:
            self._errors += 1
            self._trouble = f"{self._file.path}: {error.strerror}"
            return False
        finally:
            self._calling_since = None
        self._written += 1
        self._trouble = None
        self._diverting = False
        return True

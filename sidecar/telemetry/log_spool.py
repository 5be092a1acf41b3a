"""A bounded wait for a stderr that may not read on."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Protocol

# What may wait for a stderr that does not read on (an `awslogs` driver in blocking mode, a
# full pipe). A blocking write would stop the pump; a stopped pump would look like a sick one.
SPOOL_BYTES = 1024 * 1024


class ByteSink(Protocol):
    """Where log lines end: stderr without its buffer, or a test's BytesIO."""

    def write(self, line: bytes, /) -> int | None: ...


class LogSpool:
    """Writes log lines from a thread of its own, so that no caller ever waits for stderr.

    Beyond `capacity` bytes the newest lines are dropped and counted; once there is room,
    `notice(how many)` gives the line that says so. A sink that fails counts as dropped as well.
    """

    def __init__(
        self, sink: ByteSink, notice: Callable[[int], bytes], capacity: int = SPOOL_BYTES
    ) -> None:
        self.dropped = 0
        self._notice = notice
        self._sink = sink
        self._capacity = capacity
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = 0
        self._unsaid = 0
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take one whole line, or drop it; returns at once either way."""
        with self._changed:
            if self._closed or self._waiting_bytes + len(line) > self._capacity:
                self._drop()
                return
            self._lines.append(line)
            self._waiting_bytes += len(line)
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until every line taken was written; False if `seconds` were not enough."""
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting_bytes == 0, timeout=seconds)

    def close(self, seconds: float) -> None:
        """Write what is waiting, then end the thread; what `seconds` do not suffice for is lost."""
        self.flush(seconds)
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(seconds)

    def _drop(self) -> None:
        self.dropped += 1
        self._unsaid += 1

    def _run(self) -> None:
        while (line := self._next()) is not None:
            try:
                self._write_out(line)
            except (OSError, ValueError):  # ValueError: the file object was closed
                with self._changed:
                    self._drop()
            with self._changed:
                self._waiting_bytes -= len(line)
                self._changed.notify_all()

    def _next(self) -> bytes | None:
        with self._changed:
            self._changed.wait_for(lambda: self._lines or self._closed)
            if not self._lines:
                return None
            line = self._lines.popleft()
            if not self._unsaid:
                return line
            notice = self._notice(self._unsaid)
            self._unsaid = 0
            self._waiting_bytes += len(notice)
            return notice + line

    def _write_out(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            written = self._sink.write(bytes(rest))
            if written is None:  # a non-blocking stderr is full for now
                time.sleep(0.05)
                continue
            rest = rest[written:]

"""Where log lines go that the volume does not take: stderr, through a thread of its own.

stderr is a pipe whose reader may stall as well, so it is kept off the callers' threads and
bounded; what does not fit here either is counted as lost.
"""

import os
import threading
from collections import deque


class Overflow:
    """A bounded queue of lines in front of a descriptor."""

    def __init__(
        self, descriptor: int = 2, *, most_lines: int = 10_000, most_bytes: int = 8 << 20
    ) -> None:
        self.accepted = 0
        self.lost = 0
        self._descriptor = descriptor
        self._most_lines = most_lines
        self._most_bytes = most_bytes
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._busy = False
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log-overflow", daemon=True)
        self._thread.start()

    def append(self, line: bytes) -> None:
        """Queue one line; never blocks."""
        with self._changed:
            fits = len(self._lines) < self._most_lines
            if self._closing or not fits or self._bytes + len(line) > self._most_bytes:
                self.lost += 1
                return
            self.accepted += 1
            self._lines.append(line)
            self._bytes += len(line)
            self._changed.notify_all()

    def close(self, seconds: float) -> None:
        """Wait at most `seconds` for the queue to empty; what is left then is lost."""
        with self._changed:
            self._changed.wait_for(lambda: not self._lines and not self._busy, seconds)
            self._closing = True
            self.lost += len(self._lines)
            self._lines.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._closing)
                if not self._lines:
                    return
                line = self._lines.popleft()
                self._bytes -= len(line)
                self._busy = True
            try:
                view = memoryview(line)
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError:
                self.lost += 1

"""One log file a process: claimed by a lock, appended to, rotated by renaming.

Two writers appending to one file over NFS lose each other's lines, so a process takes the first
`app-N.log` whose lock nobody holds. A restarted process continues the file of the one before it,
and the number of files stays that of the processes alive at once.
"""

import contextlib
import errno
import fcntl
import os
import re
from collections import deque
from pathlib import Path

WRITE_AT_MOST = 1 << 20
SLOTS = 1000


class LogSlot:
    """The right to write `app-N.log` in a directory, held until closed or the process ends."""

    def __init__(self, directory: Path) -> None:
        for number in range(SLOTS):
            # The lock is a file of its own: the log file's name moves on at each rotation.
            descriptor = os.open(
                directory / f"app-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660
            )
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            except BaseException:
                os.close(descriptor)
                raise
            self.path = directory / f"app-{number}.log"
            self._descriptor = descriptor
            return
        raise OSError(errno.EMFILE, f"all {SLOTS} log names are taken", str(directory))

    def close(self) -> None:
        os.close(self._descriptor)


class LogFile:
    """Appends whole lines to `path` and renames it to `path.1` before it passes `max_bytes`.

    `path.1` becomes `path.2` and so on; the one past `keep` is dropped. After an OSError the file
    is opened anew at the next call, and a line that was cut is continued where it was cut.
    """

    def __init__(self, path: Path, *, max_bytes: int, keep: int) -> None:
        self.path = path
        self.max_bytes = max_bytes
        self.keep = keep
        self.rotations = 0
        self.torn: bytes | None = None
        self._rest = b""
        self._descriptor: int | None = None
        self._inode = 0
        self._size = 0
        self._rotate_at = max_bytes
        self._dirty = False

    def append(self, lines: deque[bytes]) -> None:
        """Take lines from the left as they reach the file; raises OSError, keeping the rest.

        A line of which a part was written is `torn` until a later call has written the rest.
        """
        try:
            self._open()
            self._continue()
            while lines:
                if self._size and self._size + len(lines[0]) > self._rotate_at:
                    self._rotate()
                self._write(lines)
                self._continue()
        except OSError:
            self._close()
            raise

    def sync(self) -> None:
        """Make what was appended durable; raises OSError. Costs nothing when nothing was."""
        if not self._dirty or self._descriptor is None:
            return
        try:
            os.fsync(self._descriptor)
            self._dirty = False
            if os.fstat(self._descriptor).st_nlink == 0:
                # Somebody deleted it: going on would write into a file nobody can find.
                self._close()
        except OSError:
            self._close()
            raise

    def close(self) -> None:
        """Sync and let go; raises OSError."""
        try:
            self.sync()
        finally:
            self._close()

    def _open(self) -> None:
        if self._descriptor is not None:
            return
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o660)
        try:
            found = os.fstat(descriptor)
            last = os.pread(descriptor, 1, found.st_size - 1) if found.st_size else b"\n"
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        if self.torn is not None and found.st_ino != self._inode:
            self._rest = self.torn
        if last != b"\n" and (self.torn is None or found.st_ino != self._inode):
            # The process before was killed in mid-line: its part must not run into ours.
            self._rest = b"\n" + self._rest
        self._inode = found.st_ino
        self._size = found.st_size
        self._rotate_at = self.max_bytes

    def _write(self, lines: deque[bytes]) -> None:
        assert self._descriptor is not None
        block: list[bytes] = []
        length = 0
        for line in lines:
            fits = self._size + length + len(line) <= self._rotate_at
            if block and (not fits or length + len(line) > WRITE_AT_MOST):
                break
            block.append(line)
            length += len(line)
        written = os.write(self._descriptor, b"".join(block))
        self._dirty = True
        self._size += written
        for line in block:
            if written <= 0:
                break
            lines.popleft()
            if written < len(line):
                self.torn = line
                self._rest = line[written:]
            written -= len(line)

    def _continue(self) -> None:
        while self._rest:
            assert self._descriptor is not None
            written = os.write(self._descriptor, self._rest)
            self._dirty = True
            self._size += written
            self._rest = self._rest[written:]
        self.torn = None

    def _rotate(self) -> None:
        self.sync()
        try:
            self._shift()
            self.path.rename(self._numbered(1))
        except OSError:
            # A file that grows beyond its limit loses nothing; a line refused would be lost.
            self._rotate_at = self._size + max(self.max_bytes // 10, 1024)
            return
        self.rotations += 1
        self._close()
        self._open()

    def _shift(self) -> None:
        taken = 0
        while taken < self.keep and self._numbered(taken + 1).exists():
            taken += 1
        for number in range(min(taken, self.keep - 1), 0, -1):
            self._numbered(number).rename(self._numbered(number + 1))

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    def _close(self) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            with contextlib.suppress(OSError):
                os.close(descriptor)


def drop_beyond(path: Path, keep: int) -> None:
    """Remove rotated files numbered over `keep`, left from a time when more were kept."""
    pattern = re.compile(re.escape(path.name) + r"\.(\d+)")
    with contextlib.suppress(OSError):
        for entry in os.scandir(path.parent):
            matched = pattern.fullmatch(entry.name)
            if matched and int(matched[1]) > keep:
                Path(entry.path).unlink()

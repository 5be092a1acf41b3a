"""A process's own directory on the volume, and the lock that says it is alive.

What a process has half done lies below its directory: uploads coming in, profiles under way, what
is being deleted. Whoever gets the lock of a dead process may clear up after it; nobody else may.
One lock a process, since EFS allows few.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

# A directory that is still being set up this long after it was made belongs to a dead process.
SETTING_UP_SECONDS = 600.0


class Presence:
    """Made at start, `leave` at the end; the lock goes with the process in any case."""

    def __init__(self, workers: Path, task: str) -> None:
        self.name = f"{task}-{os.getpid()}-{secrets.token_hex(3)}"
        self.directory = workers / self.name
        # Locked before it has its name: a directory that others see is never without its lock.
        unnamed = workers / f".{self.name}"
        for below in ("incoming", "running", "trash", "spill"):
            (unnamed / below).mkdir(parents=True)
        self._lock = os.open(unnamed / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        unnamed.rename(self.directory)
        self.incoming = self.directory / "incoming"
        self.running = self.directory / "running"
        self.trash = self.directory / "trash"
        self.spill = self.directory / "spill"

    def leave(self) -> None:
        """Remove the directory and let go of the lock."""
        shutil.rmtree(self.directory, ignore_errors=True)
        with contextlib.suppress(OSError):
            os.close(self._lock)


@contextlib.contextmanager
def _locked_if_dead(directory: Path) -> Iterator[bool]:
    """Holds the lock of a process that is no more; false where it is alive, or cleared up."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Somebody may have cleared it up between the open and the lock.
        yield os.fstat(descriptor).st_nlink > 0
    except BlockingIOError:
        yield False
    finally:
        os.close(descriptor)


def dead(workers: Path, own: str) -> Iterator[Path]:
    """Each dead process's directory, its lock held while the caller looks at it; then removed."""
    with contextlib.suppress(FileNotFoundError):
        for entry in sorted(os.scandir(workers), key=lambda entry: entry.name):
            directory = Path(entry.path)
            if entry.name.startswith("."):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat().st_mtime > SETTING_UP_SECONDS:
                        shutil.rmtree(directory, ignore_errors=True)
                continue
            if entry.name == own:
                continue
            with _locked_if_dead(directory) as gone:
                if gone:
                    yield directory
                    shutil.rmtree(directory, ignore_errors=True)

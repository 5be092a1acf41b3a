"""The few calls by which state reaches the volume.

They are gathered here so that a test can make each of them fail, at any moment.
"""

import fcntl
import os
from pathlib import Path

FILE_MODE = 0o640
DIRECTORY_MODE = 0o750


class FileSystem:
    """The real one. Every method raises OSError as the system call does."""

    def open_append(self, path: Path) -> int:
        """A descriptor that only ever appends; the file is made when missing."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)

    def open_lock(self, path: Path) -> int:
        """A descriptor to lock and write; NFS grants exclusive locks to writable ones only."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)

    def create(self, path: Path) -> int:
        """A descriptor to write a new file, or an old one anew."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        return os.open(path, flags, FILE_MODE)

    def write(self, descriptor: int, content: bytes | memoryview) -> int:
        """One write; how many bytes it took."""
        return os.write(descriptor, content)

    def write_at_start(self, descriptor: int, content: bytes) -> int:
        """One write over the file's beginning."""
        return os.pwrite(descriptor, content, 0)

    def sync(self, descriptor: int) -> None:
        """Wait until what was written is durable."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Let the descriptor and its lock go."""
        os.close(descriptor)

    def lock(self, descriptor: int) -> None:
        """Take an exclusive lock, or raise BlockingIOError when somebody holds it.

        It is `flock`, since a `lockf` lock is dropped when any other descriptor of the file closes.
        """
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def read(self, path: Path) -> bytes:
        """The whole file."""
        return path.read_bytes()

    def read_tail(self, path: Path, length: int) -> bytes:
        """At most the last `length` bytes."""
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - length))
            return file.read(length)

    def read_from(self, path: Path, offset: int) -> bytes:
        """What follows the first `offset` bytes. Opened anew: an NFS client asks the server."""
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()

    def size(self, path: Path) -> int:
        """The file's length in bytes."""
        return path.stat().st_size

    def modified(self, path: Path) -> float:
        """When the file was last written, in seconds since the epoch."""
        return path.stat().st_mtime

    def names(self, directory: Path) -> list[str]:
        """What the directory holds, sorted."""
        return sorted(os.listdir(directory))  # noqa: PTH208 - names are what is wanted

    def make_directory(self, path: Path) -> None:
        """Make one directory."""
        path.mkdir(mode=DIRECTORY_MODE)

    def rename(self, old: Path, new: Path) -> None:
        """Rename, replacing what is there."""
        old.replace(new)

    def link(self, old: Path, new: Path) -> None:
        """A second name for a file; raises FileExistsError when the name is taken."""
        new.hardlink_to(old)

    def remove(self, path: Path) -> None:
        """Remove a file."""
        path.unlink()

    def remove_directory(self, path: Path) -> None:
        """Remove an empty directory."""
        path.rmdir()

    def sync_directory(self, path: Path) -> None:
        """Wait until the names in a directory are durable."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(descriptor)
        finally:
            self.close(descriptor)

    def write_all(self, descriptor: int, content: bytes) -> None:
        """Write every byte, in as many writes as it takes."""
        rest = memoryview(content)
        while rest:
            rest = rest[self.write(descriptor, rest) :]

    def make_directories(self, path: Path) -> None:
        """Make a directory and what is missing above it."""
        if not path.is_dir():
            path.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)


REAL = FileSystem()

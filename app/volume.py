"""The volume: where things lie on it, and how a file becomes visible only when it is complete."""

import os
from pathlib import Path

from app.errors import SettingsError, is_full

# The group reads and writes (the sidecar's uid may differ), others nothing.
UMASK = 0o007


class Volume:
    """The directories the service uses below one root.

    Uploads lie under `datasets/`, apart from `artifacts/`, so that raw data is never shipped.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.datasets = root / "datasets"
        self.artifacts = root / "artifacts"
        self.logs = root / "logs"
        self.queue = self.datasets / ".queue"
        self.workers = self.datasets / ".workers"

    def prepare(self, task: str) -> Path:
        """Make the directories; return this task's log directory. Raises SettingsError."""
        logs = self.logs / task
        if not self.root.is_dir():
            raise SettingsError(
                "APP_VOLUME", f"{self.root} is not a directory", "mount the volume or name another"
            )
        try:
            for directory in (self.artifacts, logs, self.queue, self.workers):
                directory.mkdir(parents=True, exist_ok=True)
                if not os.access(directory, os.W_OK | os.X_OK):
                    raise PermissionError(0, "no permission to write", str(directory))
        except OSError as error:
            remedy = f"give uid {os.geteuid()} write access or name another directory"
            raise SettingsError(
                "APP_VOLUME",
                f"cannot write to {error.filename}: {error.strerror}",
                "make room on it" if is_full(error) else remedy,
            ) from None
        return logs


def names_in(directory: Path) -> list[str]:
    """What lies in `directory`, by name: one read of the directory, and nothing is looked up."""
    return [path.name for path in directory.iterdir()]


def sync_directory(directory: Path) -> None:
    """Make renames inside `directory` durable, and visible to other hosts."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Make what was written to `path`, through whichever descriptor, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(part: Path, final: Path) -> None:
    """Rename a complete file into place: fsync, rename, fsync of the directory."""
    sync_file(part)
    part.rename(final)
    sync_directory(final.parent)


def write_whole(final: Path, content: bytes, *, part: Path | None = None) -> None:
    """Write `content` beside `final`, then publish it; a failure leaves nothing behind."""
    part = part or final.with_name(f"{final.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        publish(part, final)
    except BaseException:
        part.unlink(missing_ok=True)
        raise

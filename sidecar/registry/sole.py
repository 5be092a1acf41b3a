"""One sidecar at a time delivers from a state directory; the others wait for its lock."""

from contextlib import suppress
from pathlib import Path

from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.members import lock_refused, says_who, who_says
from sidecar.registry.state_directory import CLAIMS

_NAME = "all.lock"


class Sole:
    """The lock on all claims. A held one is polled for, since EFS never calls back."""

    def __init__(self, state_dir: Path, member: str, files: FileSystem = REAL) -> None:
        self._path = state_dir / CLAIMS / _NAME
        self._member = member
        self._files = files
        self._descriptor: int | None = None

    @property
    def held(self) -> bool:
        """Whether it was acquired and not released."""
        return self._descriptor is not None

    def try_acquire(self) -> bool:
        """Take the lock if it is free. Raises StateError when there can be none at all."""
        if self._descriptor is not None:
            return True
        try:
            self._files.make_directories(self._path.parent)
            descriptor = self._files.open_lock(self._path)
        except OSError as error:
            raise lock_refused(self._path, error) from error
        try:
            self._files.lock(descriptor)
        except OSError as error:
            self._files.close(descriptor)
            if isinstance(error, BlockingIOError | PermissionError):
                return False
            raise lock_refused(self._path, error) from error
        self._descriptor = descriptor
        with suppress(OSError):
            self._files.write_at_start(descriptor, says_who(self._member))
        return True

    def holder(self) -> str:
        """Who holds it, for people: `MEMBER (process N on HOST)`, or `another sidecar`."""
        try:
            content = self._files.read(self._path)
        except OSError:
            content = b""
        return who_says(content) or "another sidecar"

    def release(self) -> None:
        """Let the next one have it."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._files.close(self._descriptor)
            self._descriptor = None

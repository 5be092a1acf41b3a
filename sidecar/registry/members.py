"""Members: each running sidecar has a folder, and a lock on it for life.

A lock that is free means that its member is dead; whoever takes that lock may take over what the
folder holds, and remove it. Folders appear by a rename with their lock held already, and leave by
a rename too, so nobody ever sees half of one. A member that ended cleanly renames its folder to
`ID.left`, so that one listing tells the others at once.
"""

import errno
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import orjson

from sidecar.errors import SidecarError, StateError
from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.state_directory import BROKEN, MEMBERS, clean_name, prepare, unusable

_LOCK = "lock"
_HIDDEN = "."
_JOINING = f"{_HIDDEN}new-"
_LEAVING = f"{_HIDDEN}old-"
_LEFT = ".left"
_SAYS_LENGTH = 1023

_LOCK_IS_LOST = frozenset({errno.EIO, errno.ESTALE, errno.EBADF, errno.ENOENT})
"""What a write through the descriptor of a lost NFS lock ends with, as measured: EIO. The
others mean that the file the lock was on is no more."""

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


class MembershipLostError(SidecarError):
    """The lock is no longer held: another may take over. Stop delivering, join anew."""


class Member:
    """This sidecar's own folder and the lock on it."""

    def __init__(
        self, state_dir: Path, name: str, task: str, descriptor: int, files: FileSystem
    ) -> None:
        self.id = name
        self.task = task
        self.directory = state_dir / MEMBERS / name
        self.problem: str | None = None
        self._descriptor: int | None = descriptor
        self._files = files

    @classmethod
    def join(cls, state_dir: Path, hint: str, files: FileSystem = REAL) -> "Member":
        """A new member whose id begins with `hint`, a task's id. Raises StateError."""
        prepare(state_dir, files)
        members = state_dir / MEMBERS
        name = f"{clean_name(hint)}-{secrets.token_hex(4)}"
        hidden = members / f"{_JOINING}{name}"
        descriptor = -1
        try:
            files.make_directory(hidden)
            descriptor = files.open_lock(hidden / _LOCK)
            files.lock(descriptor)
            files.write_at_start(descriptor, says_who(name, hint))
            files.sync(descriptor)
            files.rename(hidden, members / name)
            files.sync_directory(members)
        except OSError as error:
            if descriptor >= 0:
                with suppress(OSError):
                    files.close(descriptor)
            for folder in (hidden, members / name):
                _remove_folder(folder, files)
            raise lock_refused(members / name, error) from error
        return cls(state_dir, name, hint, descriptor, files)

    def beat(self, now_ms: int) -> bool:
        """Write a heartbeat through the descriptor that holds the lock.

        False when the volume took it not, but the lock may be held yet; `problem` says why.
        Raises MembershipLostError when the lock is gone.
        """
        if self._descriptor is None:
            raise MembershipLostError(f"{self.directory}: already left")
        try:
            self._files.write_at_start(
                self._descriptor, says_who(self.id, self.task, beat_ms=now_ms)
            )
            # Without it an NFS client would keep the bytes, and not learn that the lock is lost.
            self._files.sync(self._descriptor)
        except OSError as error:
            self.problem = f"no heartbeat in {self.directory}: {error.strerror or error}"
            if error.errno in _LOCK_IS_LOST:
                raise MembershipLostError(self.problem) from error
            return False
        self.problem = None
        return True

    def hand_over(self) -> None:
        """The clean end: the others see at once that the folder may be taken over."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            self._files.rename(self.directory, self.directory.with_name(self.id + _LEFT))
        self.leave()

    def leave(self) -> None:
        """Let the lock go; the folder stays for whoever comes next."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._files.close(self._descriptor)
            self._descriptor = None


class DeadMember:
    """A dead member's folder, its lock in our hands."""

    def __init__(self, directory: Path, descriptor: int, files: FileSystem) -> None:
        self.id = member_of(directory.name)
        self.directory = directory
        self._descriptor: int | None = descriptor
        self._files = files

    def remove(self) -> bool:
        """Remove the folder, but keep damaged files in the state directory's `broken` folder.

        Only after all it knew is durable in our own journal. False when the volume refused:
        then it is there to be taken over again, which does no harm.
        """
        members = self.directory.parent
        gone = members / f"{_LEAVING}{self.id}"
        try:
            self._keep_broken(members.parent / BROKEN)
            self._files.rename(self.directory, gone)
            self._files.sync_directory(members)
        except OSError:
            return False
        finally:
            self.release()
        return _remove_folder(gone, self._files)

    def release(self) -> None:
        """Let the lock go and leave the folder as it is."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._files.close(self._descriptor)
            self._descriptor = None

    def _keep_broken(self, kept: Path) -> None:
        for name in self._files.names(self.directory):
            if ".broken-" in name:
                self._files.make_directories(kept)
                self._files.rename(self.directory / name, kept / f"{self.id}.{name}")


def member_of(folder: str) -> str:
    """The id of the member whose folder has this name."""
    return folder.removesuffix(_LEFT)


class Folder(NamedTuple):
    """A member's folder as a listing shows it: its name, whose it is, and whether it has left."""

    name: str
    member: str
    has_left: bool


def folders(state_dir: Path, *, own: str, files: FileSystem = REAL) -> list[Folder]:
    """The folders of all other members, sorted by their ids. Raises OSError."""
    found = [
        Folder(name, member_of(name), name.endswith(_LEFT))
        for name in files.names(state_dir / MEMBERS)
        if not name.startswith(_HIDDEN)
    ]
    return [folder for folder in found if folder.member != own]


def take(state_dir: Path, folder: str, files: FileSystem = REAL) -> DeadMember | None:
    """The dead member of this folder with its lock taken; None when it lives. Raises OSError."""
    directory = state_dir / MEMBERS / folder
    descriptor = _take_lock(directory, files)
    return None if descriptor is None else DeadMember(directory, descriptor, files)


def task_of(state_dir: Path, folder: str, files: FileSystem = REAL) -> str | None:
    """The id of the member's task, as its lock file says; None when that cannot be read."""
    try:
        says = orjson.loads(files.read(state_dir / MEMBERS / folder / _LOCK))
        return str(says.get("task", ""))
    except (OSError, ValueError, AttributeError):
        return None


def dead_members(state_dir: Path, *, own: str, files: FileSystem = REAL) -> list[DeadMember]:
    """Every other member whose lock is free, with that lock taken. Raises StateError.

    What is left of folders whose removal was cut short goes on the way.
    """
    members = state_dir / MEMBERS
    dead: list[DeadMember] = []
    try:
        for name in files.names(members):
            if name.startswith(_LEAVING):
                _remove_folder(members / name, files)
            if name.startswith(_HIDDEN) or name == own:
                continue
            if (member := take(state_dir, name, files)) is not None:
                dead.append(member)
    except OSError as error:
        for member in dead:
            member.release()
        raise lock_refused(members, error) from error
    return dead


def lock_refused(path: Path, error: OSError) -> StateError:
    """The StateError for a folder or lock that cannot be had."""
    if error.errno in _NO_LOCKS:
        return StateError(
            str(path),
            f"the file system gives no locks ({error.strerror})",
            "mount it with NFS 4.1 (as EFS does), or set state_dir to a volume with locks",
        )
    return unusable(path, "use it", error)


def says_who(member: str, task: str, **more: int) -> bytes:
    """What a lock file says: of one length, so that a shorter word leaves no rest of a longer."""
    says = {
        "member": member,
        "task": task,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        **more,
    }
    return orjson.dumps(says).ljust(_SAYS_LENGTH) + b"\n"


def _take_lock(directory: Path, files: FileSystem) -> int | None:
    """The descriptor of the folder's lock, None when it is held or the folder is gone."""
    try:
        descriptor = files.open_lock(directory / _LOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        files.lock(descriptor)
        files.size(directory / _LOCK)
    except OSError as error:
        files.close(descriptor)
        # FileNotFoundError: somebody took it over and removed it while we waited for the lock.
        if isinstance(error, BlockingIOError | PermissionError | FileNotFoundError):
            return None
        raise
    return descriptor


def _remove_folder(folder: Path, files: FileSystem) -> bool:
    try:
        for name in files.names(folder):
            files.remove(folder / name)
        files.remove_directory(folder)
    except OSError:
        return False
    return True

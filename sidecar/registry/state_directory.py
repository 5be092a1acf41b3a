"""The state directory itself: its folders, and when it was first used."""

import errno
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

import orjson

from sidecar.errors import StateError
from sidecar.registry.file_system import REAL, FileSystem

MEMBERS = "members"
CLAIMS = "claims"
REJECTED = "rejected"
BROKEN = "broken"

_CREATED = "created"
_NAME_LIMIT = 64


def prepare(state_dir: Path, files: FileSystem = REAL) -> None:
    """Make the folders that are missing. Raises StateError when it cannot."""
    for folder in (MEMBERS, CLAIMS, REJECTED):
        try:
            files.make_directories(state_dir / folder)
        except OSError as error:
            raise unusable(state_dir / folder, "make the folder", error) from error


def is_unused(state_dir: Path) -> bool:
    """Has no sidecar ever read files by this state directory? Asked before `state_created`."""
    return not (state_dir / _CREATED).exists()


def state_created(state_dir: Path, now: float, files: FileSystem = REAL) -> float:
    """When the state directory was first used, in seconds since the epoch; `now` if just now.

    Decided once: whoever comes first writes it, all others read it. Raises StateError.
    """
    path = state_dir / _CREATED
    try:
        written = _read_created(path, files)
        if written is not None:
            return written
        beside = state_dir / f".{_CREATED}.{os.getpid()}.{secrets.token_hex(4)}"
        try:
            descriptor = files.create(beside)
            try:
                files.write_all(descriptor, orjson.dumps({"created_ms": round(now * 1000)}))
                files.sync(descriptor)
            finally:
                files.close(descriptor)
            # A link appears with its whole content, and one of several wins. The reply to a
            # link that worked can be lost on NFS, so what counts is what is read afterwards.
            with suppress(FileExistsError):
                files.link(beside, path)
            files.sync_directory(state_dir)
        finally:
            with suppress(OSError):
                files.remove(beside)
        written = _read_created(path, files)
    except OSError as error:
        raise unusable(path, "note the time of the first start", error) from error
    return now if written is None else written


def when_created(state_dir: Path, files: FileSystem = REAL) -> float | None:
    """When it was first used, in seconds since the epoch; None if never. Raises OSError."""
    return _read_created(state_dir / _CREATED, files)


def clean_name(hint: str) -> str:
    """`hint` as a file name: ASCII letters, digits, `.`, `_` and `-`, its last 64 at most."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", hint).strip("._-")[-_NAME_LIMIT:] or "member"


def unusable(path: Path, act: str, error: OSError) -> StateError:
    """The StateError for an act the volume refused."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    remedy = "make room" if full else f"let user {os.geteuid()} write to the state directory"
    return StateError(
        str(path),
        f"cannot {act}: {error.strerror or error}",
        f"{remedy}, or set state_dir to another place",
    )


def unreadable(path: Path, error: OSError) -> StateError:
    """The StateError for what somebody who only looks may not see."""
    return StateError(
        str(path),
        f"cannot be read: {error.strerror or error}",
        f"run this as the sidecar's user, or let user {os.geteuid()} read it",
    )


def _read_created(path: Path, files: FileSystem) -> float | None:
    """The time in the file; its modification time where the content was damaged."""
    try:
        content = files.read(path)
    except FileNotFoundError:
        return None
    try:
        return float(orjson.loads(content)["created_ms"]) / 1000
    except (ValueError, TypeError, KeyError):
        return files.modified(path)

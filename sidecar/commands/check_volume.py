"""Whether the volume lets this user do what the sidecar will do on it."""

import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from sidecar.model.finding import Finding
from sidecar.model.globs import Glob
from sidecar.settings import ArtifactEntry, LogEntry, Settings

# On EFS each look is billed and takes about a millisecond; a sample says enough.
MOST_LOOKS: Final = 2_000


def check_state_dir(state_dir: Path) -> Iterator[Finding]:
    """Do in a scratch folder what the registry will do; what was made is removed again."""
    with ExitStack() as cleanup:
        try:
            for missing in _missing(state_dir):
                missing.mkdir()
                cleanup.callback(_quietly, missing.rmdir)
            scratch = state_dir / f".check-{secrets.token_hex(8)}"
            scratch.mkdir()
            cleanup.callback(_quietly, scratch.rmdir)
        except OSError as error:
            yield Finding(
                f"state_dir {state_dir}",
                "failed",
                f"{error.filename} cannot be made by {_user()}: {error.strerror}",
                "mount the volume writable, through an access point whose uid and gid own the "
                "directory, or change the directory's owner",
            )
            return
        yield Finding(f"state_dir {state_dir}", "ok", f"writable by {_user()}")
        for item, act in _ACTS.items():
            try:
                act(scratch)
            except OSError as error:
                why = error.strerror or error
                yield Finding(f"state_dir {item}", "failed", f"{why} ({_user()})", _ACT_REMEDY)
            else:
                yield Finding(f"state_dir {item}", "ok", "works")
        for left in scratch.iterdir():
            left.unlink()


_ACT_REMEDY: Final = "put state_dir on a file system that can do this, as EFS and local disks can"


def _lock(scratch: Path) -> None:
    """A held lock refuses a second holder, or two sidecars would both believe they own it."""
    path = scratch / "lock"
    with path.open("ab") as first, path.open("ab") as second:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
    raise OSError(0, "a lock that is held was given to a second holder")


def _replace(scratch: Path) -> None:
    written, final = scratch / "written", scratch / "final"
    for text in (b"one", b"two"):
        with written.open("wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        written.replace(final)
    if final.read_bytes() != b"two":
        raise OSError(0, "a file that was replaced still has its old content")


def _link(scratch: Path) -> None:
    source, claim = scratch / "source", scratch / "claim"
    source.touch()
    claim.hardlink_to(source)
    try:
        claim.hardlink_to(source)
    except FileExistsError:
        return
    raise OSError(0, "a link was made over an existing name")


_ACTS: Final[dict[str, Callable[[Path], None]]] = {
    "lock": _lock,
    "write, fsync, rename": _replace,
    "hard link": _link,
}


def check_entries(settings: Settings) -> Iterator[Finding]:
    """Whether each include's directory can be listed and what matches can be read."""
    for index, log in enumerate(settings.logs):
        yield from _entry(f"logs[{index}]", log)
        if log.delete_after is not None:
            yield from _deletion(f"logs[{index}].delete_after", log)
    for index, artifact in enumerate(settings.artifacts):
        yield from _entry(f"artifacts[{index}]", artifact)


def _entry(name: str, entry: LogEntry | ArtifactEntry) -> Iterator[Finding]:
    for pattern in entry.include:
        glob = Glob(pattern, entry.root)
        excludes = [Glob(each, None if each[0] == "/" else glob.root) for each in entry.exclude]
        yield _include(f"{name} {pattern}", glob, excludes)


def _include(item: str, glob: Glob, excludes: list[Glob]) -> Finding:
    if not _can_be_seen(Path(glob.fixed)):
        return Finding(
            item,
            "warning",
            f"{glob.fixed} does not exist or cannot be seen by {_user()}",
            "its files are shipped when it appears; mount the volume there if it should be there",
        )
    look = _Look(glob, excludes)
    try:
        look.at(glob.fixed)
    except OSError as error:
        return Finding(
            item,
            "failed",
            f"{error.filename} cannot be listed by {_user()}: {error.strerror}",
            _READ_REMEDY,
        )
    if look.refused:
        return Finding(
            item,
            "failed",
            f"{look.refused[0]} and {len(look.refused) - 1} more cannot be read by {_user()}"
            if len(look.refused) > 1
            else f"{look.refused[0]} cannot be read by {_user()}",
            _READ_REMEDY,
        )
    more = "at least " if look.left <= 0 else ""
    return Finding(item, "ok", f"{more}{look.matches} files match, all readable by {_user()}")


def _deletion(item: str, entry: LogEntry) -> Iterator[Finding]:
    """Whether files could be removed; none is."""
    for pattern in entry.include:
        directory = str(Glob(pattern, entry.root).fixed)
        if not Path(directory).is_dir():
            continue
        if os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
            yield Finding(f"{item} {directory}", "ok", f"writable by {_user()}")
        else:
            yield Finding(
                f"{item} {directory}",
                "failed",
                f"{_user()} cannot remove files there: the mount is read-only, or the directory "
                "is not writable",
                "mount the volume writable and let this user write there, or remove delete_after",
            )


_READ_REMEDY: Final = (
    "let this user or its group read it: setgid directories, a common group and umask 027 for the "
    "writers, or an access point that forces one uid"
)


class _Look:
    """A walk through what a glob names that ends after MOST_LOOKS entries."""

    def __init__(self, glob: Glob, excludes: list[Glob]) -> None:
        self.matches = 0
        self.refused: list[str] = []
        self.left = MOST_LOOKS
        self._glob = glob
        self._excludes = excludes

    def at(self, directory: str) -> None:
        """Raises OSError for a directory that cannot be listed."""
        inner = []
        with os.scandir(directory) as entries:
            for entry in entries:
                self.left -= 1
                if self.left <= 0:
                    return
                if entry.is_dir(follow_symlinks=False):
                    if self._glob.descends(entry.path):
                        inner.append(entry.path)
                elif entry.is_file() and self._is_wanted(entry.path):
                    self.matches += 1
                    if not os.access(entry.path, os.R_OK, effective_ids=True):
                        self.refused.append(entry.path)
        for each in inner:
            with suppress(FileNotFoundError):
                self.at(each)

    def _is_wanted(self, path: str) -> bool:
        return self._glob.matches(path) and not any(each.matches(path) for each in self._excludes)


def _missing(directory: Path) -> list[Path]:
    """The directories that must be made for this one to exist, outermost first."""
    missing: list[Path] = []
    while not directory.exists():
        missing.insert(0, directory)
        directory = directory.parent
    return missing


def _can_be_seen(path: Path) -> bool:
    try:
        path.stat()
    except OSError:
        return False
    return True


def _quietly(act: Callable[[], None]) -> None:
    with suppress(OSError):
        act()


def _user() -> str:
    return f"uid {os.geteuid()} gid {os.getegid()}"

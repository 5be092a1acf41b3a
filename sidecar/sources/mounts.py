"""Which file system a root lies on, and so how its changes are seen.

On a file system of this machine the kernel knows every write: inotify tells of it, and `fstat` is
true. On NFS, which EFS is, it knows this host's writes only: another host's show by asking the
server, and what the client remembers is stale for seconds to half a minute.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Choice = Literal["auto", "watch", "revalidate"]

MOUNTINFO = Path("/proc/self/mountinfo")

# Documentation/filesystems of Linux: kept by this kernel alone, on a disk or in memory.
OF_THIS_MACHINE = re.compile(
    r"bcachefs|btrfs|devtmpfs|exfat|ext[234]|f2fs|hugetlbfs|jfs|msdos|ntfs3|overlay|ramfs|reiserfs"
    r"|rootfs|squashfs|tmpfs|vfat|xfs|zfs"
)

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mode:
    """How a root is looked at, and why."""

    mode: Literal["watch", "revalidate"]
    reason: str
    mount: str = ""
    """Where the file system is mounted; empty where that is not known."""

    @property
    def revalidates(self) -> bool:
        return self.mode == "revalidate"


def mount_mode(path: str, choice: Choice = "auto", mountinfo: str | None = None) -> Mode:
    """How files below `path` are to be looked at; `path` need not exist yet.

    A file system that is not known to be this machine's own is asked anew each time: that is
    never wrong, only dearer.
    """
    try:
        lines = MOUNTINFO.read_text(errors="surrogateescape") if mountinfo is None else mountinfo
    except OSError as error:
        reason = f"{MOUNTINFO} cannot be read: {error.strerror}"
        return Mode("revalidate", reason) if choice == "auto" else _chosen(choice, "")
    mount, kind = _mount_of(os.path.realpath(path), lines)
    if choice != "auto":
        return _chosen(choice, mount)
    if OF_THIS_MACHINE.fullmatch(kind):
        reason = f"{kind} at {mount}: this machine's own, inotify sees every write"
        return Mode("watch", reason, mount)
    if not kind:
        return Mode("revalidate", "no mount is known for it")
    reason = f"{kind} at {mount}: other hosts may write, inotify does not see it"
    return Mode("revalidate", reason, mount)


def mount_point(path: str) -> str:
    """Where the file system that holds this path is mounted; empty where that is not known."""
    return mount_mode(path).mount


def _chosen(choice: Literal["watch", "revalidate"], mount: str) -> Mode:
    return Mode(choice, f"poll.mode is {choice}", mount)


class Mounts:
    """The modes of all roots, as they are mounted now."""

    def __init__(self, choice: Choice = "auto") -> None:
        self._choice = choice
        self._modes: dict[str, Mode] = {}

    def learn(self, roots: Iterable[str]) -> None:
        """Read the mount table anew: a volume may have come, or gone, since the last time."""
        try:
            lines = MOUNTINFO.read_text(errors="surrogateescape")
        except OSError:
            lines = None
        self._modes = {root: mount_mode(root, self._choice, lines) for root in roots}

    @property
    def modes(self) -> dict[str, Mode]:
        return dict(self._modes)

    def revalidates(self, root: str) -> bool:
        """Must a look below this root ask the server?"""
        return self.mode(root).revalidates

    def mode(self, root: str) -> Mode:
        """How this root is looked at, and where it is mounted."""
        mode = self._modes.get(root)
        if mode is None:
            mode = self._modes[root] = mount_mode(root, self._choice)
        return mode


def _mount_of(path: str, lines: str) -> tuple[str, str]:
    """The mount point above `path` and its file system; the last one mounted there covers others.

    proc(5): ID, parent, device, root, mount point, options, any number of tags, "-", type, ….
    """
    best, kind = "", ""
    for line in lines.splitlines():
        before, _, after = line.partition(" - ")
        fields, described = before.split(" "), after.split(" ")
        if len(fields) < 5 or not described[0]:
            continue
        mount = _ESCAPE.sub(lambda match: chr(int(match[1], 8)), fields[4])
        covers = mount == "/" or path == mount or path.startswith(mount + "/")
        if covers and len(mount) >= len(best):
            best, kind = mount, described[0]
    return best, kind

"""Removes a file, after one more look at everything that speaks against it.

Over NFS a file that one host removes while another still writes to it takes the writer's data with
it, and no error tells. So the path is opened anew, which asks the server, and what is open is
compared with what is known; and the writer must have gone on to a successor.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from sidecar.model.fingerprint import NO_MARKER, Fingerprint, Marker

FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK


class Kept(Exception):  # noqa: N818 - an answer of the volume, not a fault
    """The file is left alone, for the reason in the text."""


class StillGrown(Exception):  # noqa: N818
    """Somebody wrote to the file in the very moment of its removal: so many bytes are gone."""

    def __init__(self, size: int) -> None:
        self.size = size
        super().__init__(f"{size} bytes were written while it was removed")


@dataclass(frozen=True, slots=True)
class Known:
    """What the file must still be: this inode, this long, with these bytes at both its ends.

    `modified_ns` is compared where it is given. It must not have been written to after
    `quiet_since`, in seconds since the epoch.
    """

    inode: int
    size: int
    quiet_since: float
    fingerprint: Fingerprint | None = None
    marker: Marker = NO_MARKER
    modified_ns: int | None = None


class _Descriptor:
    def __init__(self, path: str, flags: int, directory: int | None = None) -> None:
        self.number = os.open(path, flags, dir_fd=directory)

    def close(self) -> None:
        os.close(self.number)


def remove(path: str, known: Known, successors: Sequence[str]) -> None:
    """Remove the file at `path`. Raises Kept, StillGrown when it is too late, or OSError.

    `successors` are the names, in the same directory, of which one must have been written to since.
    """
    parent, name = os.path.split(path)
    with closing(_Descriptor(parent, FLAGS | os.O_DIRECTORY)) as directory:
        try:
            opened = _Descriptor(name, FLAGS | os.O_NOFOLLOW, directory.number)
        except OSError as error:
            raise Kept(f"it cannot be opened: {error.strerror}") from error
        with closing(opened) as file:
            seen = os.fstat(file.number)
            _must_be(file.number, seen, known)
            if not any(_has_gone_on(each, seen, directory.number) for each in successors):
                raise Kept("its writer has not been seen to go on to a new file")
            # The last word before it goes; an instant after the looks above.
            if os.fstat(file.number).st_size != known.size:
                raise Kept("it is being written to")
            os.unlink(name, dir_fd=directory.number)
            grown = os.fstat(file.number).st_size - known.size
            if grown > 0:
                raise StillGrown(grown)


def _must_be(descriptor: int, seen: os.stat_result, known: Known) -> None:
    if not stat.S_ISREG(seen.st_mode) or seen.st_ino != known.inode:
        raise Kept("another file has its name")
    if seen.st_size != known.size:
        raise Kept(f"it has {seen.st_size} bytes, and {known.size} were acknowledged")
    if known.modified_ns not in (None, seen.st_mtime_ns) or seen.st_mtime > known.quiet_since:
        raise Kept("it was written to since")
    length = min(known.marker.length, known.size)
    before = os.pread(descriptor, length, known.size - length)
    if not known.marker.matches(before):
        raise Kept("it holds other content than was acknowledged")
    if known.fingerprint is not None:
        head = os.pread(descriptor, known.fingerprint.length, 0)
        if not known.fingerprint.matches(head):
            raise Kept("it holds other content than was acknowledged")


def _has_gone_on(name: str, before: os.stat_result, directory: int) -> bool:
    """Has the successor, another file, been written to, and not before its predecessor?"""
    try:
        with closing(_Descriptor(name, FLAGS, directory)) as successor:
            seen = os.fstat(successor.number)
    except OSError:
        return False
    return (
        stat.S_ISREG(seen.st_mode)
        and seen.st_ino != before.st_ino
        and seen.st_size > 0
        and seen.st_mtime_ns >= before.st_mtime_ns
    )

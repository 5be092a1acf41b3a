"""Recognises the copy that copytruncate makes: the same bytes under a rotated name.

While the file it was made of is still there, a copy says nothing new and is left alone. Once that
file is truncated, the copy holds what was not read of it.
"""

from __future__ import annotations

import enum
import os

from sidecar.model.fingerprint import MARKER_LENGTH
from sidecar.model.ledger import SourceRecord
from sidecar.sources.discovery import Found
from sidecar.sources.opening import open_file
from sidecar.sources.siblings import base_names, is_compressed
from sidecar.sources.source import Source


def beside(source: Source, bases: set[str]) -> list[Found]:
    """What lies in the same directory under a name that a rotation may have given."""
    directory = os.path.dirname(source.path)
    rule, root = source.rule.match, source.record.claim.root
    found = []
    with os.scandir(directory or ".") as entries:
        for entry in entries:
            for name in base_names(entry.name, rule.rotated):
                base = os.path.join(directory, name)
                if base in bases and entry.is_file():
                    included = rule.takes(entry.path) is not None
                    compressed = is_compressed(entry.name)
                    each = Found(entry.path, rule, root, entry.inode(), base, included, compressed)
                    found.append(each)
                    break
    return found


class Likeness(enum.Enum):
    """What an unknown file beside a source is to it."""

    COPY = "copy"
    PERHAPS = "perhaps"
    """Empty, or the beginning of a copy in the making: look again."""
    NONE = "none"


def likeness(path: str, original: Source) -> Likeness:
    """Is the file a copy of this source?

    A source keeps its inode when it is copied and truncated; an unknown file beside it that begins
    with all that was read of it can only be such a copy.
    """
    if holds(path, None, original.record, original.position, original.tail):
        return Likeness.COPY
    return Likeness.PERHAPS if _is_being_made(path, original) else Likeness.NONE


def holds(
    path: str, inode: int | None, record: SourceRecord, position: int, tail: bytes
) -> bool | None:
    """Does the file hold the record's bytes up to `position`, which `tail` leads up to?

    Without a tail the record's own marker is compared, which belongs to its checkpoint. None where
    the name does not lead to the file with this inode number, if one is given.
    """
    fingerprint = record.fingerprint
    if fingerprint is None:
        return False
    try:
        descriptor = open_file(path)
    except OSError:
        return None
    try:
        seen = os.fstat(descriptor)
        head = os.pread(descriptor, fingerprint.length, 0)
        length = min(MARKER_LENGTH, position)
        before = os.pread(descriptor, length, position - length)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if inode not in (None, seen.st_ino):
        return None
    if seen.st_size < position or not fingerprint.matches(head):
        return False
    return before.endswith(tail) if tail else position == 0 or record.marker.matches(before)


def has_changed(source: Source, held: int | None) -> bool:
    """Does the source's file hold other content by now than what was read of it?

    `held` is a descriptor of it, if there is one.
    """
    try:
        descriptor = os.dup(held) if held is not None else open_file(source.path)
    except OSError:
        return False
    try:
        seen = os.fstat(descriptor)
        if seen.st_ino != source.inode:
            return False
        return not _holds(descriptor, seen.st_size, source)
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _holds(descriptor: int, size: int, source: Source) -> bool:
    """Is the file still what was seen and read of it?"""
    if size < max(source.size, source.position):
        return False
    length, known = len(source.tail), source.record.fingerprint
    if os.pread(descriptor, length, source.position - length) != source.tail:
        return False
    return known is None or known.matches(os.pread(descriptor, known.length, 0))


def _is_being_made(path: str, original: Source) -> bool:
    """Is it the beginning of what the original holds? A copy in the making is never longer."""
    try:
        copy, whole = open_file(path), open_file(original.path)
    except OSError:
        return False
    try:
        seen, of_whole = os.fstat(copy), os.fstat(whole)
        if of_whole.st_ino != original.inode:
            return False
        if not _holds(whole, of_whole.st_size, original):
            return True  # truncated just now: whose copy it is shows when that was noticed
        if seen.st_size > of_whole.st_size:
            return False
        length = min(MARKER_LENGTH, seen.st_size)
        return all(
            os.pread(copy, length, at) == os.pread(whole, length, at)
            for at in (0, seen.st_size // 2 - length // 2, seen.st_size - length)
        )
    except OSError:
        return False
    finally:
        os.close(copy)
        os.close(whole)

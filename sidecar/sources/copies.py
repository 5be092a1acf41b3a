"""Recognises the copy that copytruncate makes: the same bytes under a rotated name.

While the file it was made of is still there, a copy says nothing new and is left alone. Once that
file is truncated, the copy holds what was not read of it.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator

from sidecar.model.fingerprint import MARKER_LENGTH
from sidecar.model.ledger import SourceRecord
from sidecar.sources.descriptors import open_file
from sidecar.sources.rules import LogRule
from sidecar.sources.siblings import base_names, is_compressed
from sidecar.sources.source import Source


def beside(path: str, rule: LogRule) -> Iterator[str]:
    """Paths in the same directory whose names a rotation may have made from this one, the most
    lately written first."""
    directory, name = os.path.split(path)
    found = []
    with os.scandir(directory or ".") as entries:
        for entry in entries:
            if is_compressed(entry.name) or name not in base_names(entry.name, rule.match.rotated):
                continue
            try:
                if entry.is_file():
                    found.append((_modified_ns(entry.path), entry.path))
            except OSError:
                continue
    for _, sibling in sorted(found, reverse=True):
        yield sibling


def _modified_ns(path: str) -> int:
    """Opened anew: over NFS an entry's `stat` is up to half a minute late."""
    descriptor = open_file(path)
    try:
        return os.fstat(descriptor).st_mtime_ns
    finally:
        os.close(descriptor)


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
    if goes_on(path, original.record, original.position, original.tail):
        return Likeness.COPY
    return Likeness.PERHAPS if _is_being_made(path, original) else Likeness.NONE


def goes_on(path: str, record: SourceRecord, position: int, tail: bytes = b"") -> bool:
    """Does the file hold the record's bytes up to `position`, which `tail` leads up to?

    Without a tail the record's own marker is compared, which belongs to its checkpoint.
    """
    fingerprint = record.fingerprint
    if fingerprint is None:
        return False
    try:
        descriptor = open_file(path)
    except OSError:
        return False
    try:
        size = os.fstat(descriptor).st_size
        head = os.pread(descriptor, fingerprint.length, 0)
        length = min(MARKER_LENGTH, position)
        before = os.pread(descriptor, length, position - length)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    if size < position or not fingerprint.matches(head):
        return False
    return before.endswith(tail) if tail else position == 0 or record.marker.matches(before)


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
        if of_whole.st_size < original.position:
            return True  # truncated just now: the copy was not whole yet when it was opened
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

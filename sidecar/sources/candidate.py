"""A matching file that no live source knows yet, looked into once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from sidecar.model.fingerprint import FULL, MARKER_LENGTH
from sidecar.model.ledger import SourceRecord
from sidecar.sources.descriptors import open_file
from sidecar.sources.discovery import Found

LINE_SEARCH = 64 * 1024
"""How far back `start_at: end` looks for the start of the line it lands in."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an open file showed; it is closed again, since there may be ten thousand of them.

    `record` is what an earlier run knew of this very file, or None; `outdated` are records of the
    same inode number that mean other content.
    """

    found: Found
    inode: int
    size: int
    modified: float
    head: bytes
    tail: bytes
    """The bytes before the offset at which `record` goes on, at most MARKER_LENGTH."""
    record: SourceRecord | None
    outdated: tuple[SourceRecord, ...]


def examine(found: Found, records_of: Callable[[str, int], list[SourceRecord]]) -> Candidate | None:
    """Open, look, close. None for what is gone again or no plain file; OSError for the rest.

    `records_of` gives what is known of a root's inode number.
    """
    try:
        descriptor = open_file(found.path)
    except FileNotFoundError:
        return None
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            return None
        head = os.pread(descriptor, FULL, 0)
        known = records_of(found.root, seen.st_ino)
        record, tail = None, b""
        for each in known:
            before = _tail(descriptor, each)
            if _continues(seen.st_size, head, before, each):
                record, tail = each, before
        return Candidate(
            found=found,
            inode=seen.st_ino,
            size=seen.st_size,
            modified=seen.st_mtime,
            head=head,
            tail=tail,
            record=record,
            outdated=tuple(other for other in known if other is not record),
        )
    finally:
        os.close(descriptor)


def last_line_start(path: str, size: int) -> int:
    """Where the last line that has begun by `size` starts; `size` itself after a line feed.

    A line longer than `LINE_SEARCH` is taken up in its middle rather than read from its start.
    """
    descriptor = open_file(path)
    try:
        at = max(0, size - LINE_SEARCH)
        line_feed = os.pread(descriptor, size - at, at).rfind(b"\n")
        return at + line_feed + 1 if line_feed >= 0 or at == 0 else size
    finally:
        os.close(descriptor)


def _tail(descriptor: int, record: SourceRecord) -> bytes:
    length = min(MARKER_LENGTH, record.acknowledged)
    return os.pread(descriptor, length, record.acknowledged - length)


def _continues(size: int, head: bytes, tail: bytes, record: SourceRecord) -> bool:
    """Is this the file the record speaks of, as far as it was read?"""
    if size < record.acknowledged:
        return False
    if record.fingerprint is not None and not record.fingerprint.matches(head):
        return False
    return record.marker.matches(tail)

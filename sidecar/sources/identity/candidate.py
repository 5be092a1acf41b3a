"""A matching file that no live source knows yet, looked into once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sidecar.model.fingerprint import FULL, MARKER_LENGTH
from sidecar.model.ledger import SourceRecord
from sidecar.sources.discovery import Found
from sidecar.sources.identity.traces import Trace
from sidecar.sources.opening import open_file


@dataclass(frozen=True, slots=True)
class Candidate:
    """What an open file showed; it is closed again, since there may be ten thousand of them.

    `record` is what an earlier run knew of this very file, or None; `outdated` are records of the
    same inode number that mean other content.
    """

    found: Found
    inode: int
    size: int
    """Of its content."""
    modified: float
    head: bytes
    tail: bytes
    """The bytes before the offset at which `record` goes on, at most MARKER_LENGTH."""
    record: SourceRecord | None
    outdated: tuple[SourceRecord, ...]
    before: Mapping[int, bytes]
    """The bytes before the offsets that the traces ask for, as far as the content reaches."""
    traces: Sequence[Trace] = ()
    archive: tuple[int, int] | None = None
    """Of a compressed file: its own size and time, in ns."""
    whole: bool = True
    """False for an archive that ends before its content does."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a file may turn out to be, before its content is compared with that."""

    records: Sequence[SourceRecord]
    """Of its inode number."""
    traces: Sequence[Trace]
    """Of the sources that a file with its first bytes may be a copy of."""

    def offsets(self) -> set[int]:
        """Where `candidate` wants to know the bytes before."""
        wanted = {record.acknowledged for record in self.records}
        return wanted.union(*(trace.offsets() for trace in self.traces))

    def candidate(
        self,
        found: Found,
        seen: os.stat_result,
        size: int,
        head: bytes,
        before: Mapping[int, bytes],
    ) -> Candidate:
        """Of a file of which this is known, with a content of `size` bytes."""
        record, outdated = _chosen(found, self.records, size, head, before)
        return Candidate(
            found=found,
            inode=seen.st_ino,
            size=size,
            modified=seen.st_mtime,
            head=head,
            tail=before[record.acknowledged] if record is not None else b"",
            record=record,
            outdated=outdated,
            before=before,
            traces=self.traces,
        )


KnownOf: TypeAlias = Callable[[Found, int, bytes], Known]
"""Gives what is known of a file by its name, its inode number and its first bytes."""


def examine(found: Found, known_of: KnownOf) -> Candidate | None:
    """Open, look, close. None for what is gone again or no plain file; OSError for the rest."""
    try:
        descriptor = open_file(found.path)
    except FileNotFoundError:
        return None
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            return None
        head = os.pread(descriptor, FULL, 0)
        known = known_of(found, seen.st_ino, head)
        wanted = [at for at in known.offsets() if at <= seen.st_size]
        before = {at: _bytes_before(descriptor, at) for at in wanted}
        return known.candidate(found, seen, seen.st_size, head, before)
    finally:
        os.close(descriptor)


def _chosen(
    found: Found,
    records: Sequence[SourceRecord],
    size: int,
    head: bytes,
    before: Mapping[int, bytes],
) -> tuple[SourceRecord | None, tuple[SourceRecord, ...]]:
    """Which of the records speaks of this content, as far as it was read, and which do not.

    One that knows no content, of a file that was empty, speaks of its own names alone, and never of
    an archive: its number may be any other file's by now.
    """
    record = None
    for each in records:
        if size < each.acknowledged:
            continue
        if each.fingerprint is None:
            if record is None and not found.compressed and shares_a_name(each, found):
                record = each
        elif each.fingerprint.matches(head) and each.marker.matches(before[each.acknowledged]):
            record = each
    return record, tuple(other for other in records if other is not record)


def shares_a_name(record: SourceRecord, found: Found) -> bool:
    """Has the file found a name that the source had, or one that a rotation made of it?"""
    return not {found.path, found.base}.isdisjoint((record.path, record.claim.path))


def _bytes_before(descriptor: int, offset: int) -> bytes:
    length = min(MARKER_LENGTH, offset)
    return os.pread(descriptor, length, offset - length)

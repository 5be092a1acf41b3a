"""The events that files on the volume stand for, made anew by the assembler that shipped them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sidecar.model.assembler import Assembler
from sidecar.model.fingerprint import MARKER_LENGTH
from sidecar.model.ledger import SourceRecord
from sidecar.model.records import Records, Resume
from sidecar.sources.archive import reader
from sidecar.sources.opening import open_file
from sidecar.sources.rules import LogRule
from sidecar.sources.siblings import is_compressed
from sidecar.sources.source import Source

READ_BYTES = 1024 * 1024
HEAD_BYTES = 64

Read = Callable[[int, int], bytes]
"""At most so many bytes, from this offset."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a record speaks of, and the file that holds it: its own, or a copy of that one."""

    record: SourceRecord
    rule: LogRule
    stream: str
    path: str
    inode: int
    archived: bool
    size: int
    """Bytes of it that the file holds, decompressed."""
    order: float
    """When it was last written to."""

    @classmethod
    def of(cls, source: Source) -> Content:
        """A file that is known under its own number."""
        return cls(
            record=source.record,
            rule=source.rule,
            stream=source.key.stream,
            path=source.path,
            inode=source.inode,
            archived=source.archive is not None,
            size=source.size,
            order=source.order,
        )

    @property
    def backlog_bytes(self) -> int:
        """What it holds that is not settled."""
        return max(0, self.size - self.record.acknowledged - self.record.beyond.total)


def copied(path: str, records: Iterable[SourceRecord], rule: LogRule) -> Content | None:
    """The content of the one of these records that the file is a copy of, whole or more than that;
    of the one that tells most where several fit. None without one, and for an unreadable file."""
    try:
        descriptor = open_file(path)
    except OSError:
        return None
    try:
        seen = os.fstat(descriptor)
        archived = is_compressed(path)
        pread = reader(True if archived else None)
        head = pread(descriptor, MARKER_LENGTH, 0)
        fitting = None
        for record in sorted(records, key=lambda record: record.acknowledged):
            fingerprint, end = record.fingerprint, record.acknowledged
            if not end or fingerprint is None or not fingerprint.matches(head):
                continue
            length = min(MARKER_LENGTH, end)
            before = pread(descriptor, length, end - length)
            if len(before) == length and record.marker.matches(before):
                fitting = record
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if fitting is None:
        return None
    return Content(
        record=fitting,
        rule=rule,
        stream=fitting.claim.stream,
        path=path,
        inode=seen.st_ino,
        archived=archived,
        size=fitting.acknowledged,
        order=seen.st_mtime,
    )


def settled(content: Content, now_ms: int) -> Iterator[Records]:
    """What was read up to the checkpoint. Raises OSError where the file cannot be read any more.

    What is settled beyond the checkpoint is left to `unsettled`: it may be there already.
    """
    record = content.record
    yield from _of_file(
        content,
        record.claim.start,
        record.acknowledged,
        now_ms,
        resume=None,
        goes_on=record.resume,
    )


def unsettled(content: Content, now_ms: int) -> Iterator[Records]:
    """What lies behind the checkpoint by now, a last line without line feed included."""
    record = content.record
    try:
        yield from _of_file(
            content, record.acknowledged, None, now_ms, resume=record.resume, goes_on=None
        )
    except OSError:
        return


def whole(path: str, rule: LogRule, stream: str, now_ms: int) -> Iterator[Records]:
    """Everything in a file nobody reads: a copy, or what was compressed. Nothing if unreadable."""
    try:
        descriptor = open_file(path)
    except OSError:
        return
    try:
        pread = reader(True if is_compressed(path) else None)

        def read(length: int, start: int) -> bytes:
            return pread(descriptor, length, start)

        assembler = Assembler(rule.assembly, stream=stream, head=read(HEAD_BYTES, 0))
        yield from _assembled(assembler, read, 0, None, now_ms, complete=True)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _of_file(
    content: Content,
    begin: int,
    end: int | None,
    now_ms: int,
    *,
    resume: Resume | None,
    goes_on: Resume | None,
) -> Iterator[Records]:
    descriptor = open_file(content.path)
    try:
        seen = os.fstat(descriptor)
        too_short = not content.archived and seen.st_size < (end or 0)
        if seen.st_ino != content.inode or too_short:
            raise FileNotFoundError(2, "another file by now", content.path)

        pread = reader(True if content.archived else None)

        def read(length: int, start: int) -> bytes:
            return pread(descriptor, length, start)

        assembler = Assembler(
            content.rule.assembly,
            stream=content.stream,
            resume=resume,
            head=read(HEAD_BYTES, 0),
            before=read(min(HEAD_BYTES, begin), max(0, begin - HEAD_BYTES)),
        )
        if goes_on is None:
            yield from _assembled(assembler, read, begin, end, now_ms, complete=True)
        else:
            # The checkpoint stands inside an over-long line: its parts depend on what follows.
            parts = _assembled(assembler, read, begin, None, now_ms, complete=False)
            yield from _up_to(parts, end or 0)
    finally:
        os.close(descriptor)


def _assembled(
    assembler: Assembler,
    read: Read,
    begin: int,
    end: int | None,
    now_ms: int,
    *,
    complete: bool,
) -> Iterator[Records]:
    """Feed the assembler from `begin` to `end`, or the end of the file; `complete` closes it."""
    at, length = begin, READ_BYTES
    while end is None or at < end:
        wanted = length if end is None else min(length, end - at)
        data = read(wanted, at)
        is_last = len(data) < wanted or (end is not None and at + len(data) >= end)
        finished = is_last and complete
        records = assembler.feed(data, at, now_ms, close=finished, finished=finished)
        # A line longer than what was read needs more of it.
        length = READ_BYTES if records.consumed > at else length + READ_BYTES
        at = records.consumed
        yield records
        if is_last:
            return


def _up_to(found: Iterator[Records], end: int) -> Iterator[Records]:
    for records in found:
        count = sum(1 for each in records.ends if each <= end)
        del records.timestamps[count:], records.messages[count:]
        del records.starts[count:], records.ends[count:], records.sizes[count:]
        yield records
        if records.consumed >= end:
            return


def identity(record: SourceRecord) -> str:
    """The source as its dead letters name it."""
    claim = record.claim
    return f"{claim.root}:{claim.inode}:{claim.at_ms}"

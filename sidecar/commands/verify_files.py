"""The events that files on the volume stand for, made anew by the assembler that shipped them."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from sidecar.model.assembler import Assembler
from sidecar.model.ledger import SourceRecord
from sidecar.model.records import Records, Resume
from sidecar.sources.archive import reader
from sidecar.sources.opening import open_file
from sidecar.sources.rules import LogRule
from sidecar.sources.source import Source

READ_BYTES = 1024 * 1024
HEAD_BYTES = 64

Read = Callable[[int, int], bytes]
"""At most so many bytes, from this offset."""


def settled(source: Source, now_ms: int) -> Iterator[Records]:
    """What was read up to the checkpoint. Raises OSError where the file cannot be read any more.

    What is settled beyond the checkpoint is left to `unsettled`: it may be there already.
    """
    record = source.record
    yield from _of_file(
        source,
        record.claim.start,
        record.acknowledged,
        now_ms,
        resume=None,
        goes_on=record.resume,
    )


def unsettled(source: Source, now_ms: int) -> Iterator[Records]:
    """What lies behind the checkpoint by now, a last line without line feed included."""
    record = source.record
    try:
        yield from _of_file(
            source, record.acknowledged, None, now_ms, resume=record.resume, goes_on=None
        )
    except OSError:
        return


def whole(path: str, rule: LogRule, stream: str, now_ms: int) -> Iterator[Records]:
    """Everything in a file nobody reads: a copy, or what was compressed. Nothing if unreadable."""
    try:
        with gzip.open(path) if path.endswith(".gz") else Path(path).open("rb") as file:
            assembler = Assembler(rule.assembly, stream=stream, head=file.read(HEAD_BYTES))
            file.seek(0)

            def read(length: int, start: int) -> bytes:
                file.seek(start)
                return bytes(file.read(length))

            yield from _assembled(assembler, read, 0, None, now_ms, complete=True)
    except (OSError, EOFError):
        return


def _of_file(
    source: Source,
    begin: int,
    end: int | None,
    now_ms: int,
    *,
    resume: Resume | None,
    goes_on: Resume | None,
) -> Iterator[Records]:
    descriptor = open_file(source.path)
    try:
        seen = os.fstat(descriptor)
        too_short = source.archive is None and seen.st_size < (end or 0)
        if seen.st_ino != source.inode or too_short:
            raise FileNotFoundError(2, "another file by now", source.path)

        pread = reader(source.archive)

        def read(length: int, start: int) -> bytes:
            return pread(descriptor, length, start)

        assembler = Assembler(
            source.rule.assembly,
            stream=source.key.stream,
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

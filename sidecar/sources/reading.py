"""Reads a source on from its position: compares what was read last, and assembles whole lines."""

from __future__ import annotations

import os

from sidecar.model.assembler import Assembler
from sidecar.model.fingerprint import MARKER_LENGTH
from sidecar.model.portion import Portion
from sidecar.model.records import NO_TIME, Records, Resume
from sidecar.sources.content import Content
from sidecar.sources.holes import NUL_PATIENCE, Holes
from sidecar.sources.looks import Looks
from sidecar.sources.sameness import Sameness
from sidecar.sources.source import Source
from sidecar.sources.turns import Turn, Verdict
from sidecar.telemetry import Totals

READ_BYTES = 256 * 1024
"""One turn of a source. EFS bills a read as at least 32 KiB; larger turns gain nothing more and
make the others wait."""

MOST_READ_BYTES = 8 * 1024 * 1024
"""A turn's bound while a line is longer than `READ_BYTES`: several of the longest events."""


class Reading:
    """Makes portions of what a source holds from its position on."""

    def __init__(self, content: Content, sameness: Sameness, looks: Looks, totals: Totals) -> None:
        self._content = content
        self._sameness = sameness
        self._looks = looks
        self._totals = totals
        self._holes = Holes(content, totals)

    def read(self, source: Source, descriptor: int, now: float, now_ms: int) -> Turn:
        """Read at most one portion, if there may be one."""
        quiet = now - source.grew_at
        finished = source.leaving and quiet >= source.rule.partial
        wait = source.rule.group_wait
        close = wait is not None and quiet >= wait
        held = source.nul_at >= 0 and now - source.nul_since >= NUL_PATIENCE
        if source.size <= source.seen_to and not (finished or close or held):
            source.exhausted = source.nul_at < 0 and not source.group_open
            return Turn()
        known = 0 if source.ends_in_nuls else source.seen_to - source.position
        is_long = known >= READ_BYTES and not (finished or close or held)
        if is_long and not self._line_may_end(source, descriptor, known):
            return Turn(more=source.seen_to < source.size)
        stop = source.settled_ahead[0][0] if source.settled_ahead else None
        if stop == source.position:
            self._pass_settled(source, descriptor)
            return Turn(more=True)
        length = min(MOST_READ_BYTES, max(READ_BYTES, known + READ_BYTES))
        return self.read_on(source, descriptor, now, now_ms, length, close=close, finished=finished)

    def read_on(
        self,
        source: Source,
        descriptor: int,
        now: float,
        now_ms: int,
        length: int,
        *,
        close: bool,
        finished: bool,
    ) -> Turn:
        """Read so many bytes at the position, not beyond what is settled ahead."""
        before = len(source.tail)
        stop = source.settled_ahead[0][0] if source.settled_ahead else None
        if stop is not None:
            length = min(length, stop - source.position)
        if source.nul_at >= 0 and self._looks.revalidates(source.record.claim.root):
            # What the client has of a page that was being written may lack what came since.
            os.posix_fadvise(descriptor, source.position, 0, os.POSIX_FADV_DONTNEED)
        data = self._content.pread(source, descriptor, length + before, source.position - before)
        self._totals.read_bytes += len(data)
        if data[:before] != source.tail or not self._sameness.begins_alike(source, data):
            return self._sameness.other_content(source, descriptor)
        data = data[before:]
        if source.archive is not None and not data:
            return Turn(verdict=Verdict.REPLACED)  # it does not hold any more what it held
        read_to = self._holes.known_to(source, data)
        at_end = read_to >= source.size
        start = source.position
        # A settled range begins where an event ended: what leads up to it is complete.
        complete = start + len(data) == stop or (finished and at_end)
        text = self._holes.past(source, descriptor, data, now, finished=complete)
        read_to = max(source.position, self._holes.known_to(source, data, start))
        at_end = read_to >= source.size
        portion = self._assemble(
            source,
            text,
            now,
            now_ms,
            close=complete or (close and at_end),
            finished=complete,
        )
        if source.position > start:
            # What it moved past without reading are NULs.
            passed = data[: source.position - start]
            passed += bytes(min(MARKER_LENGTH, source.position - start - len(passed)))
            source.tail = (source.tail + passed)[-MARKER_LENGTH:]
            source.mark()
        source.drop_anchor()
        source.seen_to = read_to
        # Whole lines of an open group are no incomplete line: they wait for its end alone.
        source.group_open = (
            source.rule.group_wait is not None and source.position - start < data.rfind(b"\n") + 1
        )
        source.exhausted = at_end and source.nul_at < 0 and not source.group_open
        more = source.seen_to < source.size and (portion is not None or source.nul_at < 0)
        return Turn(portion, more)

    def _line_may_end(self, source: Source, descriptor: int, known: int) -> bool:
        """Look only at what is new of a long incomplete line: reading it whole each time it grows
        would cost its square."""
        fresh = self._content.pread(source, descriptor, READ_BYTES, source.seen_to)
        self._totals.read_bytes += len(fresh)
        if b"\n" in fresh or known + len(fresh) > source.rule.assembly.max_event_bytes:
            return True
        source.seen_to += len(fresh)
        source.exhausted = source.seen_to >= source.size
        return False

    def _pass_settled(self, source: Source, descriptor: int) -> None:
        """Go on behind what an earlier run had settled out of order."""
        _, end, resume = source.settled_ahead.popleft()
        length = min(MARKER_LENGTH, end)
        source.tail = self._content.pread(source, descriptor, length, end - length)
        source.assembler = Assembler(
            source.rule.assembly,
            stream=source.key.stream,
            resume=resume,
            head=source.head,
            before=source.tail,
        )
        source.position = source.seen_to = end

    def _assemble(
        self, source: Source, text: bytes, now: float, now_ms: int, *, close: bool, finished: bool
    ) -> Portion | None:
        start = source.position
        resume = source.assembler.resume
        records = source.assembler.feed(text, start, now_ms, close=close, finished=finished)
        if resume is not None or records.resumes:
            give_parts_one_time(records, resume)
        source.position = records.consumed
        if records.nuls:
            self._holes.skipped(source, start, records.nuls)
        if source.nul_skipped_from is not None and records.consumed > start:
            # The believed run of NULs belongs to what follows it, so that ranges stay without gaps.
            if records.starts and records.starts[0] == start:
                records.starts[0] = source.nul_skipped_from
            elif records.filtered:
                records.filtered[0] = (source.nul_skipped_from, records.filtered[0][1])
            source.nul_skipped_from = None
        if not records.ends and not records.filtered:
            return None
        return Portion(source.id, records, text, start, now, resume)


def give_parts_one_time(records: Records, resume: Resume | None) -> None:
    """Parts of a line without a time carry the moment of the first one; `resume` is of before."""
    for index, end in enumerate(records.ends):
        following = records.resumes.get(end)
        known = following or resume
        if known is not None and records.timestamps[index] == NO_TIME:
            records.timestamps[index] = known.arrival
        resume = following

"""Reads bytes behind the position once more, which an earlier process may have sent in vain."""

from __future__ import annotations

from collections import deque

from sidecar.model.assembler import Assembler
from sidecar.model.fingerprint import MARKER_LENGTH
from sidecar.model.portion import Portion
from sidecar.sources.content import Content
from sidecar.sources.reading import MOST_READ_BYTES, Reading, give_parts_one_time
from sidecar.sources.source import Again, Source
from sidecar.sources.turns import Turn, Verdict
from sidecar.telemetry import Totals


class Rereading:
    """The first of what a source is to be read again is read as a source of its own."""

    def __init__(self, content: Content, reading: Reading, totals: Totals) -> None:
        self._content = content
        self._reading = reading
        self._totals = totals

    def read_on(self, source: Source, descriptor: int, now: float, now_ms: int) -> Turn:
        """Read on in it; the source's position stays where it is."""
        wanted = source.again[0]
        part = source.reading_again
        if part is None:
            part = source.reading_again = self._part(source, descriptor, wanted)
        if wanted.inside:
            turn = self._read_inside(part, descriptor, wanted.end, now, now_ms)
        else:
            turn = self._reading.read_on(
                part, descriptor, now, now_ms, MOST_READ_BYTES, close=False, finished=False
            )
        if turn.portion is not None:
            turn.portion.again = True
        if part.position >= wanted.end:
            source.reading_again = None
            source.again.popleft()
        elif part.seen_to < wanted.end and turn.portion is None:
            return Turn(verdict=Verdict.REPLACED)
        return Turn(turn.portion, more=True, verdict=turn.verdict)

    def _read_inside(
        self, part: Source, descriptor: int, end: int, now: float, now_ms: int
    ) -> Turn:
        """Read up to an end inside an over-long line: what follows shows that it is no line's."""
        length = end - part.position + part.rule.assembly.window
        data = self._content.pread(part, descriptor, length, part.position)
        self._totals.read_bytes += len(data)
        start, resume = part.position, part.assembler.resume
        records = part.assembler.feed(data, start, now_ms)
        give_parts_one_time(records, resume)
        records.cut_after(end)
        if end not in (records.ends or [start]):
            return Turn(verdict=Verdict.REPLACED)
        part.position = part.seen_to = end
        return Turn(Portion(part.id, records, data, start, now, resume))

    def _part(self, source: Source, descriptor: int, wanted: Again) -> Source:
        """A source of its own, from `start` to `end`, whose every NUL was believed before."""
        length = min(MARKER_LENGTH, wanted.start)
        before = self._content.pread(source, descriptor, length, wanted.start - length)
        assembler = Assembler(
            source.rule.assembly,
            stream=source.key.stream,
            resume=wanted.resume,
            previous_timestamp=wanted.timestamp,
            head=source.head,
            before=before,
        )
        return Source(
            record=wanted.record,
            rule=source.rule,
            assembler=assembler,
            position=wanted.start,
            settled_ahead=deque([(wanted.end, wanted.end, None)]),
            head=source.head,
            entry_inode=source.entry_inode,
            size=wanted.end,
            tail=before,
            seen_to=wanted.start,
            nul_believed_to=wanted.end,
            archive=source.archive,
        )

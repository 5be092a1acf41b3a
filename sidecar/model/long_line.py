"""Shipping a line that is longer than an event may be, as far as it is known."""

from __future__ import annotations

from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.events import Events
from sidecar.model.lines import without_line_end
from sidecar.model.oversize import Piece, line_id, next_piece, prefix
from sidecar.model.records import NO_TIME, Records, Resume
from sidecar.model.text import Encoding


class LongLine:
    """The long line a source stands in, if ``resume`` is set."""

    def __init__(
        self, rules: AssemblyRules, events: Events, stream: str, resume: Resume | None
    ) -> None:
        self.resume = resume
        self._rules = rules
        self._events = events
        self._stream = stream

    def begin(self, line_start: int) -> None:
        """The line at ``line_start`` is too long for one event."""
        self.resume = Resume(line_start, 1, NO_TIME)

    def ship(
        self, records: Records, encoding: Encoding, raw: bytes, at: int, *, complete: bool
    ) -> int:
        """Append the parts that are certain of a line whose rest ``raw`` lies at ``at``.

        ``raw`` ends with the line end if it has one; ``complete`` says that nothing follows it in
        this line. Returns the offset up to which the line is settled; ``resume`` says whether
        more is to come. A line of which nothing can be shipped yet is as if not begun.
        """
        # Of an unfinished line the last carriage return may be half of its line end.
        text = (
            without_line_end(encoding, raw)
            if complete
            else raw.removesuffix(encoding.carriage_return)
        )
        offset = 0
        settled = self._resume.line_start if self._resume.part == 1 else at
        while self.resume is not None and self.resume.part:
            seen = text[offset : offset + self._rules.window]
            final = complete and offset + len(seen) == len(text)
            piece = self._next(encoding, seen, final=final)
            if piece is None:
                break
            if self._resume.part == 1 and not self._accepts(records, piece):
                break
            if not encoding.decode(seen[: piece.length])[1]:
                records.invalid += 1
            offset += piece.length
            end = at + (len(raw) if piece.last and not piece.lost else offset)
            self._append(records, piece, settled, end)
            settled = end
        if self.resume is not None and self._resume.part == 0:
            end = at + (len(raw) if complete else len(text))
            if settled < end:
                records.settle(settled, end)
                records.resumes[end] = self._resume
            settled = end
        if self.resume is not None and (complete or self._resume.part == 1):
            records.resumes.pop(settled, None)
            self.resume = None
        return settled

    @property
    def _resume(self) -> Resume:
        assert self.resume is not None
        return self.resume

    def _next(self, encoding: Encoding, seen: bytes, *, final: bool) -> Piece | None:
        line_start, part, *_ = self._resume
        # The longer of the two prefixes, so that a part need not know whether it is the last.
        longest = len(prefix(part, line_id(self._stream, line_start), last=True))
        return next_piece(
            encoding,
            seen,
            self._rules.max_event_bytes - longest,
            self._events.filters,
            lookahead=self._rules.lookahead,
            final=final,
        )

    def _accepts(self, records: Records, first: Piece) -> bool:
        """Whether the filters let the line pass: its first piece speaks for all of it."""
        reason = self._events.filters.refusals([first.text]).get(0)
        line_start = self._resume.line_start
        if reason is not None:
            records.count_filtered(reason)
            self.resume = Resume(line_start, 0, self._events.previous)
            return False
        self.resume = Resume(
            line_start, 1, self._events.time_of_long(first.text), self._events.now_ms
        )
        return True

    def _append(self, records: Records, piece: Piece, start: int, end: int) -> None:
        line_start, part, timestamp, arrival = self._resume
        body = self._events.redacted(records, piece.text, piece.body)
        last = piece.last
        message = prefix(part, line_id(self._stream, line_start), last=last) + body
        records.add(timestamp, message, start, end, len(message.encode()))
        if piece.lost:
            records.count_filtered("redact")
            self.resume = Resume(line_start, 0, timestamp)
        elif last:
            self.resume = None
        else:
            self.resume = Resume(line_start, part + 1, timestamp, arrival)
        if self.resume is not None:
            records.resumes[end] = self.resume

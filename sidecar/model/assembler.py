"""The assembler: bytes at an offset in, records out."""

from __future__ import annotations

from sidecar.model import lines
from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.events import Events
from sidecar.model.lines import Lines
from sidecar.model.long_line import LongLine
from sidecar.model.multiline import LINE_FEED_BYTES, group
from sidecar.model.records import NO_TIME, Records, Resume
from sidecar.model.text import Encoding

HEAD_BYTES = 4
"""Bytes at the beginning of a source that tell its encoding: the longest byte-order mark."""

WIDEST = 4
"""UTF-8 bytes that one byte of any encoding can need (3 in truth)."""


class Assembler:
    """Makes records of one source's bytes.

    The records depend on the bytes, the rules and the calls' ``close`` and ``finished`` alone, not
    on how the bytes were cut into feeds. No text is kept from one feed to the next.

    A new assembler may go on at the ``consumed`` of an older one. It then needs

    - ``resume``: what ``Records.resumes`` says for that offset, if anything;
    - ``previous_timestamp``: the timestamp of the last record before it as it stood in
      ``Records.timestamps`` (NO_TIME if that was NO_TIME, not the arrival time it was given);
    - ``head``: the source's first HEAD_BYTES bytes, which may hold a byte-order mark;
    - ``before``: the last HEAD_BYTES bytes before the offset, from which it knows whether the
      last line had its line feed. Left empty, it is taken to have had one.
    """

    def __init__(
        self,
        rules: AssemblyRules,
        *,
        stream: str,
        resume: Resume | None = None,
        previous_timestamp: int = NO_TIME,
        head: bytes = b"",
        before: bytes = b"",
    ) -> None:
        self._rules = rules
        self._encoding, mark = Encoding.of(head, rules.encoding)
        self._events = Events(rules, previous_timestamp if resume is None else resume.timestamp)
        self._long_line = LongLine(rules, self._events, stream, resume)
        # The last line went out without a line feed: one that comes late is no line of its own.
        self._unended = (
            resume is None
            and before not in (b"", head[:mark])
            and not before.endswith(self._encoding.line_feed)
        )

    @property
    def resume(self) -> Resume | None:
        """Where in an over-long line it stands, if it does."""
        return self._long_line.resume

    @property
    def wide(self) -> bool:
        """Whether the encoding's characters hold NUL bytes as a matter of course (UTF-16, -32)."""
        return self._encoding.unit > 1

    def feed(
        self, data: bytes, start: int, now_ms: int, *, close: bool = False, finished: bool = False
    ) -> Records:
        """Records of ``data``, which lies at ``start``: the ``consumed`` of the feed before.

        What may still grow is not consumed, and has to be presented again with what follows it;
        ``AssemblyRules.window`` bytes always suffice for progress. ``close`` says that the open
        group has waited long enough; ``finished`` that the source has ended: a last line without
        line feed is a line then, and no group stays open.
        """
        records = Records(consumed=start)
        self._events.now_ms = now_ms
        begin = self._begin(records, data, start, finished=finished)
        if begin is None:
            return records
        if self._long_line.resume is not None:
            begin = self._go_on(records, data, start, begin, finished=finished)
            if self._long_line.resume is not None:
                return records
        self._complete(records, data, start, begin, close=close, finished=finished)
        return records

    def _begin(self, records: Records, data: bytes, start: int, *, finished: bool) -> int | None:
        """Where the first line's text begins in ``data``; None when it is too early to tell."""
        if not data:
            return None
        if start == 0 and self._long_line.resume is None:
            head = data[:HEAD_BYTES]
            if not finished and Encoding.may_become_mark(head, self._rules.encoding):
                return None
            self._encoding, mark = Encoding.of(head, self._rules.encoding)
            if mark == len(data) and finished:
                records.settle(0, mark)
                records.consumed = mark
                return None
            return mark
        return self._late_line_end(records, data, start, finished=finished) if self._unended else 0

    def _late_line_end(
        self, records: Records, data: bytes, start: int, *, finished: bool
    ) -> int | None:
        """Settle what still belongs to a last line that was shipped without its line end."""
        feed = self._encoding.line_feed
        both = self._encoding.carriage_return + feed
        half_unit = -start % self._encoding.unit
        rest = data[half_unit : half_unit + len(both)]
        if not finished and len(rest) < len(both) and both.startswith(rest):
            return None
        if not finished and len(rest) < len(feed) and feed.startswith(rest):
            return None
        end = 0
        for line_end in (both, feed):
            if not end and rest.startswith(line_end):
                end = len(line_end)
        end = min(half_unit + end, len(data))
        if end:
            records.settle(start, start + end)
            records.consumed = start + end
        self._unended = False
        return end

    def _go_on(
        self, records: Records, data: bytes, start: int, begin: int, *, finished: bool
    ) -> int:
        """Ship more of the line the checkpoint stands in; returns where the rest begins."""
        end = self._encoding.next_line_end(data, begin, start)
        complete = finished or end >= 0
        at = self._long_line.ship(
            records,
            self._encoding,
            data[begin : end if end >= 0 else len(data)],
            start + begin,
            complete=complete,
        )
        if finished and end < 0:
            self._unended = True
        records.consumed = at
        return at - start

    def _complete(
        self,
        records: Records,
        data: bytes,
        start: int,
        begin: int,
        *,
        close: bool,
        finished: bool,
    ) -> None:
        """Ship complete lines, and of an incomplete one what is certainly a part of it."""
        encoding = self._encoding
        last = encoding.last_line_end(data, begin, start)
        found = lines.cut(encoding, data[begin:last], start + begin)
        if start == 0:
            # The first record's range covers the byte-order mark that is no part of its message.
            found.bounds[0] = 0
        tail = data[last:]
        if finished and tail:
            lines.append(found, encoding, tail, start + len(data))
            self._unended = True
            tail = b""
        first = 0
        limit = self._rules.max_event_bytes
        if encoding.unit == 1 and b"\0" in data:
            records.nuls += lines.leave_out_nuls(found, limit)
        if found.sizes and max(found.sizes) > limit:
            for index, size in enumerate(found.sizes):
                if size > limit:
                    self._lines(records, found, first, index, b"", close=True)
                    self._long(records, found, index, data, start)
                    first = index + 1
        at = self._lines(records, found, first, len(found), tail, close=close or finished)
        records.consumed = found.bounds[at]
        if at == len(found) and self._outgrows(tail, limit):
            self._long_line.begin(found.bounds[at])
            records.consumed = self._long_line.ship(
                records, encoding, tail, start + last, complete=False
            )

    def _long(self, records: Records, found: Lines, index: int, data: bytes, start: int) -> None:
        line_start, end = found.bounds[index], found.bounds[index + 1]
        self._long_line.begin(line_start)
        text_start = line_start
        if line_start == 0:
            text_start = Encoding.of(data[:HEAD_BYTES], self._rules.encoding)[1]
        raw = data[text_start - start : end - start]
        self._long_line.ship(records, self._encoding, raw, text_start, complete=True)

    def _lines(
        self, records: Records, found: Lines, first: int, last: int, tail: bytes, *, close: bool
    ) -> int:
        """Ship the lines ``[first, last)``, none of them too long; returns which stay open."""
        rule = self._rules.multiline
        if first == last:
            return last
        if rule is None:
            self._events.ship_lines(records, found, first, last)
            return last
        limit = self._rules.max_event_bytes
        groups = group(found, first, last, rule, limit)
        firsts = groups.firsts
        room = limit - groups.open_bytes - LINE_FEED_BYTES
        # An unfinished line that has no room in the open group closes it, whatever it becomes.
        if not close and not self._outgrows(tail, room):
            firsts.pop()
        if len(firsts) > 1:
            self._events.ship_groups(records, found, firsts)
        return firsts[-1]

    def _outgrows(self, tail: bytes, room: int) -> bool:
        """Whether the line that begins as ``tail`` certainly needs more than ``room`` bytes."""
        if len(tail) * WIDEST <= room:
            return False
        sure = tail.removesuffix(self._encoding.carriage_return)
        return self._encoding.prefix(sure, max(room, 0), final=False)[2]

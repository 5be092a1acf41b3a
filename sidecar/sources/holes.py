"""NULs in a file: held until they are believed, then left out where they stand before a line.

Over NFS, writes that arrive out of order show holes that fill in later. At a file's end NULs are
room that a writer made beforehand: it fills in whenever, and only the end of the file ends that.
"""

from __future__ import annotations

import structlog

from sidecar.sources.content import Content
from sidecar.sources.source import Source, note_several_writers
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

NUL_PATIENCE = 1.0
"""Seconds a run of NULs is held before it is believed."""

PIECE_BYTES = 256 * 1024

MOST_LOOKED_THROUGH = 4 * 1024 * 1024
"""Of a long run in one turn: a memory-mapped appender makes room for tens of megabytes."""


class Holes:
    """Decides what of the bytes read may be assembled now."""

    def __init__(self, content: Content, totals: Totals) -> None:
        self._content = content
        self._totals = totals

    @staticmethod
    def known_to(source: Source, data: bytes, start: int | None = None) -> int:
        """Up to where it is known what the file holds, of which `data` was read at `start`, or else
        at the position."""
        end = (source.position if start is None else start) + len(data)
        return max(end, source.nul_looked_to) if data.endswith(b"\0") else end

    def past(
        self, source: Source, descriptor: int, data: bytes, now: float, *, finished: bool
    ) -> bytes:
        """The part of `data` that may be assembled now; moves past a run that is believed.

        What was there for as long as the first NUL was held is believed together with it.
        """
        source.ends_in_nuls = False
        if source.assembler.wide:
            return data
        first = data.find(0)
        if first < 0:
            source.nul_at = -1
            return data
        at = source.position + first
        if at < source.nul_room_to and not finished:
            if self._end_of_run(source, descriptor, data, first, anew=False) is None:
                return self._before_room(source, data, first)
        elif finished:
            source.nul_believed_to = source.position + len(data)
        if at >= source.nul_believed_to:
            if source.nul_at != at:
                source.nul_at, source.nul_since = at, now
                # All there is by now has the same second to fill in, however many the holes.
                source.nul_to = max(source.size, source.position + len(data))
            if now - source.nul_since < NUL_PATIENCE:
                self._end_of_run(source, descriptor, data, first, anew=False)
                return data[: data.rfind(b"\n", 0, first) + 1]
            source.nul_believed_to = source.nul_to
        source.nul_at = -1
        end = self._end_of_run(source, descriptor, data, first, anew=finished)
        if end is None and not finished:
            return self._before_room(source, data, first)
        if first:
            return data[:first] if end is None else self._with_believed_nuls(source, data, now)
        return self._past_run(source, descriptor, data, now, end, finished=finished)

    @staticmethod
    def _before_room(source: Source, data: bytes, first: int) -> bytes:
        """Nothing after the run yet: it may still fill in, and there is nothing to ship."""
        source.nul_at, source.nul_room_to = -1, source.nul_looked_to
        source.ends_in_nuls = True
        return data[:first]

    def skipped(self, source: Source, offset: int, nuls: int) -> None:
        """Count and name NULs that stay between lines. Behind whole lines of a file they are what
        one writer left out for another's bytes."""
        if offset and offset < source.size - nuls and source.tail[-1:] == b"\n":
            note_several_writers(source)
        self._totals.nul_bytes_skipped += nuls
        log.warning("nul_run_skipped", path=source.path, offset=offset, bytes=nuls)

    def _end_of_run(
        self, source: Source, descriptor: int, data: bytes, first: int, *, anew: bool
    ) -> int | None:
        """Where something else follows the run of NULs at `first`; None where nothing does, as far
        as it was looked through. What was found empty once is not looked through again, unless
        `anew`: a writer fills it from its beginning."""
        rest = data[first:].lstrip(b"\0")
        end = source.position + len(data)
        if rest:
            return end - len(rest)
        if anew:
            source.nul_looked_to = end
        source.nul_looked_to = at = max(source.nul_looked_to, end)
        stop = source.settled_ahead[0][0] if source.settled_ahead else source.size
        if at >= stop < source.size:
            return stop  # what is settled there is something else
        until = min(stop, at + MOST_LOOKED_THROUGH)
        while at < until:
            piece = self._content.pread(source, descriptor, min(PIECE_BYTES, until - at), at)
            self._totals.read_bytes += len(piece)
            if not piece:
                break
            rest = piece.lstrip(b"\0")
            if rest:
                return at + len(piece) - len(rest)
            at += len(piece)
            source.nul_looked_to = at
        return stop if at >= stop < source.size else None

    def _past_run(
        self,
        source: Source,
        descriptor: int,
        data: bytes,
        now: float,
        end: int | None,
        *,
        finished: bool,
    ) -> bytes:
        """Move past the run that `data` begins with: it is believed, or there is nothing else."""
        run = (source.nul_looked_to if end is None else end) - source.position
        self.skipped(source, source.position, run)
        if source.nul_skipped_from is None:
            source.nul_skipped_from = source.position
        source.position += run
        return self.past(source, descriptor, data[run:], now, finished=finished)

    @staticmethod
    def _with_believed_nuls(source: Source, data: bytes, now: float) -> bytes:
        """NULs inside lines are shipped as they are, those before a line are left out; up to the
        first that is not believed yet."""
        unbelieved = data.find(0, max(0, source.nul_believed_to - source.position))
        if unbelieved < 0:
            return data
        source.nul_at, source.nul_since = source.position + unbelieved, now
        source.nul_to = source.position + len(data)
        return data[: data.rfind(b"\n", 0, unbelieved) + 1]

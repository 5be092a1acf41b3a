"""Reads a source on, one turn at a time: growth, truncation, holes, incomplete lines.

Every look is at the held descriptor; every read begins a few bytes before the position
and compares them, so that a file truncated and written anew between two looks is seen even where
its size tells nothing.
"""

from __future__ import annotations

import enum
import os
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sidecar.model import fingerprint
from sidecar.model.assembler import Assembler
from sidecar.model.fingerprint import MARKER_LENGTH
from sidecar.model.portion import Portion
from sidecar.model.records import NO_TIME, Records, Resume
from sidecar.sources.archive import ArchiveReader
from sidecar.sources.descriptors import Changed, Descriptors, Moved
from sidecar.sources.holes import NUL_PATIENCE, Holes
from sidecar.sources.looks import Looks, Seen
from sidecar.sources.opening import open_file, problem
from sidecar.sources.source import Again, Source
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

READ_BYTES = 256 * 1024
"""One turn of a source. EFS bills a read as at least 32 KiB; larger turns gain nothing more and
make the others wait."""

MOST_READ_BYTES = 8 * 1024 * 1024
"""A turn's bound while a line is longer than `READ_BYTES`: several of the longest events."""

MOST_READERS = 8
"""Archives that are kept half read at a time; another one begins anew when it is read on."""

CLOCK_TICK_MS = 1_000
"""So old a file's time has to be before it can tell that nothing was written since."""

CONFIRM_AFTER = 0.05
"""Seconds between seeing a smaller size and believing it: a fresh look decides."""

LEAST_AGREEMENT = 4096
"""Bytes that must be as they were before a file counts as written over rather than anew."""


class Verdict(enum.Enum):
    """What a turn found out beside what it read."""

    SAME = "same"
    REPLACED = "replaced"
    OVERWRITTEN = "overwritten"
    """Another writer wrote over the last of what was read; `Turn.agrees_to` is where that began."""
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a source gave; `more` asks for another turn at once."""

    portion: Portion | None = None
    more: bool = False
    verdict: Verdict = Verdict.SAME
    agrees_to: int = 0
    stirred: bool = False
    """Something about it changed, and not its content: its name, maybe."""


class Tailer:
    """Takes sources a turn further; the only code that reads log files."""

    def __init__(self, descriptors: Descriptors, looks: Looks, totals: Totals) -> None:
        self._descriptors = descriptors
        self._looks = looks
        self._totals = totals
        self._readers: dict[int, tuple[object, ArchiveReader]] = {}
        self._holes = Holes(self._pread, totals)

    def turn(self, source: Source, now: float, now_ms: int) -> Turn:
        """Look at the source, and read at most one portion. Never raises for the volume's faults.

        A fault makes the source `stuck`, with the reason in `problem`; others go on.
        """
        return self._guarded(self._turn, source, now, now_ms)

    def again(self, source: Source, now: float, now_ms: int) -> Turn:
        """Read on in what is to be read once more; its position stays where it is."""
        return self._guarded(self._again, source, now, now_ms)

    def _guarded(
        self,
        act: Callable[[Source, float, int], Turn],
        source: Source,
        now: float,
        now_ms: int,
    ) -> Turn:
        try:
            turn = act(source, now, now_ms)
        except Moved:
            return Turn(verdict=Verdict.MOVED)
        except Changed:
            return Turn(verdict=Verdict.REPLACED)
        except OSError as error:
            self._stuck(source, error)
            return Turn()
        if source.problem is not None:
            log.info("source_readable_again", path=source.path)
            source.problem = None
            source.failures = 0
        return turn

    def _turn(self, source: Source, now: float, now_ms: int) -> Turn:
        seen, descriptor = self._seen(source)
        if source.archive is None:
            return self._look(source, descriptor, seen, now, now_ms)
        source.looked_at = now
        return self._read(source, descriptor, now, now_ms) if source.unread else Turn()

    def _again(self, source: Source, now: float, now_ms: int) -> Turn:
        wanted = source.again[0]
        descriptor = self._descriptors.of(source)
        part = source.reading_again
        if part is None:
            part = source.reading_again = self._part(source, descriptor, wanted)
        if wanted.inside:
            turn = self._read_inside(part, descriptor, wanted.end, now, now_ms)
        else:
            turn = self._read_on(
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
        data = self._pread(part, descriptor, length, part.position)
        self._totals.read_bytes += len(data)
        start, resume = part.position, part.assembler.resume
        records = part.assembler.feed(data, start, now_ms)
        _give_parts_one_time(records, resume)
        records.cut_after(end)
        if end not in (records.ends or [start]):
            return Turn(verdict=Verdict.REPLACED)
        part.position = part.seen_to = end
        return Turn(Portion(part.id, records, data, start, now, resume))

    def _part(self, source: Source, descriptor: int, wanted: Again) -> Source:
        """A source of its own, from `start` to `end`, whose every NUL was believed before."""
        length = min(MARKER_LENGTH, wanted.start)
        before = self._pread(source, descriptor, length, wanted.start - length)
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

    def measure(self, source: Source, now: float) -> None:
        """Note how far the file has grown, without reading it."""
        if source.archive is not None:
            return
        try:
            size = self._seen(source)[0].st_size
        except (OSError, Moved, Changed):
            return  # the source's next turn finds out
        if size > source.size:
            source.size = size
            source.note_growth(now)
            source.exhausted = False

    def head(self, source: Source) -> bytes:
        """The file's first bytes, for the fingerprint; empty when they cannot be read."""
        try:
            return self._pread(source, self._descriptors.of(source), fingerprint.FULL, 0)
        except (OSError, Moved, Changed):
            return b""

    def _seen(self, source: Source) -> tuple[os.stat_result | Seen, int]:
        """A look at the source, and its descriptor. Opening has asked the server already."""
        ask = source.ask_server and self._descriptors.holds(source)
        source.ask_server = False
        descriptor = self._descriptors.of(source)
        root = source.record.claim.root
        return self._looks.at(descriptor, source.path, root, ask=ask), descriptor

    def _look(
        self,
        source: Source,
        descriptor: int,
        seen: os.stat_result | Seen,
        now: float,
        now_ms: int,
    ) -> Turn:
        if source.deleted is False and seen.st_nlink == 0:
            source.deleted = True
        if seen.st_size < max(source.size, source.position):
            return self._shrunk(source, descriptor, seen.st_size, now)
        source.shrunk_at = None
        anew = written = seen.st_mtime_ns != source.modified_ns
        before = source.size
        grown = seen.st_size > before
        source.size = seen.st_size
        if grown:
            source.note_growth(now)
            source.exhausted = False
        source.looked_at = now
        stirred = not written and source.changed_ns not in (-1, seen.st_ctime_ns)
        # Another write in the same tick of the file system's clock would leave the time as it is.
        written = written or not source.time_tells
        source.modified_ns, source.changed_ns = seen.st_mtime_ns, seen.st_ctime_ns
        source.time_tells = now_ms - seen.st_mtime_ns // 1_000_000 > CLOCK_TICK_MS
        if written and source.ends_in_nuls:
            # Room that was made beforehand fills in, and the file does not grow.
            source.grew_at = now if anew else source.grew_at
            source.seen_to = source.position
            source.nul_believed_to = min(source.nul_believed_to, source.position)
        if source.unread == 0:
            if written and not self._same_tail(source, descriptor):
                return self._other_content(source, descriptor)
            return Turn(stirred=stirred)
        turn = self._read(source, descriptor, now, now_ms)
        if turn.verdict is Verdict.REPLACED:
            # The new size is the new content's: nothing of it is gone.
            source.size = max(before, source.position)
        return turn

    def _shrunk(self, source: Source, descriptor: int, size: int, now: float) -> Turn:
        """A size smaller than before: believed after a second, fresh look at the file itself."""
        if source.shrunk_at is None:
            source.shrunk_at = now
            return Turn()
        if now - source.shrunk_at < CONFIRM_AFTER:
            return Turn()
        if not source.leaving:
            try:
                fresh_descriptor = open_file(source.path)
            except FileNotFoundError:
                return Turn(verdict=Verdict.MOVED)
            try:
                fresh = os.fstat(fresh_descriptor)
            finally:
                os.close(fresh_descriptor)
            if fresh.st_ino != source.inode:
                return Turn(verdict=Verdict.REPLACED)
            size = fresh.st_size
            if size >= max(source.size, source.position):
                source.shrunk_at = None
                return Turn()
        if self._is_cut_back(source, descriptor, size):
            log.info("source_cut_back", path=source.path, from_size=source.size, to_size=size)
            source.size, source.seen_to = size, source.position
            source.shrunk_at, source.nul_at, source.exhausted = None, -1, False
            return Turn(more=True)
        return Turn(verdict=Verdict.REPLACED)

    def _is_cut_back(self, source: Source, descriptor: int, size: int) -> bool:
        """Was no more taken back than what was seen to be no line: the incomplete one of a writer
        that was killed, or room that was made beforehand? All before it is as it was read."""
        if not 0 < source.position <= size or source.group_open or source.seen_to < source.size:
            return False
        known = source.record.fingerprint
        if known is not None and not known.matches(os.pread(descriptor, known.length, 0)):
            return False
        return self._same_tail(source, descriptor)

    def _other_content(self, source: Source, descriptor: int) -> Turn:
        """What was read last is not there any more: written anew, or over by another writer.

        Two hosts that append to one file write over each other's last lines, each from where it
        believes the end to be; what is before that stays. A file that begins as another did (a
        banner) agrees to no such length.
        """
        for position, marker in reversed(source.anchors):
            if position < max(LEAST_AGREEMENT, source.position // 2):
                break
            self._totals.data_operations += 1
            if marker.matches(os.pread(descriptor, marker.length, position - marker.length)):
                return Turn(verdict=Verdict.OVERWRITTEN, agrees_to=position)
        return Turn(verdict=Verdict.REPLACED)

    def _same_tail(self, source: Source, descriptor: int) -> bool:
        if not source.tail:
            return True
        at = source.position - len(source.tail)
        self._totals.data_operations += 1
        return os.pread(descriptor, len(source.tail), at) == source.tail

    def _read(self, source: Source, descriptor: int, now: float, now_ms: int) -> Turn:
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
        return self._read_on(
            source, descriptor, now, now_ms, length, close=close, finished=finished
        )

    def _read_on(
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
        data = self._pread(source, descriptor, length + before, source.position - before)
        self._totals.read_bytes += len(data)
        if data[:before] != source.tail or not self._begins_alike(source, data):
            return self._other_content(source, descriptor)
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

    def _pread(self, source: Source, descriptor: int, length: int, at: int) -> bytes:
        """Bytes of the source's content, wherever it is."""
        self._totals.data_operations += 1
        if source.archive is None:
            return os.pread(descriptor, length, at)
        archive, reader = self._readers.pop(source.id, (None, ArchiveReader()))
        if archive != source.archive:
            reader = ArchiveReader()
        self._readers[source.id] = source.archive, reader
        if len(self._readers) > MOST_READERS:
            del self._readers[next(iter(self._readers))]
        return reader.pread(descriptor, length, at)

    @staticmethod
    def _begins_alike(source: Source, data: bytes) -> bool:
        """Are a file's first bytes, read only now, those that it was known by?"""
        known = source.record.fingerprint
        if known is None or source.position - len(source.tail) > 0:
            return True
        return len(data) < known.length or known.matches(data[: known.length])

    def _pass_settled(self, source: Source, descriptor: int) -> None:
        """Go on behind what an earlier run had settled out of order."""
        _, end, resume = source.settled_ahead.popleft()
        length = min(MARKER_LENGTH, end)
        source.tail = self._pread(source, descriptor, length, end - length)
        source.assembler = Assembler(
            source.rule.assembly,
            stream=source.key.stream,
            resume=resume,
            head=source.head,
            before=source.tail,
        )
        source.position = source.seen_to = end

    def _line_may_end(self, source: Source, descriptor: int, known: int) -> bool:
        """Look only at what is new of a long incomplete line: reading it whole each time it grows
        would cost its square."""
        fresh = self._pread(source, descriptor, READ_BYTES, source.seen_to)
        self._totals.read_bytes += len(fresh)
        if b"\n" in fresh or known + len(fresh) > source.rule.assembly.max_event_bytes:
            return True
        source.seen_to += len(fresh)
        source.exhausted = source.seen_to >= source.size
        return False

    def _assemble(
        self, source: Source, text: bytes, now: float, now_ms: int, *, close: bool, finished: bool
    ) -> Portion | None:
        start = source.position
        resume = source.assembler.resume
        records = source.assembler.feed(text, start, now_ms, close=close, finished=finished)
        if resume is not None or records.resumes:
            _give_parts_one_time(records, resume)
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

    def _stuck(self, source: Source, error: OSError) -> None:
        self._descriptors.close(source)
        source.failures += 1
        text = problem(error)
        if source.problem != text:
            log.warning("source_stuck", path=source.path, error=text)
        source.problem = text


def _give_parts_one_time(records: Records, resume: Resume | None) -> None:
    """Parts of a line without a time carry the moment of the first one; `resume` is of before."""
    for index, end in enumerate(records.ends):
        following = records.resumes.get(end)
        known = following or resume
        if known is not None and records.timestamps[index] == NO_TIME:
            records.timestamps[index] = known.arrival
        resume = following

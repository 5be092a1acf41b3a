"""Takes a source a turn further: looks whether it grew or was truncated, and has it read on.

Every look is at the held descriptor; every read begins a few bytes before the position
and compares them, so that a file truncated and written anew between two looks is seen even where
its size tells nothing.
"""

from __future__ import annotations

import os

import structlog

from sidecar.model.fingerprint import FULL
from sidecar.sources.content import Content
from sidecar.sources.descriptors import Changed, Descriptors, Moved
from sidecar.sources.looks import Looks, Seen
from sidecar.sources.opening import problem
from sidecar.sources.reading import Reading
from sidecar.sources.rereading import Rereading
from sidecar.sources.sameness import Sameness
from sidecar.sources.source import Source
from sidecar.sources.turns import Turn, Verdict
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

CLOCK_TICK_MS = 1_000
"""So old a file's time has to be before it can tell that nothing was written since."""


class Tailer:
    """Nothing else reads log files on; what a turn found out is its verdict."""

    def __init__(self, descriptors: Descriptors, looks: Looks, totals: Totals) -> None:
        self._descriptors = descriptors
        self._looks = looks
        self._content = Content(totals)
        self._sameness = Sameness(totals)
        self._reading = Reading(self._content, self._sameness, looks, totals)
        self._rereading = Rereading(self._content, self._reading, totals)

    def turn(self, source: Source, now: float, now_ms: int) -> Turn:
        """Read on in what is to be read once more, or look at the source and read at most one
        portion. Never raises for the volume's faults.

        A fault makes the source `stuck`, with the reason in `problem`; others go on.
        """
        try:
            turn = self._turn(source, now, now_ms)
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
        if source.again:
            return self._rereading.read_on(source, self._descriptors.of(source), now, now_ms)
        seen, descriptor = self._seen(source)
        if source.archive is None:
            return self._look(source, descriptor, seen, now, now_ms)
        source.looked_at = now
        return self._reading.read(source, descriptor, now, now_ms) if source.unread else Turn()

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
            return self._content.pread(source, self._descriptors.of(source), FULL, 0)
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
            return self._sameness.shrunk(source, descriptor, seen.st_size, now)
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
            if written and not self._sameness.has_tail(source, descriptor):
                return self._sameness.other_content(source, descriptor)
            return Turn(stirred=stirred)
        turn = self._reading.read(source, descriptor, now, now_ms)
        if turn.verdict is Verdict.REPLACED:
            # The new size is the new content's: nothing of it is gone.
            source.size = max(before, source.position)
        return turn

    def _stuck(self, source: Source, error: OSError) -> None:
        self._descriptors.close(source)
        source.failures += 1
        text = problem(error)
        if source.problem != text:
            log.warning("source_stuck", path=source.path, error=text)
        source.problem = text

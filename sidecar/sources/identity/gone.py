"""What can be read no more: settled as gone, counted and said, so that nothing is lost unsaid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from sidecar.model.journal import Entry, Settled, Span
from sidecar.model.ledger import SourceRecord
from sidecar.sources.source import Again, Source
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Gone:
    """The one place where bytes of a log are given up."""

    record: Callable[[Entry], None]
    totals: Totals

    def rest(self, source: Source) -> None:
        """Nothing more of the source is to be found: neither what was not read, nor what was to be
        read once more."""
        source.reading_again = None
        while source.again:
            self.wanted(source.again.popleft())
        source.rest_since = None
        unread = source.pass_all()
        if unread:
            self._settle(source.record, unread, unread[0][0], unread[-1][1])

    def wanted(self, wanted: Again) -> None:
        """What was to be read once more is nowhere to be found."""
        missing = list(wanted.record.unsettled(wanted.start, wanted.end))
        if missing:
            self._settle(wanted.record, missing, wanted.start, wanted.end)

    def seen_only(self, source: Source, start: int) -> None:
        """From `start` on the file was seen to grow; the copy that is read instead ends there."""
        self._count(source.path, start, source.size, source.size - start)

    def _settle(
        self, record: SourceRecord, ranges: Sequence[tuple[int, int]], start: int, end: int
    ) -> None:
        self.record(Settled(None, tuple(Span(record.source, *each, "gone") for each in ranges)))
        self._count(record.path, start, end, sum(last - first for first, last in ranges))

    def _count(self, path: str, start: int, end: int, size: int) -> None:
        self.totals.bytes_gone += size
        log.warning("bytes_gone", path=path, start=start, end=end)

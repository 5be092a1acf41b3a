"""Lets go of sources: of those read to their end and quiet, and of those nowhere to be found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from sidecar.model.journal import Entry, Settled, Span
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.identity.archives import Archives
from sidecar.sources.identity.copies import beside
from sidecar.sources.identity.gone import Gone
from sidecar.sources.identity.index import Index
from sidecar.sources.identity.lifecycle import Lifecycle
from sidecar.sources.identity.passed_over import PassedOver
from sidecar.sources.identity.remembered import Remembered
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.source import Source
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

REST_PATIENCE = 2.0
"""Seconds to look for the copy or the archive that holds the rest of a file, before what is known
not to have been read of it is given up. What is being made or looked through is waited for."""


@dataclass(slots=True, kw_only=True)
class Retirement:
    """A source ends first, and is forgotten once it is settled and its file is gone."""

    index: Index
    record: Callable[[Entry], None]
    lifecycle: Lifecycle
    remembered: Remembered
    whereabouts: Whereabouts
    passed_over: PassedOver
    archives: Archives
    descriptors: Descriptors
    gone: Gone
    totals: Totals
    farewell: Callable[[Source], None] = lambda source: None
    """Told of each source whose file is done with and gone, before it is forgotten."""

    def sweep(self, now: float) -> None:
        """Go through all sources."""
        for source in list(self.index.sources.values()):
            if source.rest_since is not None:
                waits = self.archives.pending(self.index.kin.bases(source.id))
                if now - source.rest_since >= REST_PATIENCE and not waits:
                    if self._is_read_under_another_name(source):
                        source.size = source.position
                    self.gone.rest(source)
                    self.lifecycle.end(source)
            elif source.over:
                is_gone = self.whereabouts.is_gone(source, now)
                done = source.deleted or source.superseded or is_gone
                if source.finished and done:
                    self.forget(source, now)
            elif self.whereabouts.is_gone(source, now) and not self.descriptors.holds(source):
                self._look_beside(source, now)
            elif source.held or source.again:
                continue  # its descriptor may be the only way to what is to be read once more
            elif source.leaving and source.unread == 0 and _is_quiet(source):
                self._finish(source)
        self.remembered.forget_old(now)

    def _is_read_under_another_name(self, source: Source) -> bool:
        """May a newer source be the copy of one of which nothing was ever read?

        Nothing tells such a copy, and it is read from its start as a file like any other.
        """
        if source.position > 0 or source.record.fingerprint is not None:
            return False
        return any(
            other.id > source.id
            and other.path != source.path
            and other.record.feeds == source.record.feeds
            and other.record.claim.start == 0
            and other.size >= source.size
            for other in self.index.sources.values()
        )

    def forget(self, source: Source, now: float) -> None:
        """Let go of it; what tells a copy or an archive of it is remembered for a while."""
        self.farewell(source)
        self.whereabouts.report_again.append(source.path)
        self.passed_over.report_copies_of(source)
        del self.index.sources[source.id]
        self.whereabouts.forget(source)
        self.remembered.remember(source, now)

    def _look_beside(self, source: Source, now: float) -> None:
        """A file that cannot be found: have what lies beside its name looked at once more."""
        self.lifecycle.end(source)
        source.rest_since = now
        try:
            siblings = beside(source, self.index.kin.bases(source.id))
        except OSError:
            return
        self.whereabouts.report_again += [found.path for found in siblings]

    def _finish(self, source: Source) -> None:
        if source.nul_skipped_from is not None:
            # A run of NULs with nothing after it: a file made larger than what was written.
            span = Span(source.id, source.nul_skipped_from, source.position, "filtered")
            self.record(Settled(None, (span,)))
            self.totals.bytes_filtered += source.position - source.nul_skipped_from
        log.info("source_finished", path=source.path, read_to=source.position)
        self.lifecycle.end(source)


def _is_quiet(source: Source) -> bool:
    """Did a look, not merely the clock, find that nothing came for so long?"""
    looked = source.looked_at - source.grew_at
    return source.shrunk_at is None and looked >= source.rule.partial

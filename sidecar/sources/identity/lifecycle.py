"""The life of a source in this process: added with its file, ended, and revived where the file is
written to after all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sidecar.model.journal import Entry, SourceMoved
from sidecar.model.ledger import Ledger, SourceRecord
from sidecar.model.ownership import Ownership
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.identity.index import Index
from sidecar.sources.identity.passed_over import PassedOver
from sidecar.sources.identity.restoring import restored
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.rules import LogRule
from sidecar.sources.source import Source
from sidecar.sources.stream_order import StreamOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifecycle:
    """Adds to the sources, and says which of them are read, and in what order."""

    index: Index
    ledger: Ledger
    record: Callable[[Entry], None]
    order: StreamOrder
    whereabouts: Whereabouts
    passed_over: PassedOver
    descriptors: Descriptors
    ownership: Ownership

    def add(self, record: SourceRecord, candidate: Candidate, rule: LogRule, now: float) -> Source:
        """The file holds what the record speaks of: read it on from there."""
        found = candidate.found
        source = restored(
            record,
            candidate,
            rule,
            self.ledger,
            renamed_away=self._was_renamed_away(found, record, candidate),
            abandoned=self.ownership.is_abandoned(found.path, found.root),
            now=now,
        )
        if found.path != record.path:
            self.record(SourceMoved(record.source, found.path))
        self.index.kin.add(source.id, found.path, rule.match.rotated)
        if found.base is not None:
            self.index.kin.add(source.id, found.base, "off")
        self.index.sources[source.id] = source
        self.passed_over.discard(found.path)
        if candidate.head:
            self.index.fingerprints.learn(source, candidate.head)
        self.order.add(source)
        before = self.order.before(source)
        if before is not None:
            # Whoever wrote to it may have gone on until there was this file.
            self.whereabouts.look_once_more(before)
        self.whereabouts.enter(source, found, now)
        return source

    def end(self, source: Source) -> None:
        """Nothing more is read of it."""
        source.over = True
        self.descriptors.close(source)
        self.order.remove(source)

    def revive(self, source: Source, now: float) -> None:
        """A file that was done with is written to after all."""
        if source.over and not source.superseded:
            source.over = False
            source.rest_since = None
            source.grew_at = now
            self.order.add(source)

    def _was_renamed_away(self, found: Found, record: SourceRecord, candidate: Candidate) -> bool:
        """Is it under a rotated name, since now or, for what an earlier run knew, since then?"""
        if found.base is not None and record.claim.path != found.path:
            return True
        return candidate.record is record and self.whereabouts.is_rotated(found)

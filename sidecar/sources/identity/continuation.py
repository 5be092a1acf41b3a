"""Lets a source go on in another file that holds its content by now: a copy, or an archive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from sidecar.model.journal import Entry, SourceMoved
from sidecar.model.ledger import SourceRecord
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.identity.claiming import Claiming
from sidecar.sources.identity.gone import Gone
from sidecar.sources.identity.index import Index
from sidecar.sources.identity.lifecycle import Lifecycle
from sidecar.sources.identity.remembered import Remembered
from sidecar.sources.identity.streams import feeds_of
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.rules import LogRule
from sidecar.sources.source import Source

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """The record, its number and its checkpoint stay; the file and its inode are others."""

    index: Index
    record: Callable[[Entry], None]
    lifecycle: Lifecycle
    remembered: Remembered
    whereabouts: Whereabouts
    claiming: Claiming
    descriptors: Descriptors
    gone: Gone

    def go_on(
        self, number: int, candidate: Candidate, rule: LogRule, now: float, now_ms: int
    ) -> Source:
        """The source goes on in the candidate's file where it stood."""
        found = candidate.found
        source = self.index.sources.get(number)
        record = self.index.records[number]
        read_to = record.acknowledged if source is None else source.position
        log.info(
            "source_continues_in_copy",
            path=record.path,
            copy=found.path,
            read_to=read_to,
            size=candidate.size,
        )
        if source is not None and source.again and _is_unchanged(source, candidate):
            # It was read again as far as this goes: the rest was written after the copy was made.
            self.gone.wanted(source.give_up_again())
        if candidate.size < read_to:
            return self._go_on_later(source, record, candidate, rule, now, now_ms)
        self.remembered.wake_up(record)
        self.record(SourceMoved(number, found.path, candidate.inode))
        self.index.kin.add(number, found.path, rule.match.rotated)
        if source is None:
            before = candidate.before[record.acknowledged]
            known = replace(candidate, record=record, tail=before)
            source = self.lifecycle.add(record, known, rule, now)
        else:
            self._move(source, candidate, now)
        source.renamed_away = True
        return source

    def _go_on_later(
        self,
        source: Source | None,
        record: SourceRecord,
        candidate: Candidate,
        rule: LogRule,
        now: float,
        now_ms: int,
    ) -> Source:
        """A copy that is shorter than what was read: known by a record of its own from now on, and
        read where it becomes longer."""
        claimed = self.claiming.claim(candidate, feeds_of(record), candidate.size, now_ms)
        copy = self.lifecycle.add(claimed, candidate, rule, now)
        copy.renamed_away = True
        if source is not None:
            source.copy = copy
            copy.again.extend(source.again)
            source.again.clear()
        return copy

    def _move(self, source: Source, candidate: Candidate, now: float) -> None:
        """Let a living source go on in another file."""
        self.descriptors.close(source)
        self.whereabouts.let_go(source)
        held_to = max(candidate.size, source.position)
        if source.size > held_to:
            # Written after the copy was made and before the truncation, seen and not read.
            self.gone.seen_only(source, held_to)
        source.size = held_to
        source.archive = candidate.archive
        source.entry_inode = candidate.found.inode
        source.superseded = source.deleted = source.exhausted = False
        source.missing_since = source.rest_since = source.shrunk_at = None
        source.seen_to = source.position
        source.modified_ns = -1
        self.whereabouts.enter(source, candidate.found, now)
        self.index.fingerprints.learn(source, candidate.head)
        self.lifecycle.revive(source, now)


def _is_unchanged(source: Source, candidate: Candidate) -> bool:
    """Is it the file that the source was read in last, and holds no more than it did?"""
    return (
        candidate.inode == source.inode
        and candidate.archive == source.archive
        and candidate.size <= source.size
    )

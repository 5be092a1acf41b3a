"""`delete_after`: rotated files are removed so long after all of them was acknowledged.

Only what was renamed away, or compressed, and only after a writer has gone on to a new file; never
what holds a byte that CloudWatch refused, or that was gone before it was read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import structlog

from sidecar.health import Degradation
from sidecar.model.journal import (
    ArchiveFinished,
    ArchiveForgotten,
    Entry,
    SourceFinished,
)
from sidecar.model.ledger import Ledger, SourceRecord
from sidecar.sources.agenda import NEVER
from sidecar.sources.compressed import archives_beside, holds
from sidecar.sources.identity.catalogue import Catalogue
from sidecar.sources.poll import Budget
from sidecar.sources.pruning import Pruning
from sidecar.sources.rules import LogRule
from sidecar.sources.siblings import base_paths
from sidecar.sources.source import Source
from sidecar.sources.unlinking import Kept, Known, StillGrown, remove
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

STEP_SECONDS = 1.0
"""How often what is finished is gone through."""

LONGEST_PAUSE = 3600.0
REFUSED_PAUSE = 600.0
"""Seconds until a file is looked at again that was left alone, or could not be removed."""

OPERATIONS = 5
"""Metadata operations of one removal: open, look, successor, unlink, close."""


class Removal:
    """Remembers since when rotated files are acknowledged, and removes them. Owned by the pump."""

    def __init__(
        self,
        *,
        rules: Sequence[LogRule],
        catalogue: Catalogue,
        ledger: Ledger,
        record: Callable[[Entry], None],
        pruning: Pruning,
        budget: Budget,
        totals: Totals,
    ) -> None:
        self._rules = tuple(rules)
        self._soonest = _soonest(rules)
        self._catalogue = catalogue
        self._ledger = ledger
        self._record = record
        self._pruning = pruning
        self._budget = budget
        self._totals = totals
        self._stepped_at = float("-inf")
        self._paused: dict[str, float] = {}
        self._problem: str | None = None
        self._is_first = True
        self._now_ms = 0
        self._removed: set[int] = set()
        catalogue.retirement.farewell = self.farewell

    def replace_rules(self, rules: Sequence[LogRule]) -> None:
        self._rules = tuple(rules)
        self._soonest = _soonest(rules)
        self._pruning.replace_rules(rules)

    def degradations(self) -> Iterator[Degradation]:
        if self._problem is not None:
            yield Degradation("deletion", self._problem)

    def step(self, now: float, now_ms: int) -> None:
        """Note what is finished by now; remove what has been for long enough."""
        if now - self._stepped_at < STEP_SECONDS:
            return
        self._stepped_at, self._now_ms = now, now_ms
        if self._is_first:
            self._is_first = False
            self._begin()
        for source in list(self._catalogue.sources.values()):
            if not _is_rotated_and_settled(source):
                continue
            self._note_finished(source.record)
            if source.archive is not None:
                self._note_archive(source)
                continue
            finished = source.record.finished
            if finished is None or not self._may_look(source.path, finished[1], now, now_ms):
                continue
            after = self._delete_after(source.path)
            if after is not None:
                self._remove_source(source, after, now, now_ms)
        for archive in list(self._ledger.archives.values()):
            if not self._may_look(archive.path, archive.at_ms, now, now_ms):
                continue
            after = self._delete_after(archive.path)
            if after is not None:
                self._remove_archive(archive, after, now, now_ms)
        self._pruning.step(now, now_ms)

    def farewell(self, source: Source) -> None:
        """A source's file is gone: if it was compressed, the archive takes its place."""
        self._paused.pop(source.path, None)
        if source.id in self._removed:
            self._removed.discard(source.id)
        elif _is_rotated_and_settled(source, there=False):
            self._note_finished(source.record)
            self._look_for_archive(source.record, source.rule)

    def _begin(self) -> None:
        """What was compressed while no sidecar ran; and whether anything can be removed at all."""
        for record in list(self._ledger.sources.values()):
            if record.finished is None or record.source in self._catalogue.sources:
                continue
            rule = self._rule(record.path)
            self._budget.spend(1)
            if rule is None or os.path.exists(record.path):
                continue
            if self._look_for_archive(record, rule):
                self._catalogue.remembered.forget(record.source)
        for rule in self._rules:
            for glob in rule.match.include:
                if rule.delete_after is not None and _is_read_only(str(glob.fixed)):
                    self._refused(str(glob.fixed), "the volume is mounted read-only")

    def _note_finished(self, record: SourceRecord) -> None:
        if record.finished is None or record.finished[0] != record.acknowledged:
            self._record(SourceFinished(record.source, record.acknowledged, self._now_ms))

    def _note_archive(self, source: Source) -> None:
        """It was read out of an archive, which is removed as others are."""
        root, inode = source.record.claim.root, source.inode
        if source.archive is None or (root, inode) in self._ledger.archives:
            return
        if source.record.finished is not None:
            size, modified_ns = source.archive
            at_ms = source.record.finished[1]
            path = source.path
            self._record(ArchiveFinished(root, path, inode, size, modified_ns, at_ms))

    def _look_for_archive(self, record: SourceRecord, rule: LogRule) -> bool:
        root = record.claim.root
        if record.finished is None or record.finished[0] != record.acknowledged:
            return False
        self._budget.spend(1)
        try:
            for archive in archives_beside(record.path, rule):
                if (root, archive.inode) in self._ledger.archives:
                    continue
                self._budget.spend(1)
                if holds(archive, record):
                    path, inode, size, modified_ns = archive
                    at_ms = record.finished[1]
                    self._record(ArchiveFinished(root, path, inode, size, modified_ns, at_ms))
                    return True
        except OSError:
            return False
        return False

    def _remove_source(self, source: Source, after: float, now: float, now_ms: int) -> None:
        record = source.record
        if record.finished is None or now_ms - record.finished[1] < after * 1000:
            return
        known = Known(
            inode=source.inode,
            size=record.acknowledged,
            quiet_since=now_ms / 1000 - after,
            fingerprint=record.fingerprint,
            marker=record.marker,
        )
        if self._remove(source.path, known, after, now):
            source.deleted = True
            self._removed.add(source.id)
            self._pruning.emptied(os.path.dirname(source.path), after, now_ms)

    def _remove_archive(
        self, archive: ArchiveFinished, after: float, now: float, now_ms: int
    ) -> None:
        if now_ms - archive.at_ms < after * 1000:
            return
        rule = self._rule(archive.path)
        path = None if rule is None else self._now_at(archive, rule)
        if path is None:
            self._forget(archive)
            return
        known = Known(
            inode=archive.inode,
            size=archive.bytes,
            quiet_since=float("inf"),
            modified_ns=archive.modified_ns,
        )
        if self._remove(path, known, after, now):
            self._forget(archive)
            self._pruning.emptied(os.path.dirname(path), after, now_ms)
        elif path in self._paused:
            # It is asked for by the name it had when it was found.
            self._paused[archive.path] = self._paused[path]

    def _forget(self, archive: ArchiveFinished) -> None:
        self._paused.pop(archive.path, None)
        self._record(ArchiveForgotten(archive.root, archive.inode))

    def _now_at(self, archive: ArchiveFinished, rule: LogRule) -> str | None:
        """Where the archive is by now: rotations rename it on. None where it is gone."""
        self._budget.spend(1)
        try:
            for found in archives_beside(archive.path, rule):
                if found.inode == archive.inode:
                    return found.path
        except OSError:
            return archive.path
        return None

    def _remove(self, path: str, known: Known, after: float, now: float) -> bool:
        self._budget.spend(OPERATIONS)
        pause = min(LONGEST_PAUSE, max(STEP_SECONDS, after / 10))
        try:
            remove(path, known, self._successors(path))
        except Kept as kept:
            log.debug("file_kept", path=path, reason=str(kept))
            self._paused[path] = now + pause
            return False
        except StillGrown as grown:
            log.error("bytes_gone", path=path, start=known.size, end=known.size + grown.size)
            self._totals.bytes_gone += grown.size
        except OSError as error:
            self._refused(path, error.strerror or str(error))
            self._paused[path] = now + REFUSED_PAUSE
            return False
        self._problem = None
        self._totals.files_deleted += 1
        log.info("file_deleted", path=path, bytes=known.size)
        return True

    def _refused(self, path: str, why: str) -> None:
        """Said once: the same is true of every file there."""
        remedy = (
            f"mount the volume writable and let user {os.geteuid()} write to the directory, "
            "or remove delete_after"
        )
        if self._problem is None:
            log.warning("file_not_deleted", path=path, problem=why, remedy=remedy)
        self._problem = f"{path} cannot be removed: {why}; {remedy}"

    def _may_look(self, path: str, at_ms: int, now: float, now_ms: int) -> bool:
        """Can it be time for this file? Asked of all of them, so before any name is matched."""
        if now_ms - at_ms < self._soonest * 1000 or now < self._paused.get(path, now):
            return False
        return self._budget.has_room(now)

    def _delete_after(self, path: str) -> float | None:
        rule = self._rule(path)
        return None if rule is None else rule.delete_after

    def _rule(self, path: str) -> LogRule | None:
        """The entry whose log was rotated into this name."""
        for rule in self._rules:
            if any(rule.match.takes(base) for base in base_paths(path, rule.match.rotated)):
                return rule
        return None

    def _successors(self, path: str) -> list[str]:
        rule = self._rule(path)
        if rule is None:
            return []
        bases = base_paths(path, rule.match.rotated)
        return [os.path.basename(base) for base in bases if rule.match.takes(base)]


def _soonest(rules: Sequence[LogRule]) -> float:
    """The shortest delete_after in seconds; infinity where there is none."""
    return min(
        (each.delete_after for each in rules if each.delete_after is not None), default=NEVER
    )


def _is_rotated_and_settled(source: Source, *, there: bool = True) -> bool:
    if not source.over or not source.nameless or source.superseded:
        return False
    if there and (source.deleted or source.missing_since is not None):
        return False
    settled = source.record.settled_bytes
    return source.finished and not (settled["rejected"] or settled["gone"])


def _is_read_only(directory: str) -> bool:
    try:
        return bool(os.statvfs(directory).f_flag & os.ST_RDONLY)
    except OSError:
        return False

"""What survives this process: one ledger in memory, its journal on the volume, the dead letters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import structlog

from sidecar.model.adoption import adopt
from sidecar.model.batch import Batch, Reason
from sidecar.model.history import EVERY_STREAM, MOST_AHEAD_MS
from sidecar.model.journal import KNOWS_EVENTS, Entry, HistoryEnds
from sidecar.model.ledger import Ledger
from sidecar.registry.journal_file import JournalFile
from sidecar.registry.journal_recovery import load, set_aside
from sidecar.registry.members import Member, dead_members
from sidecar.registry.rejected import DeadLetter, DeadLetters
from sidecar.registry.state_directory import unusable
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

SYNC_SECONDS = 1.0
"""An fsync at most this often. The loss of a whole host may forfeit so much of the journal; what
was acknowledged in that time is sent once more."""


class Checkpoints:
    """Records what happens, and makes it durable at its own pace. Owned by the pump."""

    def __init__(
        self, state_dir: Path, member: Member, totals: Totals, *, now: float, now_ms: int
    ) -> None:
        """Take over what dead members left. Raises StateError when that cannot be read."""
        self.ledger = Ledger()
        self.letters = DeadLetters(state_dir, member.id)
        self._totals = totals
        self._journal = JournalFile(member.directory, member=member.id, at_ms=now_ms)
        self._synced_at = now
        self._failures = 0
        self.is_first = False
        """Has this state directory never been used before?"""
        self._take_over(state_dir, member.id, now, now_ms)

    @property
    def problem(self) -> str | None:
        """Why the volume does not take the journal or the dead letters; None when it does."""
        return self._journal.problem or self.letters.problem

    def record(self, entry: Entry) -> None:
        """Note one thing that happened: at once in memory, on the volume at the next flush."""
        self.ledger.apply(entry)
        self._journal.append(entry)

    def flush(self, now: float) -> None:
        """Hand the lines to the volume: from here they outlive this process, if not this host."""
        self._journal.flush(now)
        self._count_failures()

    def sync(self, now: float, now_ms: int, *, at_once: bool = False) -> None:
        """Make it durable, at most once in SYNC_SECONDS, and compact what grew long."""
        if not at_once and now - self._synced_at < SYNC_SECONDS:
            return
        self._synced_at = now
        if self._journal.sync(now):
            self._totals.journal_syncs += 1
        if self._journal.compaction_due(now):
            self._journal.compact(self.ledger, now, now_ms)
        self._count_failures()

    def reject(self, batch: Batch, refused: Sequence[tuple[int, Reason]], now_ms: int) -> bool:
        """Keep these events of the batch as dead letters, durably.

        Only when this gives True may their bytes be settled as rejected.
        """
        events = batch.events()
        kept = True
        for index, reason in refused:
            timestamp, message = events[index]
            start, end = batch.starts[index], batch.ends[index]
            record = self.ledger.sources[batch.sources[index]]
            letter = DeadLetter(
                at=now_ms,
                path=record.path,
                source=f"{record.claim.root}:{record.claim.inode}:{record.claim.at_ms}",
                offset=start,
                length=end - start,
                group=batch.key.group,
                stream=batch.key.stream,
                timestamp=timestamp,
                reason=reason,
                message=message,
            )
            kept = self.letters.append(letter) and kept
        kept = self.letters.sync() and kept
        self._totals.dead_letters_discarded = self.letters.discarded
        return kept

    def close(self, now: float, now_ms: int) -> None:
        """The clean end: a snapshot, so that the next start reads little."""
        self._journal.compact(self.ledger, now, now_ms)
        self._journal.close()
        self.letters.close()

    def _take_over(self, state_dir: Path, own: str, now: float, now_ms: int) -> None:
        dead = dead_members(state_dir, own=own)
        self.is_first = not dead
        try:
            for member in dead:
                try:
                    loaded = load(member.directory)
                except OSError as error:
                    raise unusable(member.directory, "read the journal", error) from error
                for warning in loaded.warnings:
                    log.error("journal_damaged", problem=warning)
                set_aside(loaded.broken, now_ms)
                if loaded.warnings or loaded.oldest_version < KNOWS_EVENTS:
                    # What was acknowledged is not known event by event, so nothing up to here can
                    # be reconciled.
                    latest = now_ms + MOST_AHEAD_MS
                    loaded.ledger.apply(HistoryEnds(*EVERY_STREAM, latest))
                for entry in adopt(self.ledger, loaded.ledger):
                    self._journal.append(entry)
                self.letters.remember(member.id)
            self._totals.possible_duplicates = self.ledger.possible_duplicates
            settled = self.ledger.settled_bytes()
            self._totals.bytes_acknowledged = settled["delivered"]
            self._totals.bytes_rejected = settled["rejected"]
            self._totals.bytes_filtered = settled["filtered"]
            self._totals.bytes_gone = settled["gone"]
            if self._journal.compact(self.ledger, now, now_ms):
                for member in dead:
                    member.remove()
        finally:
            for member in dead:
                member.release()

    def _count_failures(self) -> None:
        failures = self._journal.failures
        if failures > self._failures:
            log.error("journal_not_written", problem=self._journal.problem)
            self._totals.journal_write_failures += failures - self._failures
            self._failures = failures

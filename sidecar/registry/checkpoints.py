"""What survives this process: one ledger in memory, its journal on the volume, the dead letters."""

from __future__ import annotations

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Final

import structlog

from sidecar.errors import StateError
from sidecar.model.adoption import adopt
from sidecar.model.batch import Batch, Reason
from sidecar.model.history import EVERY_STREAM, MOST_AHEAD_MS
from sidecar.model.journal import (
    FATES,
    KNOWS_EVENTS,
    Counted,
    Entry,
    Fate,
    HistoryEnds,
    IntentSent,
    TaskKnown,
)
from sidecar.model.ledger import Ledger, SourceRecord
from sidecar.registry.journal_file import JournalFile
from sidecar.registry.journal_recovery import load, set_aside
from sidecar.registry.members import DeadMember, Member, dead_members
from sidecar.registry.rejected import DeadLetter, DeadLetters
from sidecar.registry.state_directory import unusable
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

_COUNTED: Final[dict[Fate, str]] = {
    "delivered": "bytes_acknowledged",
    "rejected": "bytes_rejected",
    "filtered": "bytes_filtered",
    "gone": "bytes_gone",
}

SYNC_SECONDS = 1.0
"""An fsync at most this often, beside those of intents."""

INTENTS_SYNC_SECONDS = 0.5
"""Between two fsyncs for the sake of intents, unless there are many of them: EFS bills each as a
write of 32 KiB, and a line should not wait long for company."""


class Checkpoints:
    """Records what happens, and makes it durable at its own pace. Owned by the pump."""

    def __init__(
        self,
        state_dir: Path,
        member: Member,
        totals: Totals,
        *,
        outlives_host: bool = False,
        now: float,
        now_ms: int,
    ) -> None:
        """Take over what dead members left. Raises StateError when that cannot be read.

        A state directory that `outlives_host`, on NFS, is read by others when this host is gone:
        they must find each request there that it may have made.
        """
        self.ledger = Ledger()
        self.letters = DeadLetters(state_dir, member.id)
        self._totals = totals
        self._journal = JournalFile(member.directory, member=member.id, at_ms=now_ms)
        self._outlives_host = outlives_host
        self._synced_at = now
        self._failures = 0
        self._is_closed = False
        self._taken: list[DeadMember] = []
        """Taken over, but not durably yet: their folders stay, and their locks are ours."""
        self._start(state_dir, member, now, now_ms)

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

    def intents_wait(self, now: float) -> float:
        """Seconds until the next intents may be made durable, unless there are many of them."""
        return self._synced_at + INTENTS_SYNC_SECONDS - now if self._outlives_host else 0.0

    def commit(self, now: float) -> None:
        """Put the intents where whoever takes over finds them; only then may requests start."""
        if not self._outlives_host:
            self.flush(now)
            return
        self._synced_at = now
        self._journal.sync(now)
        self._count_failures()

    def sync(self, now: float, now_ms: int, *, at_once: bool = False) -> None:
        """Make it durable, at most once in SYNC_SECONDS, and compact what grew long."""
        if at_once or now - self._synced_at >= SYNC_SECONDS:
            self._synced_at = now
            self._journal.sync(now)
        if self._journal.compaction_due(now):
            self._journal.compact(self.ledger, now, now_ms)
        self._totals.journal_syncs = self._journal.syncs
        self._count_failures()

    def make_durable(self, now: float) -> bool:
        """Is all that was recorded durable now?"""
        durable = self._journal.sync(now)
        self._count_failures()
        return durable

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

    def take_over(
        self,
        dead: Sequence[DeadMember],
        living: Container[int],
        next_batch: int,
        now_ms: int,
    ) -> tuple[list[SourceRecord], list[IntentSent]]:
        """Take in what these members knew while we run; gives the sources that came to us, and the
        requests whose outcome nobody knows.

        `living` are the numbers of the sources that are read here, `next_batch` is the first
        number that no batch of ours has. What it amounts to is durable after `finish_take_over`.
        """
        ledger = self.ledger
        sources, intents = set(ledger.sources), set(ledger.intents)
        settled, duplicates = ledger.settled_bytes(), ledger.possible_duplicates
        self.record(Counted(ledger.next_source, next_batch, duplicates))
        for member in dead:
            try:
                self._adopt(member, now_ms, living)
            except (OSError, StateError) as error:
                # It stays for whoever can read it; what it had is not delivered meanwhile.
                log.error("member_not_readable", member=member.id, problem=str(error))
                member.release()
                continue
            self._taken.append(member)
        for fate, counted in ledger.settled_bytes().items():
            self._count_settled(fate, counted - settled[fate])
        self._totals.possible_duplicates += ledger.possible_duplicates - duplicates
        unknown = [intent for batch, intent in ledger.intents.items() if batch not in intents]
        return [ledger.sources[each] for each in ledger.sources if each not in sources], unknown

    def finish_take_over(self, now: float) -> list[str]:
        """Make it durable, and remove the folders; gives the ids of the members that are gone.

        Only while this member is proved to be one: its own ledger must be there to stay.
        """
        if not self._taken or not self._journal.sync(now):
            return []
        finished, self._taken = self._taken, []
        for member in finished:
            member.remove()
        return [member.id for member in finished]

    def close(self, now: float, now_ms: int) -> None:
        """The clean end: a snapshot, so that the next start reads little."""
        self._journal.compact(self.ledger, now, now_ms)
        self.let_go()

    def let_go(self) -> None:
        """After the end, or when all of it may be another's: files closed, nothing written."""
        if not self._is_closed:
            self._is_closed = True
            self._journal.close()
            self.letters.close()
        for member in self._taken:
            member.release()

    def _start(self, state_dir: Path, member: Member, now: float, now_ms: int) -> None:
        """Take over everybody who is dead, and begin with a snapshot of all that is known."""
        dead = dead_members(state_dir, own=member.id)
        try:
            for each in dead:
                try:
                    self._adopt(each, now_ms, ())
                except OSError as error:
                    raise unusable(each.directory, "read the journal", error) from error
            known = [record.claim.task for record in self.ledger.sources.values()]
            for task in [*known, member.task]:
                if task and task not in self.ledger.tasks:
                    self.record(TaskKnown(task))
            self._totals.possible_duplicates = self.ledger.possible_duplicates
            for name in FATES:
                setattr(self._totals, _COUNTED[name], 0)
            for fate, counted in self.ledger.settled_bytes().items():
                self._count_settled(fate, counted)
            if self._journal.compact(self.ledger, now, now_ms):
                for each in dead:
                    each.remove()
        finally:
            for each in dead:
                each.release()

    def _adopt(self, dead: DeadMember, now_ms: int, living: Container[int]) -> None:
        loaded = load(dead.directory)
        for warning in loaded.warnings:
            log.error("journal_damaged", problem=warning)
        set_aside(loaded.broken, now_ms)
        if loaded.warnings or loaded.oldest_version < KNOWS_EVENTS:
            # What was acknowledged is not known event by event, so nothing up to here can be
            # reconciled.
            latest = now_ms + MOST_AHEAD_MS
            loaded.ledger.apply(HistoryEnds(*EVERY_STREAM, latest))
        for entry in adopt(self.ledger, loaded.ledger, living):
            self._journal.append(entry)
        self.letters.remember(dead.id)
        log.info("member_taken_over", member=dead.id, sources=len(loaded.ledger.sources))

    def _count_settled(self, fate: Fate, settled: int) -> None:
        name = _COUNTED[fate]
        setattr(self._totals, name, getattr(self._totals, name) + settled)

    def _count_failures(self) -> None:
        failures = self._journal.failures
        if failures > self._failures:
            log.error("journal_not_written", problem=self._journal.problem)
            self._totals.journal_write_failures += failures - self._failures
            self._failures = failures

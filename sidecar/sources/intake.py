"""The reading half in one place: discover, wake, look, read; what comes out are portions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from sidecar.model.batch import StreamKey
from sidecar.model.journal import Entry, IntentSent
from sidecar.model.ledger import SourceRecord
from sidecar.model.outcome_ranges import Missing
from sidecar.model.portion import Portion
from sidecar.sources.agenda import Agenda
from sidecar.sources.artifact import ArtifactRule
from sidecar.sources.artifacts import Artifacts
from sidecar.sources.discovery import Discovery
from sidecar.sources.identity.catalogue import Catalogue
from sidecar.sources.look_times import next_look, next_look_at_over
from sidecar.sources.mounts import Mounts
from sidecar.sources.poll import Budget, Pace
from sidecar.sources.portions import Portions, forget_old_times
from sidecar.sources.reach import Reach
from sidecar.sources.removal import Removal
from sidecar.sources.rounds import Rounds
from sidecar.sources.rules import LogRule
from sidecar.sources.source import Again, Source
from sidecar.sources.tailer import Tailer
from sidecar.sources.turns import Turn, Verdict
from sidecar.sources.watch import Watch
from sidecar.telemetry import Totals

SWEEP_SECONDS = 1.0
"""How often sources that are done with are let go."""

LOOK_AGAIN_SECONDS = 0.2
"""How soon a name is looked at again that a scan could not decide on."""

LEARN_SECONDS = 15.0
"""How often the mount table is read: a volume may be mounted over a root later."""


class Intake:
    """Reads every source in turn, woken by the watch or by the poll. Owned by the pump."""

    def __init__(
        self,
        *,
        discovery: Discovery,
        watch: Watch,
        catalogue: Catalogue,
        artifacts: Artifacts,
        removal: Removal,
        tailer: Tailer,
        mounts: Mounts,
        reach: Reach,
        budget: Budget,
        pace: Pace,
        totals: Totals,
        record: Callable[[Entry], None],
        now: float,
    ) -> None:
        self.discovery = discovery
        self.watch = watch
        self.catalogue = catalogue
        self.artifacts = artifacts
        self.removal = removal
        self.mounts = mounts
        self.reach = reach
        self.pace = pace
        self.last_growth = now
        """When a whole line, or a new file, was last found; monotonic seconds."""
        self._tailer = tailer
        self._budget = budget
        self._portions = Portions(record, totals)
        self.rounds = Rounds(
            catalogue=catalogue, tailer=tailer, reach=reach, budget=budget, pace=pace, now=now
        )
        self._looks: Agenda[int] = Agenda()
        self._swept_at = now
        self._covered_at = float("-inf")
        self._learned_at = float("-inf")

    @property
    def has_unread(self) -> bool:
        """Is a source waiting for its turn, or an archive being looked through?"""
        return not self.rounds.is_empty or self.catalogue.archives.is_busy

    def discover(self, now: float, now_ms: int, *, everything: bool = False) -> None:
        """Scan what is due and take in what changed; the first time all there is."""
        everything = everything or self.catalogue.beginning.is_new
        self._cover(now)
        for directory in self.watch.directories():
            self.discovery.touch(directory, now)
        if everything:
            self.discovery.make_all_due()
        moved_in = self.watch.moved_in()
        if self.discovery.next_due() <= now:
            self._scan(now, now_ms, everything=everything)
        if self.catalogue.beginning.is_new:
            self.catalogue.beginning.end()
            self.artifacts.miss(now)
        if not self.reach.hung:
            for source in self.catalogue.look_through(now, now_ms):
                self.rounds.give_turn(source)
        for path in moved_in:
            self.artifacts.touched(path, now, renamed_into_place=True)

    def wake(self, now: float) -> None:
        """Give a turn to what the watch named, and to what is due for a look."""
        for path in self.watch.modified():
            source = self.catalogue.whereabouts.at(path)
            if source is not None:
                source.heard = True
                self.catalogue.lifecycle.revive(source, now)
                self.rounds.give_turn(source)
            else:
                self.artifacts.touched(path, now)
        self.rounds.wake(now)
        while self._looks.next_due() <= now and self._budget.has_room(now):
            number = self._looks.take()
            source = self.catalogue.sources.get(number)
            if source is None:
                self.pace.forget(number)
                continue
            self._budget.spend(1)
            self._look(source, now)
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            self.catalogue.whereabouts.is_behind = self.discovery.next_due() <= now
            if not self.reach.hung:
                self.catalogue.retirement.sweep(now)
            self._report_again(now)

    def reload(self, logs: Sequence[LogRule], artifacts: Sequence[ArtifactRule]) -> None:
        """Go by new rules from the next scan on: offsets and streams stay as they are."""
        self.catalogue.replace_rules(logs)
        self.artifacts.replace_rules(artifacts)
        self.removal.replace_rules(logs)
        matches = [rule.match for rule in logs] + [rule.match for rule in artifacts]
        self.discovery.replace_rules(matches)
        self.mounts.learn(self.discovery.roots)
        self.watch.cover(self.discovery.roots)

    def release(self, intent: IntentSent, missing: Sequence[Missing], now: float) -> None:
        """The outcome of an earlier process's request is known: nothing of it is held any more.

        What is missing is read once more. A source that is not found yet needs nothing: what is
        not settled of it is read when it is.
        """
        if intent.artifact is not None:
            self.artifacts.release(intent.artifact.path, now)
        for span in intent.spans:
            source = self.catalogue.sources.get(span.source)
            if source is not None:
                source.held.discard(intent.batch)
        readers = []
        for each in missing:
            source = self.catalogue.sources.get(each.source)
            if source is None:
                continue
            wanted = Again(source.record, *each[1:])
            reader = self.catalogue.read_again(source, wanted, now)
            if reader is not None:
                readers.append(reader)
        # Each goes before all others: so the oldest file is the last to be put there.
        for reader in sorted(readers, key=lambda each: (each.order, each.id), reverse=True):
            self.rounds.give_turn_anew(reader)

    def look_again(self, paths: Iterable[str], now: float) -> None:
        """Have the next scan report these names, which may be ours by now."""
        for path in paths:
            self.discovery.forget(path)
            self.discovery.touch(path.rpartition("/")[0], now)

    def adopt(
        self,
        records: Sequence[SourceRecord],
        artifacts: Sequence[str],
        unknown: Sequence[IntentSent],
        now: float,
    ) -> None:
        """Take in what a member had that was taken over: the next scan finds it all at once, so
        that the older file of a stream is read before the newer."""
        for intent in unknown:
            if intent.artifact is not None:
                self.artifacts.hold(intent.artifact.path)
        self.catalogue.remembered.adopt(records)
        self.look_again([record.path for record in records], now)
        self.look_again(artifacts, now)
        self.artifacts.miss(now)

    def close(self) -> None:
        """Let go of every file and of the watch."""
        self.watch.close()
        self.catalogue.close()

    def note_tasks(self, now: float) -> None:
        """A task began or ended: its directory is another's, or everybody's."""
        for source in self.catalogue.note_tasks():
            self._looks.put(source.id, now)
        self.discovery.note_tasks(now)

    def look_at_everything(self, now: float, now_ms: int) -> None:
        """One look at every directory and source, whatever it costs: before a drain ends."""
        self.discover(now, now_ms, everything=True)
        for source in self.catalogue.sources.values():
            self._budget.spend(1)
            self._look(source, now)
        self.artifacts.make_all_due(now)

    def read(
        self, now: float, now_ms: int, has_room: Callable[[StreamKey | None], bool]
    ) -> Iterator[tuple[StreamKey, Portion]]:
        """One turn for each source that waits for one, while there is room for what it gives."""
        for source in self.rounds.turns(now, has_room):
            if source.over:
                self._look_later(source, now)
                continue
            polled, size = source.ask_server, source.size
            turn = self._tailer.turn(source, now, now_ms)
            if polled and source.size > size:
                source.heard = False  # until the watch tells of it after all
            if turn.portion is not None:
                self.last_growth = now
                self._portions.note(turn.portion)
                if len(turn.portion.records):
                    if source.rule.old_events_now:
                        forget_old_times(turn.portion.records, now_ms)
                    yield source.key, turn.portion
            self._after(source, turn, now, now_ms)

    def next_due(self) -> float:
        """Monotonic time of the next scan, look or artifact."""
        dues = (
            self._looks.next_due(),
            self.rounds.next_due(),
            self.discovery.next_due(),
            self.artifacts.next_due(),
            self.catalogue.archives.next_due(),
        )
        return min(dues)

    def _scan(self, now: float, now_ms: int, *, everything: bool) -> None:
        # The first scan waits for all: what it finds is not what it may miss.
        answers = None if self.catalogue.beginning.is_new else self.reach.answers
        changes = self.discovery.scan(now, whatever_it_costs=everything, answers=answers)
        for path in changes.vanished:
            self.catalogue.vanished(path, now)
            self.artifacts.vanished(path, now)
        for directory in changes.lost:
            self.watch.lost(directory)
        logs = []
        for found in changes.found:
            if found.rule.kind == "log":
                logs.append(found)
            else:
                self.artifacts.found(found, now)
        if changes.found:
            self.last_growth = now
        for source in self.catalogue.admit(logs, now, now_ms):
            self.rounds.give_turn(source)
        for path in self.catalogue.unreadable:
            self.discovery.forget(path)
        self._report_again(now)

    def _look(self, source: Source, now: float) -> None:
        """Give it a turn; of one that is done with, only see whether it was written to."""
        if not self.reach.answers(source.record.claim.root):
            self._looks.put(source.id, now + self.pace.hot)
            return
        if source.over and self.catalogue.whereabouts.has_grown(source):
            self.catalogue.lifecycle.revive(source, now)
        if source.over:
            self._look_later(source, now)
        else:
            source.ask_server = True
            self.rounds.give_turn(source)

    def _look_later(self, source: Source, now: float) -> None:
        self._looks.put(source.id, next_look_at_over(source, now, self.pace))

    def _cover(self, now: float) -> None:
        """Watch roots that came, and learn what file systems all lie on by now."""
        if self.reach.hung:
            return
        waited = now - self._covered_at >= self.pace.hot
        if not self.watch.covers_all and (waited or self.watch.stirred):
            self._covered_at = now
            for root in self.watch.cover():
                self.discovery.touch(root, now)
                self._learned_at = float("-inf")
        if now - self._learned_at >= LEARN_SECONDS:
            self._learned_at = now
            self.mounts.learn(self.discovery.roots)

    def _report_again(self, now: float) -> None:
        paths = self.catalogue.whereabouts.report_again
        self.look_again(paths, now + LOOK_AGAIN_SECONDS)
        paths.clear()

    def _after(self, source: Source, turn: Turn, now: float, now_ms: int) -> None:
        if turn.verdict is Verdict.REPLACED:
            for successor in self.catalogue.truncation.replaced(source, now, now_ms):
                self.rounds.give_turn(successor)
            return
        if turn.verdict is Verdict.OVERWRITTEN:
            truncation = self.catalogue.truncation
            follower = truncation.overwritten(source, turn.agrees_to, now, now_ms)
            if follower is not None:
                self.rounds.give_turn(follower)
            return
        if turn.verdict is Verdict.MOVED:
            self.catalogue.whereabouts.misled(source, now)
        if turn.verdict is Verdict.MOVED or turn.stirred:
            self.discovery.touch(source.path.rpartition("/")[0], now)
        elif self.catalogue.fingerprints.is_wanted(source):
            self.catalogue.fingerprints.learn(source, self._tailer.head(source))
        if turn.more:
            self.catalogue.order.is_not_read_out(source)
            self.rounds.give_turn(source)
            return
        revalidates = self.mounts.revalidates(source.record.claim.root)
        self._looks.put(source.id, next_look(source, now, self.pace, revalidates=revalidates))

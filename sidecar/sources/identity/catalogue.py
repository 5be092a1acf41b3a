"""All sources this member reads: admits what discovery found, and lets go of what is over.

A file is known by its inode number under its root and by its first bytes. A known one goes on where
its record stands, whatever it is called by now; an unknown one is claimed, which decides its stream
for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sidecar.model.journal import Entry
from sidecar.model.ledger import Ledger
from sidecar.model.ownership import Ownership
from sidecar.model.stream_names import Surroundings
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Found
from sidecar.sources.identity.admission import Admission
from sidecar.sources.identity.archives import Archives
from sidecar.sources.identity.beginning import Beginning
from sidecar.sources.identity.claiming import Claiming
from sidecar.sources.identity.continuation import Continuation
from sidecar.sources.identity.examination import Examination
from sidecar.sources.identity.fingerprints import Fingerprints
from sidecar.sources.identity.gone import Gone
from sidecar.sources.identity.index import Index
from sidecar.sources.identity.lifecycle import Lifecycle
from sidecar.sources.identity.originals import Originals
from sidecar.sources.identity.passed_over import PassedOver
from sidecar.sources.identity.remembered import Remembered
from sidecar.sources.identity.retirement import Retirement
from sidecar.sources.identity.streams import Streams
from sidecar.sources.identity.tracing import Tracing
from sidecar.sources.identity.truncation import Truncation
from sidecar.sources.identity.whereabouts import Whereabouts, is_its_archive
from sidecar.sources.looks import Looks
from sidecar.sources.poll import Budget
from sidecar.sources.rules import LogRule
from sidecar.sources.source import Again, Source
from sidecar.sources.stream_order import StreamOrder
from sidecar.telemetry import Totals


class Catalogue:
    """Every source by number, and the parts that decide what becomes of them; owned by the pump.

    Those parts are public that somebody outside asks by themselves: who has sources read, who
    removes their files, and who tells of them.
    """

    def __init__(
        self,
        *,
        rules: Sequence[LogRule],
        ledger: Ledger,
        record: Callable[[Entry], None],
        descriptors: Descriptors,
        looks: Looks,
        budget: Budget,
        totals: Totals,
        surroundings: Surroundings,
        ownership: Ownership,
        state_created: float,
        first_start: bool,
    ) -> None:
        self._rules = {rule.match.number: rule for rule in rules}
        self._descriptors = descriptors
        self._budget = budget
        self._ownership = ownership
        self._gone = Gone(record, totals)
        self.beginning = Beginning(state_created=state_created, first_start=first_start)
        self.order = StreamOrder(descriptors.holds)
        self.fingerprints = Fingerprints(record)
        self._index = Index(ledger.sources, self.fingerprints)
        self.whereabouts = Whereabouts(
            record=record,
            kin=self._index.kin,
            descriptors=descriptors,
            looks=looks,
            budget=budget,
            totals=totals,
        )
        self.streams = Streams(
            whereabouts=self.whereabouts, surroundings=surroundings, ownership=ownership
        )
        self.remembered = Remembered(
            rules=self._rules,
            record=record,
            index=self._index,
            whereabouts=self.whereabouts,
            streams=self.streams,
            ownership=ownership,
        )
        tracing = Tracing(
            index=self._index,
            whereabouts=self.whereabouts,
            remembered=self.remembered,
            descriptors=descriptors,
        )
        self._examination = Examination(
            known_of=tracing.known,
            whereabouts=self.whereabouts,
            budget=budget,
            totals=totals,
        )
        self.unreadable = self._examination.unreadable
        self.archives = Archives(
            known_of=tracing.known,
            budget=budget,
            unreadable=self.unreadable,
        )
        self.passed_over = PassedOver(
            index=self._index,
            whereabouts=self.whereabouts,
            descriptors=descriptors,
            beginning=self.beginning,
        )
        self._claiming = Claiming(
            rules=self._rules,
            ledger=ledger,
            record=record,
            ownership=ownership,
            whereabouts=self.whereabouts,
            remembered=self.remembered,
            streams=self.streams,
            beginning=self.beginning,
            totals=totals,
        )
        self.lifecycle = Lifecycle(
            ledger=ledger,
            record=record,
            index=self._index,
            order=self.order,
            whereabouts=self.whereabouts,
            passed_over=self.passed_over,
            descriptors=descriptors,
            ownership=ownership,
        )
        self.retirement = Retirement(
            record=record,
            index=self._index,
            lifecycle=self.lifecycle,
            remembered=self.remembered,
            whereabouts=self.whereabouts,
            passed_over=self.passed_over,
            archives=self.archives,
            descriptors=descriptors,
            gone=self._gone,
            totals=totals,
        )
        self._admission = Admission(
            rules=self._rules,
            examination=self._examination,
            archives=self.archives,
            whereabouts=self.whereabouts,
            remembered=self.remembered,
            tracing=tracing,
            originals=Originals(
                ledger=ledger,
                index=self._index,
                tracing=tracing,
                examination=self._examination,
                descriptors=descriptors,
                budget=budget,
            ),
            passed_over=self.passed_over,
            claiming=self._claiming,
            lifecycle=self.lifecycle,
            continuation=Continuation(
                record=record,
                index=self._index,
                lifecycle=self.lifecycle,
                remembered=self.remembered,
                whereabouts=self.whereabouts,
                claiming=self._claiming,
                descriptors=descriptors,
                gone=self._gone,
            ),
            retirement=self.retirement,
        )
        self.truncation = Truncation(
            admission=self._admission,
            examination=self._examination,
            archives=self.archives,
            whereabouts=self.whereabouts,
            claiming=self._claiming,
            lifecycle=self.lifecycle,
            kin=self._index.kin,
            totals=totals,
        )
        self.remembered.adopt(list(ledger.sources.values()))

    @property
    def sources(self) -> Mapping[int, Source]:
        return self._index.sources

    def replace_rules(self, rules: Sequence[LogRule]) -> None:
        """New configuration: sources keep their streams and offsets, and read by the new rules."""
        self._rules.clear()
        self._rules.update((rule.match.number, rule) for rule in rules)

    def close(self) -> None:
        """Let go of every open file."""
        self._descriptors.close_all()
        self.archives.close()

    def waits_for_archive(self, source: Source) -> bool:
        """Must an archive be looked through first, which may hold older lines of the stream?"""
        bases = self._index.kin.bases(source.id)
        return source.archive is None and self.archives.pending(bases, ripe=True)

    def admit(self, found: Sequence[Found], now: float, now_ms: int) -> list[Source]:
        """Take in what scans found; gives the sources to look at, the oldest content first."""
        unknown = []
        looked_at = []
        for each in found:
            source = self.whereabouts.of(each, each.inode, now)
            if source is not None and source.over and is_its_archive(source, each):
                self.whereabouts.seen(source, each, now)
            elif source is None or source.over:
                # The number of a file that is done with may be another file's by now, and a file
                # that was done with may go on after all.
                if source is not None or not self._claiming.is_left(each, now):
                    unknown.append(each)
            else:
                self.whereabouts.seen(source, each, now)
                looked_at.append(source)
        for each in unknown:
            if each.compressed:
                self.archives.offer(each, now)
        plain = [each for each in unknown if not each.compressed]
        looked_at += self._admission.admit(plain, now, now_ms)
        # What lost its name has its last bytes read before its successor's first.
        nameless = self.whereabouts.take_nameless()
        for source in nameless:
            self._budget.spend(1)
            source.ask_server = True
        doubted = self.passed_over.take_doubted()
        self._claiming.return_unused()
        return nameless + doubted + looked_at

    def look_through(self, now: float, now_ms: int) -> list[Source]:
        """Look a slice further through archives that are not known; gives what to look at."""
        candidates, plain = self.archives.step(now)
        candidates = [each for each in candidates if self._examination.is_what_was_found(each)]
        admitted = [self._admission.admit_one(each, now, now_ms) for each in candidates]
        sources = [source for source in admitted if source is not None]
        sources += self._admission.admit(plain, now, now_ms)
        self._claiming.return_unused()
        return sources

    def vanished(self, path: str, now: float) -> None:
        """A name is gone from a directory that is still there: renamed away, or deleted."""
        self.unreadable.pop(path, None)
        self.passed_over.discard(path)
        self.whereabouts.vanished(path, now)

    def read_again(self, source: Source, wanted: Again, now: float) -> Source | None:
        """Have these bytes of the source read once more; gives whose turn it is."""
        while source.copy is not None:
            source = source.copy
        if source.rest_since is not None:
            source.again.append(wanted)
            return None
        if source.superseded or (source.over and self.whereabouts.is_gone(source, now)):
            self._gone.wanted(wanted)
            return None
        source.again.append(wanted)
        self.lifecycle.revive(source, now)
        return source

    def note_tasks(self) -> list[Source]:
        """A task began or ended: its files are written to again, which it gives, or no more."""
        again = []
        for source in self.sources.values():
            before = source.abandoned
            root = source.record.claim.root
            source.abandoned = self._ownership.is_abandoned(source.path, root)
            if before and not source.abandoned:
                again.append(source)
        return again

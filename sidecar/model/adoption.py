"""Taking over what a dead member knew."""

from collections.abc import Container, Iterable
from dataclasses import replace

from sidecar.model.journal import (
    ArrivalTimeUsed,
    Counted,
    Entry,
    HistoryEnds,
    IntentSent,
    Settled,
    SourceForgotten,
    TaskKnown,
)
from sidecar.model.ledger import Ledger, SourceRecord
from sidecar.model.owed import closed


def adopt(ours: Ledger, other: Ledger, living: Container[int] = ()) -> list[Entry]:
    """Merge `other` into `ours` under new numbers; the entries to journal, applied already.

    `living` are numbers of ours that are being read: what is known of those stands.

    A source both have is kept once, with the checkpoint that is further: that happens when a
    member died between taking a ledger over and removing the folder it came from.
    """
    adoption = _Adoption(ours, living)
    adoption.take_sources(other)
    adoption.take_owed(other)
    adoption.take_intents(other)
    adoption.take_history(other)
    adoption.take_the_rest(other)
    return adoption.entries


class _Adoption:
    """One take-over under way: the entries so far, and the new numbers of the sources."""

    def __init__(self, ours: Ledger, living: Container[int]) -> None:
        self.entries: list[Entry] = []
        self._ours = ours
        self._living = living
        self._numbers: dict[int, int] = {}

    def take_sources(self, other: Ledger) -> None:
        known = _Known(self._ours)
        for theirs in other.sources.values():
            same = known.counterpart(theirs)
            if same is not None and (
                same.progress >= theirs.progress or same.source in self._living
            ):
                # What was under way for it is unknown all the same.
                self._numbers[theirs.source] = same.source
                continue
            self._numbers[theirs.source] = number = self._ours.next_source
            self._record(theirs.renumbered(number))
            if same is not None:
                moved = {same.source: number}
                owed = _of_source(self._ours.owed, same.source)
                under_way = _of_source(self._ours.intents.values(), same.source)
                self._record(closed(renumbered(each, moved) for each in owed))
                self._record([renumbered(each, moved) for each in under_way])
                self._record([SourceForgotten(same.source)])
                self._record([Settled(each.batch, ()) for each in under_way if self._is_over(each)])

    def take_owed(self, other: Ledger) -> None:
        """Before the history: a batch that is stored in part is in both, under one number."""
        known = {_act(intent) for intent in (*self._ours.owed, *self._ours.intents.values())}
        for intent in other.owed:
            ours = self._renumbered(intent)
            if ours.spans and _act(ours) not in known:
                self._record(closed([ours]))

    def take_intents(self, other: Ledger) -> None:
        known = {_act(intent) for intent in self._ours.intents.values()}
        for intent in other.intents.values():
            ours = self._renumbered(intent)
            if not (ours.spans or not intent.spans) or _act(ours) in known:
                continue
            if self._is_over(ours) and not _is_settled(other, intent):
                continue
            self._record([ours])

    def _renumbered(self, intent: IntentSent) -> IntentSent:
        """As a request of ours, of the sources that were taken."""
        ours = renumbered(intent, self._numbers, alone=True)
        return replace(ours, batch=self._ours.next_batch)

    def _is_over(self, intent: IntentSent) -> bool:
        """Does ours know what came of the request, as whoever took the same folder over before
        did? Asked for once more, it would find its own answer accounted for, and be sent again."""
        intent = self._ours.intents.get(intent.batch, intent)
        return _is_settled(self._ours, intent)

    def take_history(self, other: Ledger) -> None:
        """Before what happens next: a batch both have is one."""
        known = {replace(stored, batch=0) for stored in self._ours.history.batches.values()}
        for entry in other.history.entries():
            if isinstance(entry, HistoryEnds):
                known_to = self._ours.history.ended((entry.group, entry.stream))
                if entry.timestamp > known_to:
                    self._record([entry])
            elif replace(entry, batch=0) not in known:
                self._record([replace(entry, batch=self._ours.next_batch)])

    def take_the_rest(self, other: Ledger) -> None:
        ours = self._ours
        self._record([TaskKnown(task) for task in other.tasks if task not in ours.tasks])
        for (group, stream), timestamp in other.arrivals.items():
            if timestamp > ours.arrivals.get((group, stream), timestamp - 1):
                self._record([ArrivalTimeUsed(group, stream, timestamp)])
        for path, artifact in other.artifacts.items():
            mine = ours.artifacts.get(path)
            if mine is None or mine.at_ms < artifact.at_ms:
                self._record([artifact])
        for key, archive in other.archives.items():
            if key not in ours.archives:
                self._record([archive])
        if other.possible_duplicates:
            duplicates = ours.possible_duplicates + other.possible_duplicates
            self._record([Counted(ours.next_source, ours.next_batch, duplicates)])

    def _record(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self._ours.apply(entry)
            self.entries.append(entry)


class _Known:
    """The sources held before the take-over, by what tells that another is the same."""

    def __init__(self, ledger: Ledger) -> None:
        self._by_claim = {_claim(record): record for record in ledger.sources.values()}
        self._by_content = {
            _content(record): record for record in ledger.sources.values() if record.fingerprint
        }

    def counterpart(self, other: SourceRecord) -> SourceRecord | None:
        """Ours that is the same source: claimed in the same act, or the same file and content."""
        found = self._by_claim.get(_claim(other))
        if found is None and other.fingerprint:
            found = self._by_content.get(_content(other))
        return found


def renumbered(intent: IntentSent, numbers: dict[int, int], *, alone: bool = False) -> IntentSent:
    """The intent with other numbers for these sources; `alone`, without any other source."""
    return replace(
        intent,
        spans=tuple(
            span._replace(source=numbers.get(span.source, span.source))
            for span in intent.spans
            if span.source in numbers or not alone
        ),
        sources=tuple(numbers.get(source, 0 if alone else source) for source in intent.sources),
        resumes=tuple(
            at._replace(source=numbers.get(at.source, at.source))
            for at in intent.resumes
            if at.source in numbers or not alone
        ),
    )


def _of_source(intents: Iterable[IntentSent], source: int) -> list[IntentSent]:
    return [each for each in intents if any(span.source == source for span in each.spans)]


def _is_settled(ledger: Ledger, intent: IntentSent) -> bool:
    """Is every byte of it settled?"""
    return bool(intent.spans) and all(
        span.source in ledger.sources
        and not any(ledger.sources[span.source].unsettled(span.start, span.end))
        for span in intent.spans
    )


def _act(intent: IntentSent) -> tuple[str, str, int, int, int, int]:
    """What tells one request from another, whatever its number."""
    return (
        intent.group,
        intent.stream,
        intent.at_ms,
        intent.least,
        intent.greatest,
        intent.crc,
    )


def _claim(record: SourceRecord) -> tuple[str, int, str, str, int, object]:
    """A source whose file is gone has no inode number to be told by: its content has to do."""
    claim = record.claim
    content = record.fingerprint if claim.inode < 0 else None
    return claim.root, claim.inode, claim.group, claim.stream, claim.at_ms, content


def _content(record: SourceRecord) -> tuple[str, int, object]:
    return record.claim.root, record.claim.inode, record.fingerprint

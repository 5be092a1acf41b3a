"""What a member knows about its sources: the fold of its journal.

The checkpoint of a source is `acknowledged`: every byte before it is settled, and it only ever
grows. Because the same lines are written again after a failed write, applying entries a second
time changes nothing, but may count possible duplicates twice. For that, sources are claimed in
the order of their numbers; batches may be sent in any order, and again under their number.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from sidecar.model import digest
from sidecar.model.byte_range import ByteRanges
from sidecar.model.fingerprint import NO_MARKER, Fingerprint, Marker
from sidecar.model.history import NEVER, History, as_stored, partly_stored
from sidecar.model.journal import (
    FATES,
    ArchiveFinished,
    ArchiveForgotten,
    ArrivalTimeUsed,
    ArtifactDeleted,
    ArtifactShipped,
    BatchAbandoned,
    BatchStored,
    Counted,
    Entry,
    Fate,
    Header,
    HistoryEnds,
    IntentSent,
    Mark,
    Settled,
    SourceCheckpoint,
    SourceClaimed,
    SourceFingerprinted,
    SourceFinished,
    SourceForgotten,
    SourceMoved,
    Span,
    TaskKnown,
    Trailer,
)
from sidecar.model.owed import Owed
from sidecar.model.records import Resume

Edge = tuple[Marker, Resume | None]

MOST_MARKS = 8
"""Earlier checkpoints that are remembered of a source."""

MOST_TASKS = 20_000
"""Ids of tasks that are remembered: years of deployments, in a megabyte."""


@dataclass(slots=True)
class SourceRecord:
    """One source: who it is, where it goes, and how far it is settled.

    `acknowledged` is the checkpoint, `marker` and `resume` belong to it. `beyond` are settled
    ranges past the checkpoint, `edges` the marker and resume of each one's end. `settled_bytes`
    counts every settled byte, before and beyond, by its fate. `finished` is where a rotated source
    ended when all of it was settled, and since when, in ms since the epoch.
    """

    claim: SourceClaimed
    acknowledged: int
    fingerprint: Fingerprint | None = None
    marker: Marker = NO_MARKER
    resume: Resume | None = None
    beyond: ByteRanges = field(default_factory=ByteRanges)
    edges: dict[int, Edge] = field(default_factory=dict)
    settled_bytes: dict[Fate, int] = field(default_factory=lambda: dict.fromkeys(FATES, 0))
    finished: tuple[int, int] | None = None
    trail: list[Mark] = field(default_factory=list)
    """Earlier checkpoints; of what is long past, less and less."""

    @property
    def source(self) -> int:
        """Its number, which no other source of this ledger ever has."""
        return self.claim.source

    @property
    def path(self) -> str:
        """Where its file was last seen."""
        return self.claim.path

    @property
    def feeds(self) -> tuple[str, str]:
        """The group and stream it feeds."""
        return self.claim.group, self.claim.stream

    @property
    def progress(self) -> int:
        """Grows with every byte settled."""
        return self.acknowledged + self.beyond.total

    def unsettled(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """What of [start, end) is not settled."""
        yield from self.beyond.gaps(max(start, self.acknowledged), end)

    def settle(self, span: Span) -> None:
        """Count what of the span was not settled yet, and move the checkpoint if it can."""
        start = max(span.start, self.acknowledged)
        if start >= span.end:
            return
        edge = (Marker(span.marker_length, span.marker_crc), span.resume)
        if start == self.acknowledged and not self.beyond:
            self.settled_bytes[span.fate] += span.end - start
            self.acknowledged, (self.marker, self.resume) = span.end, edge
            self._leave_mark()
            return
        self.settled_bytes[span.fate] += self.beyond.add(start, span.end)
        self.edges.setdefault(span.end, edge)
        low_water = self.beyond.low_water(self.acknowledged)
        if low_water > self.acknowledged:
            self.acknowledged = low_water
            self.marker, self.resume = self.edges[low_water]
            self.beyond.discard_below(low_water)
            self._leave_mark()
        if len(self.edges) > len(self.beyond):
            self.edges = {end: self.edges[end] for _, end in self.beyond}

    def _leave_mark(self) -> None:
        if self.marker.length:
            if len(self.trail) >= MOST_MARKS:
                del self.trail[1 : MOST_MARKS // 2 : 2]
            self.trail.append(Mark(self.acknowledged, *self.marker))

    def checkpoint(self, source: int) -> SourceCheckpoint:
        """The entry that says how far it is settled, for the number `source`."""
        return SourceCheckpoint(
            source=source,
            acknowledged=self.acknowledged,
            marker_length=self.marker.length,
            marker_crc=self.marker.crc,
            resume=self.resume,
            beyond=tuple(
                Span(source, start, end, "delivered", *marker, resume)
                for start, end in self.beyond
                for marker, resume in [self.edges[end]]
            ),
            trail=tuple(self.trail),
            **self.settled_bytes,
        )

    def restore(self, entry: SourceCheckpoint) -> None:
        """Take the checkpoint over, unless this record is further already."""
        beyond = ByteRanges()
        for span in entry.beyond:
            beyond.add(span.start, span.end)
        progress = entry.acknowledged + beyond.total
        if entry.acknowledged < self.acknowledged or progress <= self.progress:
            return
        self.acknowledged = entry.acknowledged
        self.marker = Marker(entry.marker_length, entry.marker_crc)
        self.trail = list(entry.trail)
        self.resume = entry.resume
        self.beyond = beyond
        self.edges = {
            span.end: (Marker(span.marker_length, span.marker_crc), span.resume)
            for span in entry.beyond
        }
        self.settled_bytes = {
            "delivered": entry.delivered,
            "rejected": entry.rejected,
            "filtered": entry.filtered,
            "gone": entry.gone,
        }

    def renumbered(self, source: int) -> Iterator[Entry]:
        """The entries that make this record anew under the number `source`."""
        yield replace(self.claim, source=source)
        if self.fingerprint is not None:
            yield SourceFingerprinted(source, *self.fingerprint)
        if self.progress > self.claim.start:
            yield self.checkpoint(source)
        if self.finished is not None:
            yield SourceFinished(source, *self.finished)


@dataclass(slots=True)
class Ledger:
    """All a member knows, rebuilt from its journal at any time.

    `intents` are requests without a result, by batch; `owed` those that came to nothing, as long as
    their lines wait to be sent again. `arrivals` is the newest time of arrival given to an event of
    each (group, stream), so that the next one is later, over restarts too. `history` is what was
    acknowledged of late, which an unknown outcome is compared with. `possible_duplicates` counts
    events of abandoned batches. `tasks` are the ids of all tasks whose sidecars ever used the state
    directory, the latest last.
    """

    sources: dict[int, SourceRecord] = field(default_factory=dict)
    intents: dict[int, IntentSent] = field(default_factory=dict)
    history: History = field(default_factory=History)
    artifacts: dict[str, ArtifactShipped] = field(default_factory=dict)
    archives: dict[tuple[str, int], ArchiveFinished] = field(default_factory=dict)
    arrivals: dict[tuple[str, str], int] = field(default_factory=dict)
    next_source: int = 1
    next_batch: int = 1
    possible_duplicates: int = 0
    tasks: dict[str, None] = field(default_factory=dict)
    owed: Owed = field(init=False)
    _feeders: Counter[tuple[str, str]] = field(default_factory=Counter, repr=False)

    def __post_init__(self) -> None:
        self.history.intents = self.intents
        self.owed = self.history.owed = Owed(self.sources, self.intents)

    def apply(self, entry: Entry) -> bool:
        """Fold one entry in. False when it speaks of a source that is not known here."""
        return _APPLY[type(entry)](self, entry)

    def entries(self) -> Iterator[Entry]:
        """The fewest entries that rebuild this ledger."""
        yield from map(TaskKnown, self.tasks)
        for record in self.sources.values():
            yield from record.renumbered(record.source)
        yield from self.owed.entries()
        # Before the history: it is known by them which of its gaps must not be made one.
        yield from self.intents.values()
        yield from self.history.entries()
        for (group, stream), timestamp in self.arrivals.items():
            yield ArrivalTimeUsed(group, stream, timestamp)
        yield from self.artifacts.values()
        yield from self.archives.values()
        yield Counted(self.next_source, self.next_batch, self.possible_duplicates)

    def settled_bytes(self) -> dict[Fate, int]:
        """Settled bytes of all sources, by fate."""
        return {
            fate: sum(record.settled_bytes[fate] for record in self.sources.values())
            for fate in FATES
        }

    def feeds(self, group: str, stream: str) -> bool:
        """Is the stream this member's: does any of its sources feed it?"""
        return (group, stream) in self._feeders

    def _task(self, entry: TaskKnown) -> bool:
        if entry.task not in self.tasks:
            self.tasks[entry.task] = None
            if len(self.tasks) > MOST_TASKS:
                del self.tasks[next(iter(self.tasks))]
        return True

    def _claimed(self, entry: SourceClaimed) -> bool:
        if entry.source >= self.next_source:
            self.next_source = entry.source + 1
            record = SourceRecord(entry, acknowledged=entry.start)
            self.sources[entry.source] = record
            self._feeders[record.feeds] += 1
        return entry.source in self.sources

    def _moved(self, entry: SourceMoved) -> bool:
        if record := self.sources.get(entry.source):
            inode = record.claim.inode if entry.inode is None else entry.inode
            record.claim = replace(record.claim, path=entry.path, inode=inode)
        return record is not None

    def _fingerprinted(self, entry: SourceFingerprinted) -> bool:
        record = self.sources.get(entry.source)
        if record and (record.fingerprint is None or record.fingerprint.length < entry.length):
            record.fingerprint = Fingerprint(entry.length, entry.digest)
        return record is not None

    def _forgotten(self, entry: SourceForgotten) -> bool:
        record = self.sources.get(entry.source)
        if record is None:
            return True
        self.owed.forget(entry.source, record.feeds)
        del self.sources[entry.source]
        self._feeders[record.feeds] -= 1
        if not self._feeders[record.feeds]:
            del self._feeders[record.feeds]
            self.arrivals.pop(record.feeds, None)
        for batch, intent in list(self.intents.items()):
            kept = tuple(span for span in intent.spans if span.source != entry.source)
            if intent.spans and not kept:
                del self.intents[batch]
                self.history.forget(intent)
            elif kept != intent.spans:
                self.intents[batch] = replace(intent, spans=kept)
        return True

    def _checkpoint(self, entry: SourceCheckpoint) -> bool:
        if record := self.sources.get(entry.source):
            record.restore(entry)
            self.owed.prune(record.feeds)
        return record is not None

    def _intent(self, entry: IntentSent) -> bool:
        self.next_batch = max(self.next_batch, entry.batch + 1)
        known = [span for span in entry.spans if span.source in self.sources]
        if entry.spans and not known:
            return False
        self.history.discard(entry.batch)
        self.intents[entry.batch] = entry
        self.owed.reopened(entry)
        if entry.arrival:
            self._arrival(ArrivalTimeUsed(entry.group, entry.stream, entry.greatest))
        return len(known) == len(entry.spans)

    def _settled(self, entry: Settled) -> bool:
        intent = None if entry.batch is None else self.intents.pop(entry.batch, None)
        if intent is not None and entry.stored:
            self._remember(intent, entry.spans)
        known = True
        streams = set()
        for span in entry.spans:
            if record := self.sources.get(span.source):
                record.settle(span)
                streams.add(record.feeds)
            else:
                known = False
        if intent is not None:
            self.owed.add(intent)
            streams.add((intent.group, intent.stream))
        for stream in streams:
            self.owed.prune(stream)
        return known

    def _abandoned(self, entry: BatchAbandoned) -> bool:
        if intent := self.intents.pop(entry.batch, None):
            self.possible_duplicates += intent.count
            self.history.forget(intent)
            self.owed.add(intent)
            self.owed.prune((intent.group, intent.stream))
        return True

    def _remember(self, intent: IntentSent, spans: tuple[Span, ...]) -> None:
        """Keep what of the batch is stored, to know it from what may be stored beside it."""
        if not intent.events:
            self.history.forget(intent)
            return
        delivered = {span[:3] for span in spans if span.fate == "delivered"}
        if all(span[:3] in delivered for span in intent.spans):
            self.history.add(as_stored(intent))
            return
        ranges: dict[int, ByteRanges] = {}
        for source, start, end in delivered:
            ranges.setdefault(source, ByteRanges()).add(start, end)
        events = digest.unpack(intent.events, intent.least, intent.count, intent.sources)
        stored = [
            index
            for index, (source, start, end) in enumerate(events.places)
            if source in ranges and ranges[source].contains(start, end)
        ]
        if stored:
            self.history.add(partly_stored(intent, stored))

    def _stored(self, entry: BatchStored) -> bool:
        self.next_batch = max(self.next_batch, entry.batch + 1)
        self.history.add(entry)
        return True

    def _history_ends(self, entry: HistoryEnds) -> bool:
        stream = entry.group, entry.stream
        if entry.since == NEVER:
            self.history.end(stream, entry.timestamp)
        else:
            self.history.gap(stream, entry.since, entry.timestamp)
        return True

    def _arrival(self, entry: ArrivalTimeUsed) -> bool:
        feeds = entry.group, entry.stream
        self.arrivals[feeds] = max(self.arrivals.get(feeds, entry.timestamp), entry.timestamp)
        return True

    def _shipped(self, entry: ArtifactShipped) -> bool:
        self.artifacts[entry.path] = entry
        return True

    def _deleted(self, entry: ArtifactDeleted) -> bool:
        self.artifacts.pop(entry.path, None)
        return True

    def _finished(self, entry: SourceFinished) -> bool:
        if record := self.sources.get(entry.source):
            record.finished = entry.end, entry.at_ms
        return record is not None

    def _archive(self, entry: ArchiveFinished) -> bool:
        self.archives[entry.root, entry.inode] = entry
        return True

    def _archive_forgotten(self, entry: ArchiveForgotten) -> bool:
        self.archives.pop((entry.root, entry.inode), None)
        return True

    def _counted(self, entry: Counted) -> bool:
        self.next_source = max(self.next_source, entry.next_source)
        self.next_batch = max(self.next_batch, entry.next_batch)
        self.possible_duplicates = max(self.possible_duplicates, entry.possible_duplicates)
        return True

    def _frame(self, _entry: Header | Trailer) -> bool:
        return True


_APPLY: dict[type[Entry], Callable[[Ledger, Any], bool]] = {
    TaskKnown: Ledger._task,
    SourceClaimed: Ledger._claimed,
    SourceMoved: Ledger._moved,
    SourceFingerprinted: Ledger._fingerprinted,
    SourceForgotten: Ledger._forgotten,
    SourceCheckpoint: Ledger._checkpoint,
    IntentSent: Ledger._intent,
    Settled: Ledger._settled,
    BatchAbandoned: Ledger._abandoned,
    BatchStored: Ledger._stored,
    HistoryEnds: Ledger._history_ends,
    ArrivalTimeUsed: Ledger._arrival,
    ArtifactShipped: Ledger._shipped,
    ArtifactDeleted: Ledger._deleted,
    SourceFinished: Ledger._finished,
    ArchiveFinished: Ledger._archive,
    ArchiveForgotten: Ledger._archive_forgotten,
    Counted: Ledger._counted,
    Header: Ledger._frame,
    Trailer: Ledger._frame,
}

"""A source: one file's content, however often it is renamed, and how far it has been read."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import Literal

import structlog

from sidecar.model.assembler import Assembler
from sidecar.model.batch import StreamKey
from sidecar.model.fingerprint import Marker
from sidecar.model.ledger import SourceRecord
from sidecar.model.records import Resume
from sidecar.sources.rules import LogRule

log = structlog.get_logger(__name__)

SEVERAL_WRITERS = "multi-writer"
"""The note of a source that more than one host seems to append to."""

State = Literal["active", "idle", "rotated", "finished", "stuck"]

MARK_SECONDS = 1.0
MOST_MARKS = 64
"""How finely and how far back a source remembers its growth, to tell how old its backlog is."""

MOST_ANCHORS = 8

MOST_POSITIONS = 8
"""Earlier positions that a source remembers, to tell a copy that is shorter than what was read."""

IDLE_AFTER = 60.0
"""Seconds without growth after which a source is called idle."""


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """Bytes behind a position that are to be read once more: an earlier process may have sent them,
    and CloudWatch does not hold them. `record` is whose they are, though another file's now.

    `timestamp` is the one their first event had, for lines that have none of their own. With
    `resume` they begin inside an over-long line, with `inside` they end in one.
    """

    record: SourceRecord
    start: int
    end: int
    timestamp: int
    resume: Resume | None
    inside: bool


@dataclass(slots=True, eq=False)
class Source:
    """The live side of a source; what must survive is in its `record`, which the ledger owns.

    Offsets: `record.acknowledged` <= `position` <= `size`. Everything below `position` is in
    records, filtered, or given up; between `position` and `size` lies what is still to be read or
    an incomplete line. Times are monotonic seconds.
    """

    record: SourceRecord
    rule: LogRule
    assembler: Assembler
    position: int
    settled_ahead: deque[tuple[int, int, Resume | None]]
    """Start and end of what an earlier run had settled beyond the checkpoint, or may have, and how
    to go on where an end lies inside an over-long line. None of it is read on the way."""
    head: bytes
    """The first bytes, which may hold a byte-order mark."""
    entry_inode: int
    """The inode number its directory gives, which a layered file system may number otherwise."""
    size: int = 0
    order: float = 0.0
    """When it was last written to as of its admission: older files of a stream are read first."""
    tail: bytes = b""
    """Up to MARKER_LENGTH bytes before `position`: a read begins there, to see that the file is
    the same."""
    seen_to: int = 0
    """End of what has been read without finding a whole line in it."""
    modified_ns: int = -1
    time_tells: bool = False
    """Was `modified_ns` old enough when it was seen, that a later write must have changed it?"""
    changed_ns: int = -1
    """When its attributes changed last: a rename shows here, over NFS too."""
    ask_server: bool = False
    """Its next look is the poll's: the server is asked, where there is one."""
    heard: bool = False
    """The watch tells of what is written to it, as far as is known."""
    notes: tuple[str, ...] = ()
    """What a person should know of it, in fixed words."""
    anchors: list[tuple[int, Marker]] = field(default_factory=list)
    """Earlier positions, and the checksums of the bytes before them: they tell a file that was
    written anew from one in which another writer wrote over the last lines."""
    grew_at: float = 0.0
    looked_at: float = 0.0
    age: float = 0.0
    """Seconds since it was last written to, by its own time, when it was found."""
    growth: list[tuple[float, int]] = field(default_factory=list)
    """When the file was seen to have reached which size, about one mark a second."""
    shrunk_at: float | None = None
    nul_at: int = -1
    nul_since: float = 0.0
    nul_to: int = 0
    """End of what was there when the NUL at `nul_at` was first seen."""
    nul_believed_to: int = 0
    """NULs before this offset are what the writer wrote."""
    nul_looked_to: int = 0
    """Behind the run of NULs that was read last, there are only more of them up to here."""
    nul_room_to: int = 0
    """NULs before this offset were found to be room that a writer made beforehand."""
    ends_in_nuls: bool = False
    """Behind the position, and an incomplete line, there are only NULs: it may be written to
    without growing."""
    nul_skipped_from: int | None = None
    """Start of a believed run of NULs that the next record's range takes in."""
    group_open: bool = False
    """Whole lines of a multiline group wait for more of it, or for `multiline.wait`."""
    exhausted: bool = False
    """The last read found no whole line up to the end of the file."""
    renamed_away: bool = False
    """Its name is gone or another file's; the writer will end soon, or has."""
    deleted: bool = False
    abandoned: bool = False
    """Its task is dead: nobody will write to it any more."""
    missing_since: float | None = None
    """Since when neither its name nor a descriptor leads to it."""
    over: bool = False
    """Nothing more will be read: truncated, replaced, or finished and let go."""
    superseded: bool = False
    """Its file holds other content by now, which is another source."""
    rest_since: float | None = None
    """Since when a copy or an archive is looked for that holds what was not read of it."""
    archive: tuple[int, int] | None = None
    """Its file is an archive with this size and time in ns; all offsets are the content's."""
    marks: list[tuple[int, Marker]] = field(default_factory=list)
    """Earlier positions: a copy may have been made before the last bytes were written and read."""
    queued: bool = False
    problem: str | None = None
    failures: int = 0
    held: set[int] = field(default_factory=set)
    """Batches of earlier processes with bytes of this source, whose outcomes are not known yet."""
    again: deque[Again] = field(default_factory=deque)
    reading_again: Source | None = None
    """How far the first of them is read: a source like this one that ends where it does."""
    copy: Source | None = None
    """Where its content is now, if it was truncated."""

    @property
    def id(self) -> int:
        return self.record.source

    @property
    def path(self) -> str:
        return self.record.path

    @property
    def inode(self) -> int:
        return self.record.claim.inode

    @property
    def key(self) -> StreamKey:
        return StreamKey(*self.record.feeds)

    @property
    def nameless(self) -> bool:
        """Its name is gone or another file's."""
        return self.renamed_away or self.deleted

    @property
    def leaving(self) -> bool:
        """Will the writer end soon, or has it?"""
        return self.nameless or self.abandoned

    @property
    def unread(self) -> int:
        return 0 if self.over else max(0, self.size - self.position)

    @property
    def partial(self) -> int:
        """Bytes of an incomplete last line of a file that lives: no backlog."""
        return self.unread if self.exhausted and not self.leaving else 0

    @property
    def unsettled(self) -> int:
        """Bytes that are neither acknowledged, rejected, filtered nor gone."""
        read_only = self.over and self.rest_since is None
        end = self.position if read_only else max(self.size, self.position)
        return end - self.record.claim.start - sum(self.record.settled_bytes.values())

    @property
    def backlog(self) -> int:
        return self.unsettled - self.partial

    @property
    def finished(self) -> bool:
        return self.over and self.unsettled == 0

    def note(self, words: str) -> bool:
        """Add what a person should know of it; False where it is known already."""
        if words in self.notes:
            return False
        self.notes = (*self.notes, words)
        return True

    def drop_anchor(self) -> None:
        """Remember this position, with the bytes before it, among the latest few."""
        anchor = (self.position, Marker.of(self.tail))
        if self.tail and anchor not in self.anchors[-1:]:
            self.anchors = [*self.anchors[1 - MOST_ANCHORS :], anchor]

    def pass_over(self, ranges: list[tuple[int, int, Resume | None]]) -> None:
        """Read none of these, which lie behind the position. What overlaps is one range: two
        requests that a dead member noted may have bytes in common."""
        for start, end, resume in sorted(ranges, key=lambda each: each[:2]):
            if self.settled_ahead and start < self.settled_ahead[-1][1]:
                first, last, _ = self.settled_ahead[-1]
                if end > last:
                    self.settled_ahead[-1] = (first, end, resume)
            else:
                self.settled_ahead.append((start, end, resume))

    def pass_all(self) -> list[tuple[int, int]]:
        """Go to the end without reading; gives what of it nobody has sent or settled."""
        unread = []
        for start, end, _ in [*self.settled_ahead, (self.size, self.size, None)]:
            if start > self.position:
                unread.append((self.position, start))
            self.position = max(self.position, end)
        self.settled_ahead.clear()
        self.seen_to = self.position
        self.tail = b""
        return unread

    def give_up_again(self) -> Again:
        """Read the first of what is to be read once more no further; gives what is left of it."""
        wanted, part = self.again.popleft(), self.reading_again
        self.reading_again = None
        return wanted if part is None else replace(wanted, start=part.position)

    @property
    def read_out(self) -> bool:
        """Was it read to the very end, and its file deleted since?"""
        return self.over and self.deleted and not self.superseded and self.rest_since is None

    def mark(self) -> None:
        """Remember the position by the bytes before it; of what is long past, less and less."""
        if len(self.marks) >= MOST_POSITIONS:
            del self.marks[1 : MOST_POSITIONS // 2 : 2]
        self.marks.append((self.position, Marker.of(self.tail)))

    def note_growth(self, now: float) -> None:
        """The file was seen to be larger than before."""
        self.grew_at = now
        if self.growth and now - self.growth[-1][0] < MARK_SECONDS:
            return
        acknowledged = self.record.acknowledged
        if self.growth and self.growth[0][1] <= acknowledged:
            self.growth = [mark for mark in self.growth if mark[1] > acknowledged]
        if len(self.growth) >= MOST_MARKS:
            del self.growth[1::2]
        self.growth.append((now, self.size))

    def quiet(self, now: float) -> float:
        """Seconds since it was last written to, for all that is known: of ten thousand old files
        at a start none is hot."""
        return now - self.grew_at + (0.0 if self.growth else self.age)

    def lag(self, now: float) -> float:
        """Seconds since the oldest byte of the backlog was first seen."""
        if self.backlog <= 0:
            return 0.0
        acknowledged = self.record.acknowledged
        seen = next((at for at, size in self.growth if size > acknowledged), self.grew_at)
        return max(0.0, now - seen)

    def state(self, now: float) -> State:
        if self.problem is not None:
            return "stuck"
        if self.finished:
            return "finished"
        if self.nameless or self.over:
            return "rotated"
        return "active" if now - self.grew_at < IDLE_AFTER else "idle"


def note_several_writers(source: Source) -> None:
    """Say once that more than one host seems to append to the file."""
    if source.note(SEVERAL_WRITERS):
        log.warning(
            "multi_writer",
            path=source.path,
            remedy="two hosts that append to one file overwrite each other: one file a writer",
        )

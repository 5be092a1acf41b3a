"""What the other members hold, read from their journals: which files, streams and artifacts.

A ledger on the volume holds everything its member owns before the first byte of it is delivered,
so reading all of them tells whose a file is. Only the lines that say so are decoded; a member's
journal is read on from where the last reading ended.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from sidecar.model.fingerprint import Fingerprint
from sidecar.model.journal import (
    GONE,
    REPLACED,
    ArtifactDeleted,
    ArtifactShipped,
    BatchAbandoned,
    CorruptLineError,
    IntentSent,
    NewerFormatError,
    Settled,
    SourceClaimed,
    SourceFingerprinted,
    SourceForgotten,
    SourceMoved,
    TaskKnown,
    Trailer,
    decode,
)
from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.journal_file import generation_of, journal_name, snapshot_name

_KIND = re.compile(
    rb'[0-9a-f]{8} \{"is":"(?:'
    rb"(?P<held>source_(?:claimed|moved|fingerprinted|forgotten)|artifact_|task_known|trailer)"
    rb"|(?P<sent>intent_sent)|settled|batch_abandoned)"
)
_OF_AN_ARTIFACT = b'"artifact":['

Inode = tuple[str, int]


class Held(NamedTuple):
    """A source of another member."""

    root: str
    inode: int
    path: str
    group: str
    stream: str
    fingerprint: Fingerprint | None

    def may_be(self, head: bytes) -> bool:
        """Can a file that begins with `head` be this source?"""
        return self.fingerprint is None or self.fingerprint.matches(head)


@dataclass(slots=True)
class Holdings:
    """All that one member holds, as of the last reading."""

    sources: dict[int, Held] = field(default_factory=dict)
    by_inode: dict[Inode, set[int]] = field(default_factory=dict)
    streams: Counter[tuple[str, str]] = field(default_factory=Counter)
    paths: Counter[str] = field(default_factory=Counter)
    artifacts: set[str] = field(default_factory=set)
    manifests: dict[int, str] = field(default_factory=dict)
    """By batch, the paths of artifacts whose manifest is under way: stored or not, it finds out."""
    tasks: set[str] = field(default_factory=set)
    generation: int = 0
    offset: int = 0

    def holds(self, root: str, inode: int) -> list[Held]:
        """The sources with this inode number: one at most, but for numbers used again."""
        return [self.sources[number] for number in self.by_inode.get((root, inode), ())]

    def has_artifact(self, path: str) -> bool:
        """Is the artifact this member's, or may it turn out to be?"""
        return path in self.artifacts or path in self.manifests.values()

    def take(self, content: bytes) -> int:
        """Fold in whole lines; gives how many bytes they were."""
        end = content.rfind(b"\n") + 1
        for line in content[:end].split(b"\n"):
            if self._wants(line):
                try:
                    self._apply(decode(line))
                except (CorruptLineError, NewerFormatError):
                    continue
        return end

    def _wants(self, line: bytes) -> bool:
        """Most lines are of requests for lines of logs, which tell nothing here."""
        kind = _KIND.match(line)
        if kind is None:
            return False
        if kind["sent"]:
            return _OF_AN_ARTIFACT in line
        return bool(kind["held"] or self.manifests)

    def _apply(self, entry: object) -> None:
        match entry:
            case SourceClaimed():
                if entry.source not in self.sources:
                    self._add(entry)
            case SourceMoved() if entry.source in self.sources:
                self._move(entry)
            case SourceFingerprinted() if entry.source in self.sources:
                known = self.sources[entry.source]
                fresh = Fingerprint(entry.length, entry.digest)
                self.sources[entry.source] = known._replace(fingerprint=fresh)
            case SourceForgotten() if entry.source in self.sources:
                self._drop(entry.source)
            case ArtifactShipped():
                self.artifacts.add(entry.path)
            case ArtifactDeleted():
                self.artifacts.discard(entry.path)
            case IntentSent() if entry.artifact is not None:
                self.manifests[entry.batch] = entry.artifact.path
            case Settled() | BatchAbandoned() if entry.batch is not None:
                self.manifests.pop(entry.batch, None)
            case TaskKnown():
                self.tasks.add(entry.task)
            case _:
                pass

    def _add(self, entry: SourceClaimed) -> None:
        held = Held(entry.root, entry.inode, entry.path, entry.group, entry.stream, None)
        self.sources[entry.source] = held
        self._count(self.streams, (held.group, held.stream), 1)
        self._place(entry.source, held)

    def _move(self, entry: SourceMoved) -> None:
        held = self.sources[entry.source]
        self._displace(entry.source, held)
        inode = held.inode if entry.inode is None else entry.inode
        held = self.sources[entry.source] = held._replace(path=entry.path, inode=inode)
        self._place(entry.source, held)

    def _place(self, number: int, held: Held) -> None:
        """Where its file is; of one that has none, there is no place."""
        if held.inode not in (GONE, REPLACED):
            self.by_inode.setdefault((held.root, held.inode), set()).add(number)
            self._count(self.paths, held.path, 1)

    def _displace(self, number: int, held: Held) -> None:
        if held.inode not in (GONE, REPLACED):
            numbers = self.by_inode[held.root, held.inode]
            numbers.discard(number)
            if not numbers:
                del self.by_inode[held.root, held.inode]
            self._count(self.paths, held.path, -1)

    def _drop(self, number: int) -> None:
        held = self.sources.pop(number)
        self._displace(number, held)
        self._count(self.streams, (held.group, held.stream), -1)

    @staticmethod
    def _count(counter: Counter[Any], key: object, change: int) -> None:
        counter[key] += change
        if not counter[key]:
            del counter[key]


class Others:
    """The holdings of every other member, by its id."""

    def __init__(
        self, members: Path, *, spend: Callable[[int], None], files: FileSystem = REAL
    ) -> None:
        self.holdings: dict[str, Holdings] = {}
        self._members = members
        self._spend = spend
        self._files = files

    def keep(self, members: Iterable[str]) -> None:
        """Forget all but these."""
        kept = set(members)
        if self.holdings.keys() <= kept:
            return
        self.holdings = {name: of for name, of in self.holdings.items() if name in kept}

    def refresh(self, member: str, folder: str) -> bool:
        """Read on what the member wrote. False when it could not be read as a whole."""
        directory = self._members / folder
        self._spend(3)
        try:
            names = self._files.names(directory)
            numbers = {n for name in names if (n := generation_of(name)) is not None}
            newest = max(numbers, default=0)
            known = self.holdings.get(member)
            if known is None or newest != known.generation:
                known = self._read_anew(directory, set(names), newest)
                self.holdings[member] = known
                return True
            path = directory / journal_name(newest)
            if newest:
                known.offset += known.take(self._files.read_from(path, known.offset))
        except OSError:
            return False
        return True

    def _read_anew(self, directory: Path, names: set[str], newest: int) -> Holdings:
        """The newest whole snapshot, and every journal from it on."""
        holdings = Holdings(generation=newest)
        base = 0
        for number in range(newest, 0, -1):
            if snapshot_name(number) in names:
                self._spend(2)
                content = self._files.read(directory / snapshot_name(number))
                if _is_whole(content):
                    holdings.take(content)
                    base = number
                    break
        for number in range(max(base, 1), newest + 1):
            if journal_name(number) in names:
                self._spend(2)
                content = self._files.read(directory / journal_name(number))
                holdings.offset = holdings.take(content)
        return holdings


def _is_whole(content: bytes) -> bool:
    lines = content.rsplit(b"\n", 2)
    if len(lines) < 3 or lines[-1]:
        return False
    try:
        return isinstance(decode(lines[-2]), Trailer)
    except (CorruptLineError, NewerFormatError):
        return False

"""Finds the sources that a file may hold the content of, and says by what each is known again."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from sidecar.model.fingerprint import FULL, Marker
from sidecar.model.journal import REPLACED
from sidecar.model.ledger import SourceRecord
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import Known
from sidecar.sources.identity.index import Index
from sidecar.sources.identity.remembered import Remembered
from sidecar.sources.identity.traces import Trace
from sidecar.sources.identity.whereabouts import Whereabouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """Takes traces of living and of remembered sources; judging a file by them is `Trace`'s."""

    index: Index
    whereabouts: Whereabouts
    remembered: Remembered
    descriptors: Descriptors

    def known(self, found: Found, inode: int, head: bytes) -> Known:
        """All that a file with this number and these first bytes may turn out to be."""
        records = self.remembered.of_number(found.root, inode)
        may_be_a_copy = found.compressed or found.base is not None
        return Known(records, self.of(found, head) if may_be_a_copy else ())

    def of(self, found: Found, head: bytes) -> list[Trace]:
        """Traces of the sources whose content a file with these first bytes may hold."""
        traces: list[Trace] = []
        names = found.names if found.compressed else [found.base or found.path]
        if found.compressed:
            traces += self._elsewhere(names, head)
        kin = [number for name in names for number in self.index.kin.of(name)]
        for number in dict.fromkeys(kin):
            record = self.index.records.get(number)
            if record is None or not (
                found.compressed
                or self.is_truncated(record)
                or self._may_be_elsewhere(record, found)
            ):
                continue
            if record.fingerprint is None:
                self._learn_head(number)
            if record.fingerprint is None or not record.fingerprint.length:
                continue
            known = len(head) >= record.fingerprint.length
            if known and not record.fingerprint.matches(head):
                continue
            traces.append(self._trace(record))
        return sorted(traces, key=lambda trace: trace.position, reverse=True)

    def is_truncated(self, record: SourceRecord) -> bool:
        """Did its file lose its content, so that a file like it is a copy and no new one?"""
        source = self.index.sources.get(record.source)
        return record.claim.inode == REPLACED if source is None else source.superseded

    def _elsewhere(self, names: Sequence[str], head: bytes) -> Iterator[Trace]:
        """Of the sources in other directories that had one of these names, begin with a full head
        like this, and whose file is not where it was: they may be archived here."""
        for number in self.index.fingerprints.of(head):
            record = self.index.records.get(number)
            if record is None:
                continue  # taken over under another number meanwhile
            directory, name = os.path.split(record.path)
            if name not in map(os.path.basename, names):
                continue
            if directory in map(os.path.dirname, names):
                continue
            source = self.index.sources.get(number)
            if source is not None and not source.over and self.whereabouts.is_in_place(source):
                continue
            trace = replace(self._trace(record), marks=(), elsewhere=True)
            if trace.position >= FULL:
                yield trace

    def _may_be_elsewhere(self, record: SourceRecord, found: Found) -> bool:
        """Is its file not under the name that the rotated one had, which may be a copy of it?"""
        if found.base is None or self.remembered.has_number(found.root, found.inode):
            return False
        source = self.index.sources.get(record.source)
        return (
            source is None
            or source.deleted
            or source.missing_since is not None
            or source.path != found.base
        )

    def _learn_head(self, number: int) -> None:
        """A source that was not read yet, for want of room say, may be open all the same, and will
        be read: its archive holds nothing new."""
        source = self.index.sources.get(number)
        held = self.descriptors.held(source) if source is not None else None
        if source is None or held is None:
            return
        try:
            self.index.fingerprints.learn(source, os.pread(held, FULL, 0))
        except OSError:
            return  # its next turn tells

    def _trace(self, record: SourceRecord) -> Trace:
        assert record.fingerprint is not None
        source, number = self.index.sources.get(record.source), record.source
        earlier = [(mark.offset, Marker(mark.length, mark.crc)) for mark in record.trail]
        if source is None:
            return Trace(
                source=number,
                fingerprint=record.fingerprint,
                position=record.acknowledged,
                marker=record.marker,
                marks=(*self.index.departed.marks(number), *earlier),
                exact=self.index.departed.is_exact(number),
            )
        return Trace(
            source=number,
            fingerprint=record.fingerprint,
            position=source.position,
            marker=Marker.of(source.tail),
            marks=(*source.marks, *earlier),
            exact=source.read_out,
        )

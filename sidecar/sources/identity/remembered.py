"""Sources that have a record and no living side: an earlier run's, another member's, gone ones.

They wait for a file that holds their content: their own, a copy of it or its archive. Those whose
file is known to be gone are forgotten in time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from sidecar.model.fingerprint import Marker
from sidecar.model.journal import GONE, REPLACED, Entry, SourceForgotten, SourceMoved
from sidecar.model.ledger import SourceRecord
from sidecar.model.ownership import Ownership
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.identity.index import Index
from sidecar.sources.identity.streams import Streams
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.rules import LogRule
from sidecar.sources.source import Source

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Remembered:
    """Records by inode number until a scan meets their file, and the departed."""

    rules: Mapping[int, LogRule]
    record: Callable[[Entry], None]
    index: Index
    whereabouts: Whereabouts
    streams: Streams
    ownership: Ownership
    _dormant: dict[tuple[str, int], list[SourceRecord]] = field(init=False, default_factory=dict)

    def adopt(self, records: Sequence[SourceRecord]) -> None:
        """What a ledger had: scans find the files by what is known of them."""
        for record in records:
            claim = record.claim
            self._dormant.setdefault((claim.root, claim.inode), []).append(record)
            rule = self.rules.get(claim.entry) if isinstance(claim.entry, int) else None
            self.index.kin.add(record.source, claim.path, rule.match.rotated if rule else "auto")
            if record.fingerprint is not None:
                self.index.fingerprints.add(record.source, record.fingerprint)
            if claim.inode in (GONE, REPLACED):
                self.index.departed.add(record.source, now=None)
            else:
                self.streams.add(record.path, record)

    def has_number(self, root: str, inode: int) -> bool:
        return (root, inode) in self._dormant

    def of_number(self, root: str, inode: int) -> list[SourceRecord]:
        """What is known of this inode number from earlier: other runs, and sources done with."""
        done = self.whereabouts.numbered(root, inode)
        records = self._dormant.get((root, inode), [])
        return [*records, done.record] if done is not None and done.over else records

    def met(self, root: str, inode: int) -> None:
        """A scan met the file with this number, and all that is known of it was judged."""
        self._dormant.pop((root, inode), None)

    def wake_up(self, record: SourceRecord) -> None:
        """It is dormant no longer: its old inode number means nothing any more."""
        self.index.departed.discard(record.source)
        dormant = self._dormant.get((record.claim.root, record.claim.inode), [])
        if record in dormant:
            dormant.remove(record)

    def set_aside_outdated(self, candidate: Candidate, now: float) -> None:
        """The number was used again, or the file written anew, while nobody looked."""
        for record in candidate.outdated:
            if record.source in self.index.sources or record.source in self.index.departed:
                continue
            log.info("source_replaced", path=record.path, read_to=record.acknowledged)
            self.wake_up(record)
            self._depart(record, REPLACED, now)

    def remember(self, source: Source, now: float) -> None:
        """It is done with, and its file is gone: what tells a copy or an archive of it is kept for
        a while, where there can be one."""
        record = source.record
        if source.archive is not None or source.rule.match.rotated == "off":
            self.forget(source.id)
            return
        self.ownership.give_up(record.claim.root, record.claim.inode, *record.feeds)
        self.streams.discard(record)
        cause = REPLACED if source.superseded else GONE
        self._depart(record, cause, now, marks=tuple(source.marks), exact=source.read_out)

    def forget(self, number: int) -> None:
        """No file can be its any more: it leaves the ledger, and all that would find it."""
        self.index.kin.remove(number)
        record = self.index.records.get(number)
        if record is None:
            return  # taken over under another number meanwhile
        self.wake_up(record)
        if record.fingerprint is not None:
            self.index.fingerprints.remove(number, record.fingerprint)
        self.record(SourceForgotten(number))
        self.streams.discard(record)
        self.ownership.give_up(record.claim.root, record.claim.inode, *record.feeds)

    def forget_old(self, now: float) -> None:
        """Forget those that were gone for long enough."""
        for number in self.index.departed.expired(now):
            self.forget(number)

    def _depart(
        self,
        record: SourceRecord,
        cause: int,
        now: float,
        *,
        marks: tuple[tuple[int, Marker], ...] = (),
        exact: bool = False,
    ) -> None:
        self.record(SourceMoved(record.source, record.path, cause))
        self.index.departed.add(record.source, now=now, marks=marks, exact=exact)

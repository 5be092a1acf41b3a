"""Whose content an unknown file holds: judged by traces, and only where no chance can explain it.

A file that is like a living source is its copy and says nothing new; like one that lost its file,
it is where that one goes on. To take a new file for a copy would lose it, to take a copy for a new
file ships it twice.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from sidecar.model.fingerprint import MARKER_LENGTH
from sidecar.model.ledger import Ledger, SourceRecord
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.identity.examination import Examination
from sidecar.sources.identity.index import Index
from sidecar.sources.identity.traces import Kinship, is_unmistakable
from sidecar.sources.identity.tracing import Tracing
from sidecar.sources.poll import Budget


@dataclass(frozen=True, slots=True, kw_only=True)
class Originals:
    """Numbers of sources, by a file that holds their content."""

    ledger: Ledger
    index: Index
    tracing: Tracing
    examination: Examination
    descriptors: Descriptors
    budget: Budget

    def of(self, candidate: Candidate) -> int | None:
        """The source whose content the file holds beyond doubt, wherever that one is now."""
        number = self._likeliest(candidate)
        return number if number is not None and self._is_proved(number, candidate) else None

    def left_to(self, candidate: Candidate) -> int | None:
        """The source that an earlier run had read further than this known copy of it reaches, and
        not delivered: what the copy holds of it is read there after all."""
        copy = candidate.record
        if copy is None or not copy.claim.start:
            return None
        number = self._likeliest(candidate)
        if number is None or number in self.index.sources:
            return None
        return number if self.index.records[number].acknowledged < copy.claim.start else None

    def is_finished(self, candidate: Candidate) -> bool:
        """Is it the archive of a source that was finished and forgotten?"""
        known = self.ledger.archives.get((candidate.found.root, candidate.inode))
        return known is not None and candidate.archive == (known.bytes, known.modified_ns)

    def is_reachable(self, number: int, copy: Found) -> bool:
        """Can the source be read where it is, or has it been read to its end there? An archive that
        another one has taken the name of cannot."""
        source = self.index.sources.get(number)
        if source is None and number not in self.index.departed and not copy.compressed:
            return self._is_in_its_directory(self.index.records[number])
        if source is None or source.superseded or source.rest_since is not None:
            return False
        if source.archive is not None and source.path == copy.path:
            return False
        return self.descriptors.holds(source) or source.missing_since is None

    def has_moved_on(self, number: int, archive: Candidate) -> bool:
        """Did an outcome move the checkpoint while the archive was looked through?"""
        at = self.index.records[number].acknowledged
        return number not in self.index.sources and at <= archive.size and at not in archive.before

    def _likeliest(self, candidate: Candidate) -> int | None:
        """The source that goes on in the file, or is read in it, by its traces alone."""
        original: SourceRecord | None = None
        for trace in candidate.traces:
            record = self.index.records.get(trace.source)
            if record is None:
                continue
            if original is not None and trace.position >= original.claim.start:
                continue
            kinship = trace.kinship(
                candidate.head, candidate.size, candidate.before, whole=candidate.whole
            )
            if kinship is Kinship.GOES_ON or (original is None and kinship is Kinship.READ):
                # Or, for one that began as a short copy, what that one left to it.
                original = record
        return None if original is None else original.source

    def _is_proved(self, number: int, copy: Candidate) -> bool:
        """Is it a copy of a source beyond doubt? An archive is, and what is like a file that was
        truncated; of one that is gone, and of what lies elsewhere, only what no other file can be
        like."""
        record = self.index.records[number]
        is_beside = os.path.dirname(copy.found.path) == os.path.dirname(record.path)
        if (copy.archive is not None and is_beside) or self.tracing.is_truncated(record):
            return True
        # A source that is read may be further by now than when it was compared.
        at = next(trace.position for trace in copy.traces if trace.source == number)
        if at > copy.size:
            return is_unmistakable(copy.head[: copy.head.rfind(b"\n")])
        before = copy.before[at].rstrip(b"\n")
        # The first line of it may be cut off.
        return is_unmistakable(before if at <= MARKER_LENGTH else before[before.find(b"\n") + 1 :])

    def _is_in_its_directory(self, record: SourceRecord) -> bool:
        """Does the file of a record that no scan has come upon yet lie where it did, perhaps under
        another name?"""
        numbers_differ = self.examination.is_layered(record.claim.root)
        self.budget.spend(1)
        try:
            with os.scandir(os.path.dirname(record.path)) as entries:
                return any(
                    (entry.stat().st_ino if numbers_differ else entry.inode()) == record.claim.inode
                    for entry in entries
                )
        except OSError:
            return False

"""Files that match and are left alone: copies of what is read anyway, and rotated files older than
the state directory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Found
from sidecar.sources.identity.beginning import Beginning
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.identity.copies import Likeness, has_changed, likeness
from sidecar.sources.identity.index import Index
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.source import Source

Reason: TypeAlias = Literal["copy", "older"]


@dataclass(slots=True, kw_only=True)
class PassedOver:
    """Their paths with the reason; looked at again when that may have changed."""

    index: Index
    whereabouts: Whereabouts
    descriptors: Descriptors
    beginning: Beginning
    reasons: dict[str, Reason] = field(init=False, default_factory=dict)
    _copies: dict[int, set[str]] = field(init=False, default_factory=dict)
    """By source, the copies and archives beside its file that say nothing new as yet."""
    _doubted: list[Source] = field(init=False, default_factory=list)

    def leaves(self, candidate: Candidate) -> bool:
        """Is this unknown file left alone? Then it is noted why."""
        found = candidate.found
        if not found.compressed and (self._is_copy(found) or self._is_in_doubt(candidate)):
            self.reasons[found.path] = "copy"
            return True
        if self.beginning.leaves(candidate):
            self.reasons[found.path] = "older"
            return True
        return False

    def add_copy(self, path: str, original: int | None = None) -> None:
        """The file holds nothing but what is read, or was, from its original."""
        self.reasons[path] = "copy"
        if original is not None:
            self._copies.setdefault(original, set()).add(path)

    def discard(self, path: str) -> None:
        self.reasons.pop(path, None)

    def report_copies_of(self, source: Source) -> None:
        """Its file is gone: what was a copy may be all that is left of it."""
        self.whereabouts.report_again += self._copies.pop(source.id, ())

    def take_doubted(self) -> list[Source]:
        """Sources that seem to have been truncated: to be looked at now."""
        doubted, self._doubted = self._doubted, []
        return doubted

    def _is_copy(self, found: Found) -> bool:
        """Is it, perhaps, a copy of a living source, which says nothing new as long as it lives?"""
        original = self.whereabouts.at(found.base or "")
        if original is None or original.over:
            return False
        like = likeness(found.path, original)
        if like is Likeness.PERHAPS:
            self.whereabouts.report_again.append(found.path)
            self._doubted.append(original)
        elif like is Likeness.COPY:
            self._copies.setdefault(original.id, set()).add(found.path)
        return like is not Likeness.NONE

    def _is_in_doubt(self, candidate: Candidate) -> bool:
        """Is it like a source whose file was truncated, which nobody noticed yet? Then it is
        judged when that was noticed."""
        found = candidate.found
        if found.base is None:
            return False
        for number in self.index.kin.of(found.base):
            source = self.index.sources.get(number)
            if source is None or source.over or source.archive is not None:
                continue
            known = source.record.fingerprint
            if known is None or not known.matches(candidate.head):
                continue
            if has_changed(source, self.descriptors.held(source)):
                self.whereabouts.report_again.append(found.path)
                self._doubted.append(source)
                return True
        return False

"""Judges files that no living source has: each is a known source again, a copy, or a new one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sidecar.sources.discovery import Found
from sidecar.sources.identity.archives import Archives
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.identity.claiming import Claiming
from sidecar.sources.identity.continuation import Continuation
from sidecar.sources.identity.examination import Examination
from sidecar.sources.identity.lifecycle import Lifecycle
from sidecar.sources.identity.originals import Originals
from sidecar.sources.identity.passed_over import PassedOver
from sidecar.sources.identity.remembered import Remembered
from sidecar.sources.identity.retirement import Retirement
from sidecar.sources.identity.tracing import Tracing
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.rules import LogRule
from sidecar.sources.siblings import generation
from sidecar.sources.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Asks the parts that know, one after the other, and acts on the first that does."""

    rules: Mapping[int, LogRule]
    examination: Examination
    archives: Archives
    whereabouts: Whereabouts
    remembered: Remembered
    tracing: Tracing
    originals: Originals
    passed_over: PassedOver
    claiming: Claiming
    lifecycle: Lifecycle
    continuation: Continuation
    retirement: Retirement

    def admit(self, unknown: Sequence[Found], now: float, now_ms: int) -> list[Source]:
        """Take in plain files, those that are known and the oldest first."""
        candidates = self.examination.at_rest(unknown, now)
        candidates.sort(key=_by_age)
        for candidate in candidates:
            self.remembered.set_aside_outdated(candidate, now)
        self.claiming.ask_for([each for each in candidates if not each.traces], now)
        sources = []
        for candidate in candidates:
            current = self._looked_into_again(candidate)
            if current is None:
                continue
            source = self.admit_one(current, now, now_ms)
            if source is not None:
                source.age = max(0.0, now_ms / 1000 - current.modified)
                sources.append(source)
        return sources

    def _looked_into_again(self, candidate: Candidate) -> Candidate | None:
        """What an unknown file may be the copy of is told by those before it: where that is more
        than when it was looked into, it is once more. None where another has its name meanwhile."""
        if candidate.record is not None and not candidate.record.claim.start:
            return candidate
        traces = self.tracing.of(candidate.found, candidate.head)
        if len(traces) <= len(candidate.traces):
            return candidate
        again = self.examination.of(candidate.found)
        if again is None or not self.examination.is_what_was_found(again):
            return None
        return again

    def admit_one(self, candidate: Candidate, now: float, now_ms: int) -> Source | None:
        """Take in one file; gives the source that is to be read there, if any is."""
        found = candidate.found
        live = self.whereabouts.of(found, candidate.inode, now)
        if live is not None and live.over and candidate.record is not live.record:
            self.retirement.forget(live, now)
        elif live is not None:
            self._meet(live, candidate, now)
            return live
        rule = self.rules[found.rule.number]
        self.remembered.set_aside_outdated(candidate, now)
        self.remembered.met(found.root, candidate.inode)
        rest_of = self.originals.left_to(candidate)
        if rest_of is not None:
            assert candidate.record is not None
            self.remembered.forget(candidate.record.source)
            unread = replace(candidate, record=None)
            return self.continuation.go_on(rest_of, unread, rule, now, now_ms)
        if candidate.record is not None:
            return self.lifecycle.add(candidate.record, candidate, rule, now)
        return self._admit_unknown(candidate, rule, now, now_ms)

    def _meet(self, live: Source, candidate: Candidate, now: float) -> None:
        """The file is a living source's, which has it under another number or name, or was over."""
        self.whereabouts.renumber(live, candidate.found)
        self.whereabouts.seen(live, candidate.found, now)
        if candidate.archive is not None:
            live.archive, live.size = candidate.archive, max(live.position, candidate.size)
        if not live.leaving or candidate.size > live.position:
            # Where it was deleted, this is a new file with the number of an empty one.
            live.deleted = False
            self.lifecycle.revive(live, now)

    def _admit_unknown(
        self, candidate: Candidate, rule: LogRule, now: float, now_ms: int
    ) -> Source | None:
        """A file that no record is of: a copy, an archive, or new."""
        found = candidate.found
        if self.originals.is_finished(candidate):
            self.passed_over.add_copy(found.path)
            return None
        original = self.originals.of(candidate)
        if original is None:
            return self._admit_new(candidate, rule, now, now_ms)
        if self.originals.is_reachable(original, found):
            self.passed_over.add_copy(found.path, original)
            return None
        if self.originals.has_moved_on(original, candidate):
            self.archives.offer(found, now)
            return None
        return self.continuation.go_on(original, candidate, rule, now, now_ms)

    def _admit_new(
        self, candidate: Candidate, rule: LogRule, now: float, now_ms: int
    ) -> Source | None:
        if self.passed_over.leaves(candidate):
            return None
        feeds = self.claiming.granted(candidate, now)
        if feeds is None:
            return None
        start = self.claiming.start_of(candidate, rule)
        record = self.claiming.claim(candidate, feeds, start, now_ms)
        return self.lifecycle.add(record, candidate, rule, now)


def _by_age(candidate: Candidate) -> tuple[bool, float, bool, int]:
    """What is known goes first: whether an unknown file is a copy shows by its original. Then by
    age; the clock of a file system ticks slower than a writer can rotate.
    """
    path, base = candidate.found.path, candidate.found.base
    return candidate.record is None, candidate.modified, base is None, -generation(path)

"""All sources this member reads: admits what discovery found, and lets go of what is over.

A file is known by its inode number under its root and by its first bytes. A known one goes on where
its record stands, whatever it is called by now; an unknown one is claimed, which decides its stream
for ever.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Literal

import structlog

from sidecar.model.batch import StreamKey
from sidecar.model.fingerprint import FULL, MARKER_LENGTH, Marker
from sidecar.model.journal import (
    GONE,
    REPLACED,
    Entry,
    Settled,
    SourceClaimed,
    SourceForgotten,
    SourceMoved,
    Span,
)
from sidecar.model.ledger import Ledger, SourceRecord
from sidecar.model.ownership import Ownership, Wanted
from sidecar.model.stream_names import Surroundings
from sidecar.sources.archives import Archives
from sidecar.sources.beginning import Beginning
from sidecar.sources.candidate import (
    Candidate,
    examine,
    last_line_start,
    numbers_differ,
    shares_a_name,
)
from sidecar.sources.copies import Likeness, beside, has_changed, holds, likeness
from sidecar.sources.departed import Departed
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Found
from sidecar.sources.fingerprints import Fingerprints
from sidecar.sources.gone import Gone
from sidecar.sources.kin import Kin
from sidecar.sources.last_names import LastNames
from sidecar.sources.looks import Looks
from sidecar.sources.opening import OPEN_AND_CLOSE, problem
from sidecar.sources.poll import Budget
from sidecar.sources.restoring import restored
from sidecar.sources.rules import LogRule
from sidecar.sources.siblings import base_names, generation
from sidecar.sources.source import Again, Source, note_several_writers
from sidecar.sources.stream_order import StreamOrder
from sidecar.sources.traces import Kinship, Trace, is_unmistakable
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

MISSING_PATIENCE = 5.0
"""Seconds to look for a file elsewhere after its name is gone: a rename between directories shows
first as a loss, and NFS may show a name late."""

MOUNT_PATIENCE = 600.0
"""The same where the whole directory is gone: it may be unmounted for a while."""

TURNING_PATIENCE = 5.0
"""Seconds for which files wait for a rotation of their names to end."""

REST_PATIENCE = 2.0
"""Seconds to look for the copy or the archive that holds the rest of a file, before what is known
not to have been read of it is given up. What is being made or looked through is waited for."""

Inode = tuple[str, int]


def _by_age(candidate: Candidate) -> tuple[bool, float, bool, int]:
    """What is known goes first: whether an unknown file is a copy shows by its original. Then by
    age; the clock of a file system ticks slower than a writer can rotate.
    """
    path, base = candidate.found.path, candidate.found.base
    return candidate.record is None, candidate.modified, base is None, -generation(path)


def _holds_anything(directory: str) -> bool:
    """Is the directory there, and not the empty mount point of a volume that is away?"""
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is not None
    except OSError:
        return False


class Catalogue:
    """Every source by number, by path and by inode; owned by the pump."""

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
        self._ledger = ledger
        self._record = record
        self._descriptors = descriptors
        self._looks = looks
        self._budget = budget
        self._totals = totals
        self._surroundings = surroundings
        self._ownership = ownership
        self.beginning = Beginning(state_created=state_created, first_start=first_start)
        self.is_behind = False
        """Are directories overdue for a scan? What was not found may lie in one of them."""
        self.sources: dict[int, Source] = {}
        self.report_again: list[str] = []
        """Paths for the next scan to report whatever it knows: perhaps copies in the making, or
        names of deleted files, which a new file may have taken together with the inode number."""
        self.unreadable: dict[str, str] = {}
        """Paths that match but cannot be opened, with the reason."""
        self.farewell: Callable[[Source], None] = lambda source: None
        """Told of each source whose file is done with and gone, before it is forgotten."""
        self.passed_over: dict[str, Literal["copy", "older"]] = {}
        """Paths that match and are left alone: copies of what is read anyway, and rotated files
        older than the state directory."""
        self._by_inode: dict[Inode, Source] = {}
        self._by_path: dict[str, Source] = {}
        self.order = StreamOrder(self._descriptors.holds)
        self._nameless: list[Source] = []
        self._turning_since: dict[str, float] = {}
        """Since when names were found to move on while they were looked at, by the first one."""
        self._doubted: list[Source] = []
        """Sources that seem to have been truncated: to be looked at now."""
        self._gone = Gone(record, totals)
        self._kin = Kin()
        self.fingerprints = Fingerprints(record)
        self._departed = Departed()
        self._copies: dict[int, set[str]] = {}
        """By source, the copies and archives beside its file that say nothing new as yet."""
        self._other_names: dict[int, set[str]] = {}
        """By source, the hard links of its file, which is read under its first name."""
        self.archives = Archives(
            records_of=self._records_of,
            traces_of=self._traces_of,
            budget=budget,
            unreadable=self.unreadable,
        )
        self._granted: dict[str, tuple[Wanted, str]] = {}
        """During an admission: what may be claimed, by path, with the task it belongs to."""
        self._asked: set[str] = set()
        """During an admission: the paths that were asked for."""
        self._last_names = LastNames()
        self._layered: set[str] = set()
        """Roots whose directories number files otherwise than the files themselves do."""
        self._dormant: dict[Inode, list[SourceRecord]] = {}
        self.adopt(list(ledger.sources.values()))

    def replace_rules(self, rules: Sequence[LogRule]) -> None:
        """New configuration: sources keep their streams and offsets, and read by the new rules."""
        self._rules = {rule.match.number: rule for rule in rules}

    def close(self) -> None:
        """Let go of every open file."""
        self._descriptors.close_all()
        self.archives.close()

    def at(self, path: str) -> Source | None:
        """The source whose file has this name now."""
        return self._by_path.get(path)

    def waits_for_archive(self, source: Source) -> bool:
        """Must an archive be looked through first, which may hold older lines of the stream?"""
        bases = self._kin.bases(source.id)
        return source.archive is None and self.archives.pending(bases, ripe=True)

    def admit(self, found: Sequence[Found], now: float, now_ms: int) -> list[Source]:
        """Take in what scans found; gives the sources to look at, the oldest content first."""
        unknown = []
        looked_at = []
        for each in found:
            source = self._with_number(each, each.inode, now)
            if source is not None and source.over and self._is_its_archive(source, each):
                self._seen_at(source, each, now)
            elif source is None or source.over:
                # The number of a file that is done with may be another file's by now, and a file
                # that was done with may go on after all.
                if source is not None or not self._is_left(each, now):
                    unknown.append(each)
            else:
                self._seen_at(source, each, now)
                looked_at.append(source)
        for each in unknown:
            if each.compressed:
                self.archives.offer(each, now)
        plain = [each for each in unknown if not each.compressed]
        looked_at += self._admit_all(plain, now, now_ms)
        # What lost its name has its last bytes read before its successor's first.
        nameless, self._nameless = self._nameless, []
        for source in nameless:
            self._budget.spend(1)
            source.ask_server = True
        doubted, self._doubted = self._doubted, []
        self._return_unused()
        return nameless + doubted + looked_at

    def look_through(self, now: float, now_ms: int) -> list[Source]:
        """Look a slice further through archives that are not known; gives what to look at."""
        candidates, plain = self.archives.step(now)
        candidates = [each for each in candidates if self._is_what_was_found(each)]
        sources = [self._admit_one(candidate, now, now_ms) for candidate in candidates]
        sources += self._admit_all(plain, now, now_ms)
        self._return_unused()
        return [source for source in sources if source is not None]

    def _admit_all(self, unknown: Sequence[Found], now: float, now_ms: int) -> list[Source]:
        candidates = self._examined_at_rest(unknown, now)
        candidates.sort(key=_by_age)
        for candidate in candidates:
            self._set_aside_outdated(candidate, now)
        self._ask_for([each for each in candidates if not each.traces], now)
        # What an unknown file may be the copy of is told by now; it is looked into once more.
        sources = []
        for candidate in candidates:
            traces = self._traces_of(candidate.found, candidate.head)
            tells_more = len(traces) > len(candidate.traces)
            if tells_more and (candidate.record is None or candidate.record.claim.start):
                again = self._examined(candidate.found)
                if again is None or not self._is_what_was_found(again):
                    continue
                candidate = again
            source = self._admit_one(candidate, now, now_ms)
            if source is not None:
                source.age = max(0.0, now_ms / 1000 - candidate.modified)
                sources.append(source)
        return sources

    def _examined_at_rest(self, unknown: Sequence[Found], now: float) -> list[Candidate]:
        """Look into each. Where a rotation goes on meanwhile, none of the names that it turns is
        admitted before all are seen at once: the older ones may be those that are not.

        For a while: whoever rotates faster than one can look must not be left unread.
        """
        at_rest: dict[str, list[Candidate]] = {}
        turning = set()
        for found in unknown:
            name = found.base or found.path
            candidate = self._examined(found)
            if candidate is not None and self._is_what_was_found(candidate):
                at_rest.setdefault(name, []).append(candidate)
            elif found.path not in self.unreadable:
                turning.add(name)
        for name in at_rest.keys() - turning:
            self._turning_since.pop(name, None)
        for name in turning & at_rest.keys():
            if now - self._turning_since.setdefault(name, now) < TURNING_PATIENCE:
                self.report_again += [each.found.path for each in at_rest.pop(name)]
        return [each for of_one in at_rest.values() for each in of_one]

    def adopt(self, records: Sequence[SourceRecord]) -> None:
        """Sources of a member that was taken over: scans find them by what is known of them."""
        for record in records:
            claim = record.claim
            self._dormant.setdefault((claim.root, claim.inode), []).append(record)
            rule = self._rules.get(claim.entry) if isinstance(claim.entry, int) else None
            self._kin.add(record.source, claim.path, rule.match.rotated if rule else "auto")
            if record.fingerprint is not None:
                self.fingerprints.add(record.source, record.fingerprint)
            if claim.inode in (GONE, REPLACED):
                self._departed.add(record.source, now=None)
            else:
                self._last_names.add(record.path, record)

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

    def vanished(self, path: str, now: float) -> None:
        """A name is gone from a directory that is still there: renamed away, or deleted."""
        self.unreadable.pop(path, None)
        self.passed_over.pop(path, None)
        source = self._by_path.pop(path, None)
        if source is not None and source.path == path:
            self._lost_name(source, now)

    def lost(self, source: Source, now: float) -> None:
        """Its name led elsewhere when it was to be opened."""
        if source.missing_since is None:
            source.missing_since = now

    def replaced(self, source: Source, now: float, now_ms: int) -> list[Source]:
        """The file's content is another's by now: it is read anew from 0.

        The unread rest of what it was comes from the copy beside it, or is given up. Gives the
        sources to read in its place, in their order.
        """
        self._totals.truncations += 1
        log.info(
            "source_truncated",
            path=source.path,
            read_to=source.position,
            unread_bytes=max(0, source.size - source.position),
        )
        was_leaving, inode, entry_inode = source.nameless, source.inode, source.entry_inode
        path, rule = source.path, source.rule
        self._bereave(source, now)
        successors = self._find_rest(source, now, now_ms)
        if was_leaving:
            # Whose content its name has now, if it has one, is for the next scan to tell.
            self.report_again.append(path)
            return successors
        found = Found(path, rule.match, source.record.claim.root, entry_inode)
        candidate = self._examined(found)
        if candidate is not None and candidate.inode == inode:
            feeds = (source.key, source.record.claim.task or "")
            successors.append(self._claim(candidate, rule, now, now_ms, feeds=feeds, start=0))
        return successors

    def overwritten(self, source: Source, agrees_to: int, now: float, now_ms: int) -> Source | None:
        """Another writer wrote over the last of what was read: what stands there now is read on
        from the last place that is as it was. Gives the source that does."""
        note_several_writers(source)
        # What was not read yet is read by the other; nothing is gone that can still be read.
        source.size = source.position
        self._end(source)
        source.superseded = True
        path, rule = source.path, source.rule
        found = Found(path, rule.match, source.record.claim.root, source.entry_inode)
        candidate = self._examined(found)
        if candidate is None or candidate.inode != source.inode:
            return None
        feeds = (source.key, source.record.claim.task or "")
        successor = self._claim(candidate, rule, now, now_ms, feeds=feeds, start=agrees_to)
        successor.notes = source.notes
        return successor

    def revive(self, source: Source, now: float) -> None:
        """A file that was done with is written to after all."""
        if source.over and not source.superseded:
            source.over = False
            source.rest_since = None
            source.grew_at = now
            self.order.add(source)

    def has_grown(self, source: Source) -> bool:
        """Is a file that was done with, as far as its name tells, longer than it was?"""
        if source.superseded or source.deleted or source.missing_since is not None:
            return False
        seen = self._looks.by_name(source.path)
        if source.archive is not None:
            # Appended to, or made anew: how much longer it is shows when it is looked through.
            if seen is not None and (seen.st_size, seen.st_mtime_ns) != source.archive:
                self.report_again.append(source.path)
            return False
        return seen is not None and seen.st_ino == source.inode and seen.st_size > source.position

    def read_again(self, source: Source, wanted: Again, now: float) -> Source | None:
        """Have these bytes of the source read once more; gives whose turn it is."""
        while source.copy is not None:
            source = source.copy
        if source.rest_since is not None:
            source.again.append(wanted)
            return None
        if source.superseded or (source.over and self._is_lost(source, now)):
            self._gone.wanted(wanted)
            return None
        source.again.append(wanted)
        self.revive(source, now)
        return source

    def sweep(self, now: float) -> None:
        """Let go of what is read to its end and quiet, and of what is not to be found any more."""
        for source in list(self.sources.values()):
            if source.rest_since is not None:
                waits = self.archives.pending(self._kin.bases(source.id))
                if now - source.rest_since >= REST_PATIENCE and not waits:
                    self._gone.rest(source)
                    self._end(source)
            elif source.over:
                done = source.deleted or source.superseded or self._is_lost(source, now)
                if source.finished and done:
                    self._forget(source, now)
            elif self._is_lost(source, now) and not self._descriptors.holds(source):
                self._look_beside(source, now)
            elif source.held or source.again:
                continue  # its descriptor may be the only way to what is to be read once more
            elif source.leaving and source.unread == 0 and self._is_quiet(source):
                self._finish(source)
        for number in self._departed.expired(now):
            self._wake_up(self._ledger.sources[number])
            self._expire(number)

    def _look_beside(self, source: Source, now: float) -> None:
        """A file that cannot be found: have what lies beside its name looked at once more."""
        self._end(source)
        source.rest_since = now
        try:
            siblings = beside(source, self._kin.bases(source.id))
        except OSError:
            return
        self.report_again += [found.path for found in siblings]

    @staticmethod
    def _is_its_archive(source: Source, found: Found) -> bool:
        """Is the file found the archive that the source was read from, unchanged?"""
        if source.archive is None or not found.compressed:
            return False
        try:
            seen = os.stat(found.path)
        except OSError:
            return False
        return (seen.st_size, seen.st_mtime_ns) == source.archive

    def _with_number(self, found: Found, inode: int, now: float) -> Source | None:
        """The source whose file has this number, unless it is another file's by now: a number is
        given away as soon as its file is deleted and closed, as after each compression."""
        source = self._by_inode.get((found.root, inode))
        if source is None or source.over or self._is_its_file(source, found):
            return source
        log.debug("number_used_again", path=source.path, by=found.path)
        self._let_go_names(source)
        self._lost_name(source, now)
        return None

    def _is_its_file(self, source: Source, found: Found) -> bool:
        """Does a file with the source's number hold its content, under whatever name?"""
        if found.path == source.path:
            return True  # what it holds is looked at when it is read
        if source.archive is not None:
            return self._is_its_archive(source, found)
        is_open = self._descriptors.holds(source)
        if source.record.fingerprint is None:
            return is_open or shares_a_name(source.record, found)
        self._budget.spend(OPEN_AND_CLOSE)
        # What was read last of an open one may be overwritten: that is for its next turn to tell.
        position, tail = (0, b"") if is_open else (source.position, source.tail)
        held = holds(found.path, source.inode, source.record, position, tail)
        if held is None:
            # Names have moved on since the scan, which proves nothing: the next one tells.
            self.report_again.append(found.path)
        return held is not False

    def _seen_at(self, source: Source, found: Found, now: float) -> None:
        if found.path == source.path:
            source.missing_since = None
            source.renamed_away = source.renamed_away and found.base is not None
            self._by_path[found.path] = source
            return
        if source.missing_since is None and self._still_at(source):
            # A second name of the same file: shipped once, under the first, while it has that.
            self._other_names.setdefault(source.id, set()).add(found.path)
            return
        self._moved(source, found, now)

    def _still_at(self, source: Source) -> bool:
        seen = self._looks.by_name(source.path)
        return seen is not None and seen.st_ino == source.inode

    def _moved(self, source: Source, found: Found, now: float) -> None:
        log.debug("source_renamed", path=source.path, to=found.path)
        if self._by_path.get(source.path) is source:
            del self._by_path[source.path]
        if found.base is not None and not source.renamed_away:
            self._totals.rotations += 1
            source.renamed_away = True
            source.grew_at = max(source.grew_at, now)
        self._record(SourceMoved(source.id, found.path))
        self._kin.add(source.id, found.path, source.rule.match.rotated)
        self._take_name(found.path, source, now)
        source.missing_since = None

    def _take_name(self, path: str, source: Source, now: float) -> None:
        before = self._by_path.get(path)
        self._by_path[path] = source
        if before is not None and before is not source and before.path == path:
            self._lost_name(before, now)

    def _lost_name(self, source: Source, now: float) -> None:
        if not source.renamed_away:
            source.renamed_away = True
            self._totals.rotations += 1
            source.grew_at = max(source.grew_at, now)
        source.missing_since = now
        self.report_again += self._other_names.pop(source.id, ())
        self._nameless.append(source)

    @staticmethod
    def _is_quiet(source: Source) -> bool:
        """Did a look, not merely the clock, find that nothing came for so long?"""
        looked = source.looked_at - source.grew_at
        return source.shrunk_at is None and looked >= source.rule.partial

    def _is_lost(self, source: Source, now: float) -> bool:
        if source.missing_since is None or self.is_behind:
            return False
        missing = now - source.missing_since
        if missing <= MISSING_PATIENCE:
            return False
        return missing > MOUNT_PATIENCE or _holds_anything(os.path.dirname(source.path))

    def _is_left(self, found: Found, now: float) -> bool:
        """Is it another member's? Nothing that is known here is asked about."""
        name = found.base or found.path
        if (found.root, found.inode) in self._dormant or name in self._by_path:
            return False
        return self._ownership.is_left(found.path, name, found.root, found.inode, now)

    def _ask_for(self, candidates: Sequence[Candidate], now: float) -> None:
        """Ask for what is new of these: what is granted may be claimed."""
        wanted = []
        tasks = []
        for each in candidates:
            found = each.found
            live = self._by_inode.get((found.root, each.inode))
            if each.record is not None or (live is not None and not live.over):
                continue
            if self.beginning.leaves(each):
                continue
            name = self._name_of(found)
            key, task = self.feeds(name, found.root, self._rules[found.rule.number])
            wanted.append(Wanted(found.path, name, found.root, each.inode, each.head, *key))
            tasks.append(task)
        ours = self._ownership.grant(wanted, now)
        for want, task, is_ours in zip(wanted, tasks, ours, strict=True):
            self._asked.add(want.path)
            if is_ours:
                self._granted[want.path] = (want, task)

    def _return_unused(self) -> None:
        """What was granted and turned out not to be wanted: a copy, say."""
        for wanted, _ in self._granted.values():
            self._ownership.give_up(wanted.root, wanted.inode, wanted.group, wanted.stream)
        self._granted.clear()
        self._asked.clear()

    def _examined(self, found: Found) -> Candidate | None:
        self._budget.spend(2)
        self._totals.data_operations += 1
        try:
            candidate = examine(found, self._records_of, self._traces_of)
        except OSError as error:
            text = problem(error)
            if self.unreadable.get(found.path) != text:
                log.warning("file_unreadable", path=found.path, error=text)
            self.unreadable[found.path] = text
            return None
        self.unreadable.pop(found.path, None)
        return candidate

    def _is_what_was_found(self, candidate: Candidate) -> bool:
        """Was the file opened that the scan found under this name, and no other meanwhile?

        Where the numbers differ, names have moved since the scan, as in every rotation; or a
        layered file system numbers files otherwise in a directory, which shows once for a root.
        """
        found = candidate.found
        if found.inode == candidate.inode or found.root in self._layered:
            return True
        if numbers_differ(found, candidate.inode):
            self._layered.add(found.root)
            return True
        self.report_again.append(found.path)
        return False

    def _records_of(self, root: str, inode: int) -> list[SourceRecord]:
        """What is known of this inode number from earlier: other runs, and sources done with."""
        done = self._by_inode.get((root, inode))
        records = self._dormant.get((root, inode), [])
        return [*records, done.record] if done is not None and done.over else records

    def _admit_one(self, candidate: Candidate, now: float, now_ms: int) -> Source | None:
        found = candidate.found
        live = self._with_number(found, candidate.inode, now)
        if live is not None and live.over and candidate.record is not live.record:
            self._forget(live, now)
        elif live is not None:
            self._let_go_inodes(live)
            live.entry_inode = found.inode
            self._by_inode[found.root, found.inode] = live
            self._by_inode[found.root, live.inode] = live
            self._seen_at(live, found, now)
            if candidate.archive is not None:
                live.archive, live.size = candidate.archive, max(live.position, candidate.size)
            if not live.leaving or candidate.size > live.position:
                self.revive(live, now)
            return live
        rule = self._rules[found.rule.number]
        self._set_aside_outdated(candidate, now)
        self._dormant.pop((found.root, candidate.inode), None)
        rest_of = self._left_to_short_copy(candidate)
        if rest_of is not None:
            assert candidate.record is not None
            self._expire(candidate.record.source)
            unread = replace(candidate, record=None)
            return self._continue_in(rest_of, unread, rule, now, now_ms)
        if candidate.record is not None:
            return self._add(candidate.record, candidate, rule, now)
        return self._admit_unknown(candidate, rule, now, now_ms)

    def _admit_unknown(
        self, candidate: Candidate, rule: LogRule, now: float, now_ms: int
    ) -> Source | None:
        """A file that no record is of: a copy, an archive, or new."""
        found = candidate.found
        if self._is_of_finished(candidate):
            self.passed_over[found.path] = "copy"
            return None
        original = self._original_of(candidate)
        if original is not None and not self._is_proved(original, candidate):
            original = None
        if original is not None and self._is_reachable(original, found):
            self._copies.setdefault(original, set()).add(found.path)
            self.passed_over[found.path] = "copy"
            return None
        if original is not None and self._has_moved_on(original, candidate):
            self.archives.offer(found, now)
            return None
        if original is not None:
            return self._continue_in(original, candidate, rule, now, now_ms)
        passed_over = self._passed_over(candidate)
        if passed_over is not None:
            self.passed_over[found.path] = passed_over
            return None
        if found.path not in self._asked:
            self._ask_for([candidate], now)
        granted = self._granted.pop(found.path, None)
        if granted is None:
            return None
        wanted, task = granted
        feeds = (StreamKey(wanted.group, wanted.stream), task)
        return self._claim(candidate, rule, now, now_ms, feeds=feeds)

    def _passed_over(self, candidate: Candidate) -> Literal["copy", "older"] | None:
        """Why an unknown file that matches is left alone; None where it is not."""
        found = candidate.found
        if not found.compressed and (self._is_copy(found) or self._is_in_doubt(candidate)):
            return "copy"
        return "older" if self.beginning.leaves(candidate) else None

    def _set_aside_outdated(self, candidate: Candidate, now: float) -> None:
        """The number was used again, or the file written anew, while nobody looked."""
        for record in candidate.outdated:
            if record.source in self.sources or record.source in self._departed:
                continue
            log.info("source_replaced", path=record.path, read_to=record.acknowledged)
            self._wake_up(record)
            self._depart(record, REPLACED, now)

    def _is_of_finished(self, candidate: Candidate) -> bool:
        """Is it the archive of a source that was finished and forgotten?"""
        known = self._ledger.archives.get((candidate.found.root, candidate.inode))
        return known is not None and candidate.archive == (known.bytes, known.modified_ns)

    def _original_of(self, candidate: Candidate) -> int | None:
        """The source whose content the file holds, wherever that one is now."""
        original: SourceRecord | None = None
        for trace in candidate.traces:
            record = self._ledger.sources.get(trace.source)
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

    def _left_to_short_copy(self, candidate: Candidate) -> int | None:
        """The source that an earlier run had read further than this known copy of it reaches, and
        not delivered: what the copy holds of it is read there after all."""
        copy = candidate.record
        if copy is None or not copy.claim.start:
            return None
        number = self._original_of(candidate)
        if number is None or number in self.sources:
            return None
        return number if self._ledger.sources[number].acknowledged < copy.claim.start else None

    def _is_copy(self, found: Found) -> bool:
        """Is it, perhaps, a copy of a living source, which says nothing new as long as it lives?"""
        original = self._by_path.get(found.base or "")
        if original is None or original.over:
            return False
        like = likeness(found.path, original)
        if like is Likeness.PERHAPS:
            self.report_again.append(found.path)
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
        for number in self._kin.of(found.base):
            source = self.sources.get(number)
            if source is None or source.over or source.archive is not None:
                continue
            known = source.record.fingerprint
            if known is None or not known.matches(candidate.head):
                continue
            if has_changed(source, self._descriptors.held(source)):
                self.report_again.append(found.path)
                self._doubted.append(source)
                return True
        return False

    def _find_rest(self, source: Source, now: float, now_ms: int) -> list[Source]:
        """Admit what lies beside a file that was truncated: the rest may be among it."""
        try:
            siblings = beside(source, self._kin.bases(source.id))
        except OSError:
            return []
        unknown = []
        for found in siblings:
            known = self._with_number(found, found.inode, now)
            if known is not None and (not known.over or self._is_its_archive(known, found)):
                continue
            if found.compressed:
                self.archives.offer(found, now)
            else:
                unknown.append(found)
        return self._admit_all(unknown, now, now_ms)

    def _traces_of(self, found: Found, head: bytes) -> list[Trace]:
        """Traces of the sources whose content a file with these first bytes may hold."""
        traces: list[Trace] = []
        directory, name = os.path.split(found.path)
        names = [found.base or found.path]
        if found.compressed:
            rotated = found.rule.rotated
            names += [os.path.join(directory, base) for base in base_names(name, rotated)]
            traces += self._traces_elsewhere(names, head)
        for number in dict.fromkeys(number for name in names for number in self._kin.of(name)):
            record = self._ledger.sources.get(number)
            if record is None or not (
                found.compressed
                or self._is_truncated(record)
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

    def _traces_elsewhere(self, names: Sequence[str], head: bytes) -> Iterator[Trace]:
        """Of the sources in other directories that had one of these names, begin with a full head
        like this, and whose file is not where it was: they may be archived here."""
        for number in self.fingerprints.of(head):
            record = self._ledger.sources.get(number)
            if record is None:
                continue  # forgotten when it was removed, or taken over under another number
            directory, name = os.path.split(record.path)
            if name not in map(os.path.basename, names):
                continue
            if directory in map(os.path.dirname, names):
                continue
            source = self.sources.get(number)
            if source is not None and not source.over and self._still_at(source):
                continue
            trace = replace(self._trace(record), marks=(), elsewhere=True)
            if trace.position >= FULL:
                yield trace

    def _learn_head(self, number: int) -> None:
        """A source that was not read yet, for want of room say, may be open all the same, and will
        be read: its archive holds nothing new."""
        source = self.sources.get(number)
        held = self._descriptors.held(source) if source is not None else None
        if source is None or held is None:
            return
        try:
            self.fingerprints.learn(source, os.pread(held, FULL, 0))
        except OSError:
            return  # its next turn tells

    def _is_truncated(self, record: SourceRecord) -> bool:
        """Did its file lose its content, so that a file like it is a copy and no new one?"""
        source = self.sources.get(record.source)
        return record.claim.inode == REPLACED if source is None else source.superseded

    def _may_be_elsewhere(self, record: SourceRecord, found: Found) -> bool:
        """Is its file not under the name that the rotated one had, which may be a copy of it?"""
        if found.base is None or (found.root, found.inode) in self._dormant:
            return False
        source = self.sources.get(record.source)
        return (
            source is None
            or source.deleted
            or source.missing_since is not None
            or source.path != found.base
        )

    def _trace(self, record: SourceRecord) -> Trace:
        assert record.fingerprint is not None
        source, number = self.sources.get(record.source), record.source
        earlier = [(mark.offset, Marker(mark.length, mark.crc)) for mark in record.trail]
        if source is None:
            return Trace(
                source=number,
                fingerprint=record.fingerprint,
                position=record.acknowledged,
                marker=record.marker,
                marks=(*self._departed.marks(number), *earlier),
                exact=self._departed.is_exact(number),
            )
        return Trace(
            source=number,
            fingerprint=record.fingerprint,
            position=source.position,
            marker=Marker.of(source.tail),
            marks=(*source.marks, *earlier),
            exact=source.read_out,
        )

    def _is_proved(self, number: int, copy: Candidate) -> bool:
        """Is it a copy of a source beyond doubt? An archive is, and what is like a file that was
        truncated; of one that is gone, and of what lies elsewhere, only what no other file can be
        like."""
        record = self._ledger.sources[number]
        is_beside = os.path.dirname(copy.found.path) == os.path.dirname(record.path)
        if (copy.archive is not None and is_beside) or self._is_truncated(record):
            return True
        # A source that is read may be further by now than when it was compared.
        at = next(trace.position for trace in copy.traces if trace.source == number)
        if at > copy.size:
            return is_unmistakable(copy.head[: copy.head.rfind(b"\n")])
        before = copy.before[at].rstrip(b"\n")
        # The first line of it may be cut off.
        return is_unmistakable(before if at <= MARKER_LENGTH else before[before.find(b"\n") + 1 :])

    def _is_reachable(self, number: int, copy: Found) -> bool:
        """Can the source be read where it is, or has it been read to its end there? An archive that
        another one has taken the name of cannot."""
        source = self.sources.get(number)
        if source is None and number not in self._departed and not copy.compressed:
            return self._is_in_its_directory(self._ledger.sources[number])
        if source is None or source.superseded or source.rest_since is not None:
            return False
        if source.archive is not None and source.path == copy.path:
            return False
        return self._descriptors.holds(source) or source.missing_since is None

    def _is_in_its_directory(self, record: SourceRecord) -> bool:
        """Does the file of a record that no scan has come upon yet lie where it did, perhaps under
        another name?"""
        numbers_differ = record.claim.root in self._layered
        self._budget.spend(1)
        try:
            with os.scandir(os.path.dirname(record.path)) as entries:
                return any(
                    (entry.stat().st_ino if numbers_differ else entry.inode()) == record.claim.inode
                    for entry in entries
                )
        except OSError:
            return False

    def _has_moved_on(self, number: int, archive: Candidate) -> bool:
        """Did an outcome move the checkpoint while the archive was looked through?"""
        at = self._ledger.sources[number].acknowledged
        return number not in self.sources and at <= archive.size and at not in archive.before

    def _continue_in(
        self, number: int, candidate: Candidate, rule: LogRule, now: float, now_ms: int
    ) -> Source:
        """The source's content is in this file by now: it goes on there where it stood."""
        found = candidate.found
        source = self.sources.get(number)
        record = self._ledger.sources[number]
        read_to = record.acknowledged if source is None else source.position
        log.info(
            "source_continues_in_copy",
            path=record.path,
            copy=found.path,
            read_to=read_to,
            size=candidate.size,
        )
        if candidate.size < read_to:
            # A copy that is shorter than what was read: known by a record of its own from now on.
            feeds = (StreamKey(*record.feeds), record.claim.task or "")
            size = candidate.size
            copy = self._claim(candidate, rule, now, now_ms, feeds=feeds, start=size)
            copy.renamed_away = True
            if source is not None:
                source.copy = copy
                copy.again.extend(source.again)
                source.again.clear()
            return copy
        self._wake_up(record)
        self._record(SourceMoved(number, found.path, candidate.inode))
        self._kin.add(number, found.path, rule.match.rotated)
        if source is None:
            before = candidate.before[record.acknowledged]
            source = self._add(record, replace(candidate, record=record, tail=before), rule, now)
        else:
            self._move(source, candidate, now)
        source.renamed_away = True
        return source

    def _move(self, source: Source, candidate: Candidate, now: float) -> None:
        """Let a living source go on in another file."""
        self._descriptors.close(source)
        self._let_go_names(source)
        found = candidate.found
        held_to = max(candidate.size, source.position)
        if source.size > held_to:
            # Written after the copy was made and before the truncation, seen and not read.
            self._gone.seen_only(source, held_to)
        source.size = held_to
        source.archive = candidate.archive
        source.entry_inode = found.inode
        source.superseded = source.deleted = source.exhausted = False
        source.missing_since = source.rest_since = source.shrunk_at = None
        source.seen_to = source.position
        source.modified_ns = -1
        self._by_inode[found.root, found.inode] = source
        self._by_inode[found.root, source.inode] = source
        self._take_name(found.path, source, now)
        self.fingerprints.learn(source, candidate.head)
        self.revive(source, now)

    def _bereave(self, source: Source, now: float) -> None:
        """Its file holds its content no longer; perhaps another one does."""
        self._end(source)
        self._let_go_names(source)
        if not source.renamed_away:
            source.renamed_away = True
            self._totals.rotations += 1
        source.superseded = True
        source.rest_since = now

    def _let_go_inodes(self, source: Source) -> None:
        for inode in ((source.record.claim.root, n) for n in (source.inode, source.entry_inode)):
            if self._by_inode.get(inode) is source:
                del self._by_inode[inode]

    def _let_go_names(self, source: Source) -> None:
        self._let_go_inodes(source)
        if self._by_path.get(source.path) is source:
            del self._by_path[source.path]

    def _wake_up(self, record: SourceRecord) -> None:
        """It is dormant no longer: its old inode number means nothing any more."""
        self._departed.discard(record.source)
        dormant = self._dormant.get((record.claim.root, record.claim.inode), [])
        if record in dormant:
            dormant.remove(record)

    def _claim(
        self,
        candidate: Candidate,
        rule: LogRule,
        now: float,
        now_ms: int,
        *,
        feeds: tuple[StreamKey, str] | None = None,
        start: int | None = None,
    ) -> Source:
        found = candidate.found
        path = self._name_of(found)
        key, task = self.feeds(path, found.root, rule) if feeds is None else feeds
        if start is None:
            start = 0
            if rule.start_at == "end" and self.beginning.was_there(candidate):
                start = candidate.size
                if candidate.archive is None:
                    start = last_line_start(found.path, candidate.size)
        entry = SourceClaimed(
            source=self._ledger.next_source,
            root=found.root,
            path=path,
            inode=candidate.inode,
            group=key.group,
            stream=key.stream,
            task=task,
            entry=found.rule.number,
            start=start,
            at_ms=now_ms,
        )
        self._record(entry)
        self._totals.sources_claimed += 1
        self._last_names.add(path, self._ledger.sources[entry.source])
        log.info("source_claimed", path=found.path, group=key.group, stream=key.stream, start=start)
        return self._add(self._ledger.sources[entry.source], candidate, rule, now)

    def _name_of(self, found: Found) -> str:
        """A rotated file is claimed under the name it had: that is whose stream it belongs to."""
        return found.base if found.base and self._is_rotated(found) else found.path

    def _is_rotated(self, found: Found) -> bool:
        """Does its name come from a rotation, rather than only look like it?"""
        if found.base is None:
            return False
        if not found.included or found.base in self._by_path:
            return True
        return self._looks.by_name(found.base) is not None

    def feeds(self, path: str, root: str, rule: LogRule) -> tuple[StreamKey, str]:
        """The stream for a file of this name: that of the file that had the name before."""
        before = self._by_path.get(path)
        record = self._last_names.of(path) if before is None else before.record
        if record is not None:
            return StreamKey(*record.feeds), record.claim.task or ""
        stream, task = rule.stream_of(path, root, self._surroundings, self._ownership.tasks)
        return StreamKey(rule.log_group, stream), task

    def _add(self, record: SourceRecord, candidate: Candidate, rule: LogRule, now: float) -> Source:
        found = candidate.found
        source = restored(
            record,
            candidate,
            rule,
            self._ledger,
            renamed_away=self._was_renamed_away(found, record, candidate),
            abandoned=self._ownership.is_abandoned(found.path, found.root),
            now=now,
        )
        if found.path != record.path:
            self._record(SourceMoved(record.source, found.path))
        self._kin.add(source.id, found.path, rule.match.rotated)
        if found.base is not None:
            self._kin.add(source.id, found.base, "off")
        self.sources[source.id] = source
        self.passed_over.pop(found.path, None)
        self._by_inode[found.root, found.inode] = source
        self._by_inode[found.root, source.inode] = source
        if candidate.head:
            self.fingerprints.learn(source, candidate.head)
        self.order.add(source)
        before = self.order.before(source)
        if before is not None:
            # Whoever wrote to it may have gone on until there was this file: one more look.
            self._nameless.append(before)
        self._take_name(found.path, source, now)
        return source

    def _was_renamed_away(self, found: Found, record: SourceRecord, candidate: Candidate) -> bool:
        """Is it under a rotated name, since now or, for what an earlier run knew, since then?"""
        if found.base is not None and record.claim.path != found.path:
            return True
        return candidate.record is record and self._is_rotated(found)

    def _finish(self, source: Source) -> None:
        if source.nul_skipped_from is not None:
            # A run of NULs with nothing after it: a file made larger than what was written.
            span = Span(source.id, source.nul_skipped_from, source.position, "filtered")
            self._record(Settled(None, (span,)))
            self._totals.bytes_filtered += source.position - source.nul_skipped_from
        log.info("source_finished", path=source.path, read_to=source.position)
        self._end(source)

    def _end(self, source: Source) -> None:
        source.over = True
        self._descriptors.close(source)
        self.order.remove(source)

    def _forget(self, source: Source, now: float) -> None:
        """Let go of it; what tells a copy or an archive of it is remembered for a while."""
        self.farewell(source)
        self.report_again.append(source.path)
        self.report_again += self._copies.pop(source.id, ())
        self.report_again += self._other_names.pop(source.id, ())
        del self.sources[source.id]
        self._let_go_names(source)
        claim, feeds = source.record.claim, source.record.feeds
        self._ownership.give_up(claim.root, claim.inode, *feeds)
        self._last_names.discard(source.record)
        if source.archive is not None or source.rule.match.rotated == "off":
            self._expire(source.id)
            return
        cause = REPLACED if source.superseded else GONE
        marks, exact = tuple(source.marks), source.read_out
        self._depart(source.record, cause, now, marks=marks, exact=exact)

    def _depart(
        self,
        record: SourceRecord,
        cause: int,
        now: float,
        *,
        marks: tuple[tuple[int, Marker], ...] = (),
        exact: bool = False,
    ) -> None:
        self._record(SourceMoved(record.source, record.path, cause))
        self._departed.add(record.source, now=now, marks=marks, exact=exact)

    def _expire(self, number: int) -> None:
        record = self._ledger.sources.get(number)
        self._kin.remove(number)
        if record is not None and record.fingerprint is not None:
            self.fingerprints.remove(number, record.fingerprint)
        self._record(SourceForgotten(number))
        if record is not None:
            self._last_names.discard(record)
            self._ownership.give_up(record.claim.root, record.claim.inode, *record.feeds)

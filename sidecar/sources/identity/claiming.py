"""Makes a file this member's: asks whether it may, and writes the claim that starts a source."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from sidecar.model.batch import StreamKey
from sidecar.model.journal import Entry, SourceClaimed
from sidecar.model.ledger import Ledger, SourceRecord
from sidecar.model.ownership import Ownership, Wanted
from sidecar.sources.discovery import Found
from sidecar.sources.identity.beginning import Beginning, last_line_start
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.identity.remembered import Remembered
from sidecar.sources.identity.streams import Feeds, Streams
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.rules import LogRule
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Claiming:
    """What is asked for in one admission is granted for it alone; the rest is given back."""

    rules: Mapping[int, LogRule]
    ledger: Ledger
    record: Callable[[Entry], None]
    ownership: Ownership
    whereabouts: Whereabouts
    remembered: Remembered
    streams: Streams
    beginning: Beginning
    totals: Totals
    _granted: dict[str, tuple[Wanted, str]] = field(init=False, default_factory=dict)
    """What may be claimed, by path, with the task it belongs to."""
    _asked: set[str] = field(init=False, default_factory=set)

    def is_left(self, found: Found, now: float) -> bool:
        """Is it another member's? Nothing that is known here is asked about."""
        name = found.base or found.path
        is_known = self.remembered.has_number(found.root, found.inode)
        if is_known or self.whereabouts.at(name) is not None:
            return False
        return self.ownership.is_left(found.path, name, found.root, found.inode, now)

    def ask_for(self, candidates: Sequence[Candidate], now: float) -> None:
        """Ask for what is new of these: what is granted may be claimed."""
        wanted = []
        tasks = []
        for each in candidates:
            found = each.found
            live = self.whereabouts.numbered(found.root, each.inode)
            if each.record is not None or (live is not None and not live.over):
                continue
            if self.beginning.leaves(each):
                continue
            name = self.whereabouts.name_of(found)
            key, task = self.streams.of(name, found.root, self.rules[found.rule.number])
            wanted.append(Wanted(found.path, name, found.root, each.inode, each.head, *key))
            tasks.append(task)
        ours = self.ownership.grant(wanted, now)
        for want, task, is_ours in zip(wanted, tasks, ours, strict=True):
            self._asked.add(want.path)
            if is_ours:
                self._granted[want.path] = (want, task)

    def granted(self, candidate: Candidate, now: float) -> Feeds | None:
        """What the file is to feed, if it is ours; asked for now where it was not."""
        path = candidate.found.path
        if path not in self._asked:
            self.ask_for([candidate], now)
        granted = self._granted.pop(path, None)
        if granted is None:
            return None
        wanted, task = granted
        return StreamKey(wanted.group, wanted.stream), task

    def return_unused(self) -> None:
        """The admission is over: give back what turned out not to be wanted, a copy, say."""
        for wanted, _ in self._granted.values():
            self.ownership.give_up(wanted.root, wanted.inode, wanted.group, wanted.stream)
        self._granted.clear()
        self._asked.clear()

    def start_of(self, candidate: Candidate, rule: LogRule) -> int:
        """Where a new file is read from, by `start_at`."""
        if rule.start_at != "end" or not self.beginning.was_there(candidate):
            return 0
        if candidate.archive is not None:
            return candidate.size
        return last_line_start(candidate.found.path, candidate.size)

    def claim(self, candidate: Candidate, feeds: Feeds, start: int, now_ms: int) -> SourceRecord:
        """The file's content from `start` on is a new source."""
        found = candidate.found
        (group, stream), task = feeds
        path = self.whereabouts.name_of(found)
        entry = SourceClaimed(
            source=self.ledger.next_source,
            root=found.root,
            path=path,
            inode=candidate.inode,
            group=group,
            stream=stream,
            task=task,
            entry=found.rule.number,
            start=start,
            at_ms=now_ms,
        )
        self.record(entry)
        self.totals.sources_claimed += 1
        record = self.ledger.sources[entry.source]
        self.streams.add(path, record)
        log.info("source_claimed", path=found.path, group=group, stream=stream, start=start)
        return record

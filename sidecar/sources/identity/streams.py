"""Which stream a new file feeds: that of the file that had its name before, whoever read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from sidecar.model.batch import StreamKey
from sidecar.model.ledger import SourceRecord
from sidecar.model.ownership import Ownership
from sidecar.model.stream_names import Surroundings
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.rules import LogRule

MOST = 20_000
"""Names that are remembered, the latest: a few megabytes."""

Feeds: TypeAlias = tuple[StreamKey, str]
"""A stream, and the task that what feeds it belongs to."""


@dataclass(slots=True, kw_only=True)
class Streams:
    """Remembers the source that was last claimed under each name."""

    whereabouts: Whereabouts
    surroundings: Surroundings
    ownership: Ownership
    _last: dict[str, SourceRecord] = field(init=False, default_factory=dict)

    def add(self, path: str, record: SourceRecord) -> None:
        """This source was claimed under this name."""
        self._last.pop(path, None)
        self._last[path] = record
        if len(self._last) > MOST:
            del self._last[next(iter(self._last))]

    def discard(self, record: SourceRecord) -> None:
        if self._last.get(record.path) is record:
            del self._last[record.path]

    def of(self, path: str, root: str, rule: LogRule) -> Feeds:
        """The stream for a file that gets this name."""
        before = self.whereabouts.at(path)
        record = self._last.get(path) if before is None else before.record
        if record is not None:
            return feeds_of(record)
        stream, task = rule.stream_of(path, root, self.surroundings, self.ownership.tasks)
        return StreamKey(rule.log_group, stream), task


def feeds_of(record: SourceRecord) -> Feeds:
    """What a source that was claimed feeds."""
    return StreamKey(*record.feeds), record.claim.task or ""

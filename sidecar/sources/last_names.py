"""Which source had a name last: the next file under it feeds the same stream, whoever reads it."""

from __future__ import annotations

from sidecar.model.ledger import SourceRecord

MOST = 20_000
"""Names that are remembered, the latest: a few megabytes."""


class LastNames:
    """The source that was last claimed under each name."""

    def __init__(self) -> None:
        self._records: dict[str, SourceRecord] = {}

    def add(self, path: str, record: SourceRecord) -> None:
        self._records.pop(path, None)
        self._records[path] = record
        if len(self._records) > MOST:
            del self._records[next(iter(self._records))]

    def discard(self, record: SourceRecord) -> None:
        if self._records.get(record.path) is record:
            del self._records[record.path]

    def of(self, path: str) -> SourceRecord | None:
        return self._records.get(path)

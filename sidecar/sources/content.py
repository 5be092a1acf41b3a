"""The bytes of a source's content, wherever it is: in a plain file, or inside an archive."""

from __future__ import annotations

import os

from sidecar.sources.archive import ArchiveReader
from sidecar.sources.source import Source
from sidecar.telemetry import Totals

MOST_READERS = 8
"""Archives that are kept half read at a time; another one begins anew when it is read on."""


class Content:
    """Reads at an offset of the content, as `pread` does of a file."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals
        self._readers: dict[int, tuple[object, ArchiveReader]] = {}

    def pread(self, source: Source, descriptor: int, length: int, at: int) -> bytes:
        """At most `length` bytes at `at`; fewer at the end."""
        self._totals.data_operations += 1
        if source.archive is None:
            return os.pread(descriptor, length, at)
        archive, reader = self._readers.pop(source.id, (None, ArchiveReader()))
        if archive != source.archive:
            reader = ArchiveReader()
        self._readers[source.id] = source.archive, reader
        if len(self._readers) > MOST_READERS:
            del self._readers[next(iter(self._readers))]
        return reader.pread(descriptor, length, at)

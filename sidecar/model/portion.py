"""What one turn of a source gave, on its way into batches."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.model.fingerprint import MARKER_LENGTH
from sidecar.model.records import Records, Resume

BYTES_PER_RECORD = 250
"""Memory of a record's text object, numbers and list places beside its bytes (CPython 3.11)."""


@dataclass(slots=True)
class Portion:
    """Records read in one turn from a source, with the bytes they came from.

    The bytes stay until the records are in a batch, because a checkpoint's marker is made of them.
    """

    source: int
    records: Records
    data: bytes
    data_start: int
    read_at: float
    resume: Resume | None = None
    """How to go on at `data_start`, where that lies inside an over-long line."""
    taken: int = 0
    """How many of the records are in batches already."""

    def bytes_before(self, offset: int) -> bytes:
        """At most MARKER_LENGTH bytes before `offset`, as far as they are at hand."""
        end = offset - self.data_start
        return self.data[max(0, end - MARKER_LENGTH) : end] if end > 0 else b""

    @property
    def cost(self) -> int:
        """Bytes of memory it takes, about."""
        return len(self.data) + BYTES_PER_RECORD * len(self.records)

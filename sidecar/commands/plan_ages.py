"""How many events CloudWatch would refuse for their age, found by assembling them for real.

A small backlog is assembled whole. Of a large one pieces are, spread evenly from its beginning to
its end, and the counts are projected; the plan says which it was.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from sidecar.delivery.encode import MAX_AGE_MS, MAX_AHEAD_MS
from sidecar.model.assembler import Assembler
from sidecar.model.records import NO_TIME
from sidecar.sources.opening import open_file
from sidecar.sources.source import Source

WHOLE_BYTES = 8 * 1024 * 1024
"""Of one source up to here all is assembled."""

PIECE_BYTES = 512 * 1024
PIECES = 8
"""Of a larger source, so many pieces of this size."""

MOST_BYTES = 512 * 1024 * 1024
"""Of all sources together; beyond it one piece of each is assembled."""

HEAD_BYTES = 64


@dataclass(slots=True)
class Ages:
    """Events by what CloudWatch would say to their timestamps, and how they were counted."""

    events: int = 0
    too_old: int = 0
    too_new: int = 0
    counted_bytes: int = 0
    of_bytes: int = 0

    @property
    def whole(self) -> bool:
        """Whether every byte was assembled, so that the counts are exact."""
        return self.counted_bytes >= self.of_bytes


class Counter:
    """Counts source after source, within one budget of bytes."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms
        self._left = MOST_BYTES

    def count(self, source: Source) -> Ages:
        """The ages of what is to be shipped of the source; nothing where it cannot be read."""
        begin, end = source.record.acknowledged, source.size
        ages = Ages(of_bytes=max(0, end - begin))
        pieces = PIECES if self._left > 0 else 1
        whole = ages.of_bytes <= min(WHOLE_BYTES, max(self._left, PIECE_BYTES))
        length = PIECE_BYTES if not whole else max(ages.of_bytes, 1)
        step = 0 if whole or pieces == 1 else (ages.of_bytes - length) // (pieces - 1)
        starts = [begin + step * n for n in range(pieces if step else 1)]
        try:
            descriptor = open_file(source.path)
        except OSError:
            return ages
        try:
            for start in starts:
                data = os.pread(descriptor, min(length, end - start), start)
                self._left -= len(data)
                ages.counted_bytes += len(data)
                self._assemble(source, data, start, ages, descriptor)
        except OSError:
            return ages
        finally:
            os.close(descriptor)
        return _projected(ages)

    def _assemble(
        self, source: Source, data: bytes, start: int, ages: Ages, descriptor: int
    ) -> None:
        at_begin = start == source.record.acknowledged
        if not at_begin:
            # Somewhere in a line: the next one is the first that counts.
            skipped = data.find(b"\n") + 1
            data, start = data[skipped:], start + skipped
        before = os.pread(descriptor, min(HEAD_BYTES, start), max(0, start - HEAD_BYTES))
        assembler = Assembler(
            source.rule.assembly,
            stream=source.key.stream,
            resume=source.record.resume if at_begin else None,
            head=source.head,
            before=before,
        )
        records = assembler.feed(data, start, self._now_ms, close=True)
        ages.events += len(records)
        for time in records.timestamps:
            if time == NO_TIME:
                continue
            ages.too_old += time < self._now_ms - MAX_AGE_MS
            ages.too_new += time > self._now_ms + MAX_AHEAD_MS


def _projected(ages: Ages) -> Ages:
    if ages.whole or not ages.counted_bytes:
        return ages
    scale = ages.of_bytes / ages.counted_bytes
    return Ages(
        events=round(ages.events * scale),
        too_old=round(ages.too_old * scale),
        too_new=round(ages.too_new * scale),
        counted_bytes=ages.counted_bytes,
        of_bytes=ages.of_bytes,
    )

"""A bounded pool of open files: few descriptors, however many sources."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict

from sidecar.sources.opening import OPEN_AND_CLOSE, open_file
from sidecar.sources.poll import Budget
from sidecar.sources.source import Source
from sidecar.telemetry import Totals


class Moved(Exception):  # noqa: N818 - no fault, but an answer: the scan will tell where it went
    """The source's name is gone, or is another file's by now."""


class Changed(Exception):  # noqa: N818 - no fault, but an answer
    """The same inode holds other content than what was read: truncated, or used again."""


class Descriptors:
    """Opens sources and keeps them open, the least recently used closed first.

    A deleted file's descriptor is the only way to its bytes, so it is never closed for room.
    """

    def __init__(self, most: int, totals: Totals, budget: Budget) -> None:
        self._most = most
        self._totals = totals
        self._budget = budget
        self._open: OrderedDict[int, tuple[int, Source]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def holds(self, source: Source) -> bool:
        return source.id in self._open

    def held(self, source: Source) -> int | None:
        """The source's descriptor, if there is one; it may lead to a file without a name."""
        held = self._open.get(source.id)
        return held[0] if held is not None else None

    def of(self, source: Source) -> int:
        """The source's descriptor, opened and checked anew where it was closed.

        Raises Moved, Changed, or the OSError of the volume.
        """
        held = self._open.get(source.id)
        if held is not None:
            self._open.move_to_end(source.id)
            return held[0]
        descriptor = self._opened(source)
        self._make_room()
        self._open[source.id] = (descriptor, source)
        return descriptor

    def close(self, source: Source) -> None:
        held = self._open.pop(source.id, None)
        if held is not None:
            os.close(held[0])

    def close_all(self) -> None:
        for descriptor, _ in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _opened(self, source: Source) -> int:
        self._budget.spend(OPEN_AND_CLOSE)
        try:
            descriptor = open_file(source.path)
        except FileNotFoundError:
            raise Moved from None
        try:
            seen = os.fstat(descriptor)
            if seen.st_ino != source.inode or not stat.S_ISREG(seen.st_mode):
                raise Moved
            self._check_content(source, descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _check_content(self, source: Source, descriptor: int) -> None:
        """An inode number is used again after a deletion, and a file may be written anew."""
        if source.archive is not None:
            return  # the bytes before the position are compared when it is read
        fingerprint = source.record.fingerprint
        if fingerprint is not None and fingerprint.length:
            self._totals.data_operations += 1
            if not fingerprint.matches(os.pread(descriptor, fingerprint.length, 0)):
                raise Changed
        marker = source.record.marker
        if marker.length:
            at = source.record.acknowledged - marker.length
            if not marker.matches(os.pread(descriptor, marker.length, at)):
                raise Changed

    def _make_room(self) -> None:
        while len(self._open) >= self._most:
            for number, (descriptor, source) in self._open.items():
                if not source.deleted and source.missing_since is None:
                    os.close(descriptor)
                    del self._open[number]
                    break
            else:
                return

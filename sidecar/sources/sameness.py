"""Is a file still what was read of it, or was it truncated, written anew, or written over?"""

from __future__ import annotations

import os

import structlog

from sidecar.sources.opening import seen_anew
from sidecar.sources.source import Source
from sidecar.sources.turns import Turn, Verdict
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

CONFIRM_AFTER = 0.05
"""Seconds between seeing a smaller size and believing it: a fresh look decides."""

LEAST_AGREEMENT = 4096
"""Bytes that must be as they were before a file counts as written over rather than anew."""


class Sameness:
    """Compares a file with what is known of its source; what differs makes a verdict."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def shrunk(self, source: Source, descriptor: int, size: int, now: float) -> Turn:
        """A size smaller than before: believed after a second, fresh look at the file itself."""
        if source.shrunk_at is None:
            source.shrunk_at = now
            return Turn()
        if now - source.shrunk_at < CONFIRM_AFTER:
            return Turn()
        if not source.leaving:
            try:
                fresh = seen_anew(source.path)
            except FileNotFoundError:
                return Turn(verdict=Verdict.MOVED)
            if fresh.st_ino != source.inode:
                return Turn(verdict=Verdict.REPLACED)
            size = fresh.st_size
            if size >= max(source.size, source.position):
                source.shrunk_at = None
                return Turn()
        if self._is_cut_back(source, descriptor, size):
            log.info("source_cut_back", path=source.path, from_size=source.size, to_size=size)
            source.size, source.seen_to = size, source.position
            source.shrunk_at, source.nul_at, source.exhausted = None, -1, False
            return Turn(more=True)
        return Turn(verdict=Verdict.REPLACED)

    def _is_cut_back(self, source: Source, descriptor: int, size: int) -> bool:
        """Was no more taken back than what was seen to be no line: the incomplete one of a writer
        that was killed, or room that was made beforehand? All before it is as it was read."""
        if not 0 < source.position <= size or source.group_open or source.seen_to < source.size:
            return False
        known = source.record.fingerprint
        if known is not None and not known.matches(os.pread(descriptor, known.length, 0)):
            return False
        return self.has_tail(source, descriptor)

    def other_content(self, source: Source, descriptor: int) -> Turn:
        """What was read last is not there any more: written anew, or over by another writer.

        Two hosts that append to one file write over each other's last lines, each from where it
        believes the end to be; what is before that stays. A file that begins as another did (a
        banner) agrees to no such length.
        """
        for position, marker in reversed(source.anchors):
            if position < max(LEAST_AGREEMENT, source.position // 2):
                break
            self._totals.data_operations += 1
            if marker.matches(os.pread(descriptor, marker.length, position - marker.length)):
                return Turn(verdict=Verdict.OVERWRITTEN, agrees_to=position)
        return Turn(verdict=Verdict.REPLACED)

    def has_tail(self, source: Source, descriptor: int) -> bool:
        """Do the bytes that were read last still lead up to the position?"""
        if not source.tail:
            return True
        at = source.position - len(source.tail)
        self._totals.data_operations += 1
        return os.pread(descriptor, len(source.tail), at) == source.tail

    @staticmethod
    def begins_alike(source: Source, data: bytes) -> bool:
        """Are a file's first bytes, read only now, those that it was known by?"""
        known = source.record.fingerprint
        if known is None or source.position - len(source.tail) > 0:
            return True
        return len(data) < known.length or known.matches(data[: known.length])

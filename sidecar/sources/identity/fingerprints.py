"""What each source's file begins with: learned as it grows, and asked for who begins alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sidecar.model.fingerprint import FULL, Fingerprint
from sidecar.model.journal import Entry, SourceFingerprinted
from sidecar.sources.source import Source

HOLE = bytes(4)
"""NULs that may still fill in are no part of a fingerprint; UTF-32 has three in a row."""


class Fingerprints:
    """Extends the records' fingerprints, and keeps numbers of sources by those that are full:
    shorter ones tell too little."""

    def __init__(self, record: Callable[[Entry], None]) -> None:
        self._record = record
        self._numbers: dict[Fingerprint, set[int]] = {}

    def add(self, number: int, fingerprint: Fingerprint) -> None:
        """The source begins so, as is known already."""
        if fingerprint.full:
            self._numbers.setdefault(fingerprint, set()).add(number)

    def remove(self, number: int, fingerprint: Fingerprint) -> None:
        numbers = self._numbers.get(fingerprint)
        if numbers is not None:
            numbers.discard(number)
            if not numbers:
                del self._numbers[fingerprint]

    def of(self, head: bytes) -> Iterable[int]:
        """The sources that begin with these bytes, the youngest first."""
        if len(head) < FULL:
            return ()
        return sorted(self._numbers.get(Fingerprint.of(head), ()), reverse=True)

    @staticmethod
    def is_wanted(source: Source) -> bool:
        """Is the file at least twice as long as its fingerprint, which is not full?"""
        known = source.record.fingerprint
        length = 0 if known is None else known.length
        return length < FULL and source.size >= max(1, 2 * length)

    def learn(self, source: Source, head: bytes) -> None:
        """Learn more of the first bytes, in steps, until the fingerprint is full."""
        known = source.record.fingerprint
        lasting = _lasting(head, source.position)
        fresh = Fingerprint.of(lasting) if known is None else known.extended_by(lasting)
        if fresh != known and fresh.length:
            self._record(SourceFingerprinted(source.id, *fresh))
            self.add(source.id, fresh)


def _lasting(head: bytes, position: int) -> bytes:
    """What of the first bytes will stay as it is, where all before `position` was read."""
    if len(head) < FULL:
        # An incomplete line may be taken back, or written anew: it tells nothing as yet.
        head = head[: head.rfind(b"\n") + 1] or head
    hole = head.find(HOLE)
    return head if hole < 0 else head[: max(hole, position)]

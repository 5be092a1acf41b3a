"""By what a source's content is known again in another file: in a copy, or in an archive."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sidecar.model.fingerprint import Fingerprint, Marker

SHORTEST_MARK = 16
"""Bytes that a mark must cover to speak for a file that is shorter than the fingerprint."""

_NUMBERED = re.compile(rb"(?:\d\D*){6}")
"""In a line that carries a time, or another number that no other line has."""


def is_unmistakable(lines: bytes) -> bool:
    """Can no other file have these lines at this place? Each has six digits, and no two are alike.

    Lines that repeat, and the few that each run of a program begins with, may be anybody's.
    """
    each = lines.split(b"\n")
    return len(set(each)) == len(each) and all(map(_NUMBERED.search, each))


class Kinship(enum.Enum):
    """What a file's content is to a source."""

    NONE = "none"
    GOES_ON = "goes on"
    """It holds all that was read of the source, and perhaps more."""
    READ = "read"
    """It holds a part of what was read, and nothing else."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What was read of a source, as of the moment the file was looked into."""

    source: int
    fingerprint: Fingerprint
    position: int
    marker: Marker
    marks: tuple[tuple[int, Marker], ...] = ()
    """Earlier positions: a copy may have been made before the last bytes were written and read."""
    exact: bool = False
    """Read to the very end and deleted since: what is longer is another."""
    elsewhere: bool = False
    """The file lies in another directory: no less than all that was read will do."""

    def kinship(
        self, head: bytes, size: int, before: Mapping[int, bytes], *, whole: bool
    ) -> Kinship:
        """Judge a content of `size` bytes by its first bytes and by those before some offsets.

        Not `whole`, it is damaged: it was longer, and its beginning has to do.
        """
        if self.elsewhere and (size < self.position or not whole):
            return Kinship.NONE
        if size < self.position:
            return self._of_shorter(head, size, before, whole=whole)
        if self.exact and size > self.position:
            return Kinship.NONE
        if self.fingerprint.matches(head) and self.marker.matches(before[self.position]):
            return Kinship.GOES_ON
        return Kinship.NONE

    def offsets(self) -> set[int]:
        """Where `kinship` wants to know the bytes before."""
        return {self.position, *(at for at, _ in self.marks)}

    def _of_shorter(
        self, head: bytes, size: int, before: Mapping[int, bytes], *, whole: bool
    ) -> Kinship:
        if size >= self.fingerprint.length:
            if not self.fingerprint.matches(head):
                return Kinship.NONE
            if not whole:
                return Kinship.READ
        marks = [(at, mark) for at, mark in self.marks if at <= size and mark.length]
        if not marks or max(mark.length for _, mark in marks) < SHORTEST_MARK:
            return Kinship.NONE
        fit = all(mark.matches(before[at]) for at, mark in marks)
        return Kinship.READ if fit else Kinship.NONE

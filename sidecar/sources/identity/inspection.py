"""Looks through one archive from its beginning to its end, a slice a step.

An archive shows what it holds only when it was decompressed to its end. The pump does that, so a
few megabytes at a time.
"""

from __future__ import annotations

import os
from dataclasses import replace

from sidecar.model.fingerprint import FULL, MARKER_LENGTH
from sidecar.sources.archive import Stream
from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import Candidate, Known, KnownOf
from sidecar.sources.opening import open_file

SLICE_BYTES = 4 * 1024 * 1024
"""Content looked through in one step: some 20 ms."""


class Inspection:
    """Keeps of the content what a candidate is made of: its first bytes, and those before a few
    offsets."""

    def __init__(self, found: Found, known_of: KnownOf) -> None:
        self.found = found
        self._known_of = known_of
        self._descriptor = open_file(found.path)
        self._seen = os.fstat(self._descriptor)
        self._begin()

    def _begin(self) -> None:
        self._stream = Stream(self._descriptor)
        self._head = b""
        self._carry = b""
        self._size = 0
        self._known: Known | None = None
        self._wanted: list[int] = []
        self._before: dict[int, bytes] = {}

    def close(self) -> None:
        os.close(self._descriptor)

    def step(self) -> Candidate | None:
        """Look through a slice; gives what was found when the end is reached."""
        until = self._size + SLICE_BYTES
        while self._size < until:
            piece = self._stream.piece()
            if not piece:
                if self._is_outdated():
                    self._begin()
                    return None
                return self._result()
            self._take(piece)
        return None

    def _is_outdated(self) -> bool:
        """Has an outcome that came in meanwhile moved a checkpoint, to where nothing was kept?"""
        places = [record.acknowledged for record in self._known.records] if self._known else []
        return any(at <= self._size and at not in self._before for at in places)

    def _take(self, piece: bytes) -> None:
        if self._known is None:
            self._head += piece[: FULL - len(self._head)]
            if len(self._head) == FULL:
                self._ask()
        end = self._size + len(piece)
        if self._known is None or (self._wanted and self._wanted[0] <= end):
            self._note(self._carry + piece, end)
        self._carry = (self._carry + piece)[-max(MARKER_LENGTH, FULL) :]
        self._size = end

    def _ask(self) -> Known:
        """The first bytes tell whose content it may be, and so which places are of interest."""
        self._known = self._known_of(self.found, self._seen.st_ino, self._head)
        self._wanted = sorted(self._known.offsets())
        return self._known

    def _note(self, data: bytes, end: int) -> None:
        """Keep the bytes before the places of interest that lie in `data`, which ends at `end`."""
        start = end - len(data)
        while self._wanted and self._wanted[0] <= end:
            at = self._wanted.pop(0)
            self._before[at] = data[max(0, at - MARKER_LENGTH - start) : max(0, at - start)]

    def _result(self) -> Candidate:
        known = self._known
        if known is None:
            known = self._ask()
            self._note(self._carry, self._size)
        candidate = known.candidate(self.found, self._seen, self._size, self._head, self._before)
        archive = (self._seen.st_size, self._seen.st_mtime_ns)
        return replace(candidate, archive=archive, whole=self._stream.whole)

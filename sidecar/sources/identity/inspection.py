"""Looks through one archive from its beginning to its end, a slice a step.

An archive shows what it holds only when it was decompressed to its end. The pump does that, so a
few megabytes at a time.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from sidecar.model.fingerprint import FULL, MARKER_LENGTH
from sidecar.model.ledger import SourceRecord
from sidecar.sources.archive import Stream
from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import Candidate, TracesOf, chosen
from sidecar.sources.opening import open_file

SLICE_BYTES = 4 * 1024 * 1024
"""Content looked through in one step: some 20 ms."""


class Inspection:
    """Keeps of the content what a candidate is made of: its first bytes, and those before a few
    offsets."""

    def __init__(
        self,
        found: Found,
        records_of: Callable[[str, int], list[SourceRecord]],
        traces_of: TracesOf,
    ) -> None:
        self.found = found
        self._records_of = records_of
        self._traces_of = traces_of
        self._descriptor = open_file(found.path)
        self._seen = os.fstat(self._descriptor)
        self._begin()

    def _begin(self) -> None:
        self._stream = Stream(self._descriptor)
        self._head = b""
        self._carry = b""
        self._size = 0
        self._known: list[SourceRecord] | None = None
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
        places = [record.acknowledged for record in self._known or ()]
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

    def _ask(self) -> None:
        """The first bytes tell whose content it may be, and so which places are of interest."""
        found = self.found
        self._known = self._records_of(found.root, self._seen.st_ino)
        self._traces = self._traces_of(found, self._head)
        wanted = {record.acknowledged for record in self._known}
        wanted.update(*(trace.offsets() for trace in self._traces))
        self._wanted = sorted(wanted)

    def _note(self, data: bytes, end: int) -> None:
        """Keep the bytes before the places of interest that lie in `data`, which ends at `end`."""
        start = end - len(data)
        while self._wanted and self._wanted[0] <= end:
            at = self._wanted.pop(0)
            self._before[at] = data[max(0, at - MARKER_LENGTH - start) : max(0, at - start)]

    def _result(self) -> Candidate:
        if self._known is None:
            self._ask()
            self._note(self._carry, self._size)
        assert self._known is not None
        record, outdated = chosen(self.found, self._known, self._size, self._head, self._before)
        return Candidate(
            found=self.found,
            inode=self._seen.st_ino,
            size=self._size,
            modified=self._seen.st_mtime,
            head=self._head,
            tail=self._before[record.acknowledged] if record is not None else b"",
            record=record,
            outdated=outdated,
            before=self._before,
            traces=self._traces,
            archive=(self._seen.st_size, self._seen.st_mtime_ns),
            whole=self._stream.whole,
        )

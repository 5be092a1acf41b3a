"""What was on the volume before the sidecar came: it may be left unread, in whole or in part."""

from __future__ import annotations

import os

from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.opening import open_file

CLOCK_MARGIN = 2.0
"""Seconds by which a file's time may lie before the moment it was written: the kernel stamps files
with a coarse clock, a server with its own. In doubt a file is newer than the state directory."""

LINE_SEARCH = 64 * 1024
"""How far back `start_at: end` looks for the start of the line it lands in."""


class Beginning:
    """The first scan of a run, and what is older than the state directory."""

    def __init__(self, *, state_created: float, first_start: bool) -> None:
        self.is_new = True
        """True until the first scan of this run is done."""
        self._is_first_start = first_start
        self._state_created = state_created

    def end(self) -> None:
        """The first scan is done."""
        self.is_new = self._is_first_start = False

    def was_there(self, candidate: Candidate) -> bool:
        """Was it on the volume when the state directory was first used?

        A member that joins then may be a little later than the one that made the directory.
        """
        return self._is_first_start or (self.is_new and self._is_older(candidate))

    def leaves(self, candidate: Candidate) -> bool:
        """Is it a rotated file from before the state directory that no include takes?"""
        found = candidate.found
        return found.base is not None and not found.included and self._is_older(candidate)

    def _is_older(self, candidate: Candidate) -> bool:
        return candidate.modified < self._state_created - CLOCK_MARGIN


def last_line_start(path: str, size: int) -> int:
    """Where the last line that has begun by `size` starts; `size` itself after a line feed.

    A line longer than `LINE_SEARCH` is taken up in its middle rather than read from its start.
    """
    descriptor = open_file(path)
    try:
        at = max(0, size - LINE_SEARCH)
        line_feed = os.pread(descriptor, size - at, at).rfind(b"\n")
        return at + line_feed + 1 if line_feed >= 0 or at == 0 else size
    finally:
        os.close(descriptor)

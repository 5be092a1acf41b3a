"""Opening a file for reading: what must never block, and what it costs."""

from __future__ import annotations

import os

OPEN_AND_CLOSE = 2
"""Metadata operations over NFS of a file opened for a look, its later close included."""


def open_file(path: str) -> int:
    """Open for reading; never blocks on a FIFO and never takes a terminal over."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)

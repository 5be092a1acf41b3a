"""Opening a file for reading: what must never block, and what it costs."""

from __future__ import annotations

import errno
import os

OPEN_AND_CLOSE = 2
"""Metadata operations over NFS of a file opened for a look, its later close included."""


READ_REMEDY = (
    f"let uid {os.geteuid()} gid {os.getegid()} read it: a common group and umask 027 for the "
    "writers, or an access point that forces one uid"
)


def is_denied(error: OSError) -> bool:
    """Is it for want of a permission, which somebody can give?"""
    return error.errno in (errno.EACCES, errno.EPERM)


def problem(error: OSError) -> str:
    """Why something cannot be read, and what to do where that is known; the path is said beside."""
    text = error.strerror or str(error)
    return f"{text}; {READ_REMEDY}" if is_denied(error) else text


def open_file(path: str) -> int:
    """Open for reading; never blocks on a FIFO and never takes a terminal over."""
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)


def seen_anew(path: str) -> os.stat_result:
    """What has the name now. Opened, which asks the server: over NFS `stat` may answer for what
    another host wrote, or for the file that had the name, half a minute ago."""
    descriptor = open_file(path)
    try:
        return os.fstat(descriptor)
    finally:
        os.close(descriptor)

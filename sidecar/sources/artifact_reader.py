"""Reads whole artifacts on a thread of its own: hashing gigabytes must not stop the pump."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from sidecar.sources.opening import open_file

CHUNK_BYTES = 1024 * 1024


class Version(NamedTuple):
    """One unbroken reading of an artifact; `content` is None where it is over the limit."""

    sha256: str
    size: int
    modified_ns: int
    inode: int
    content: bytes | None


class Reading(NamedTuple):
    """What became of a request to read: a version, or why there is none."""

    path: str
    version: Version | None
    problem: str = ""


class ArtifactReader:
    """Takes paths, gives readings, one after the other."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._requests: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._readings: deque[Reading] = deque()
        self._started = False

    def request(self, path: str, inline_limit: int) -> None:
        """Read this artifact; keep its content when it has at most `inline_limit` bytes."""
        if not self._started:
            self._started = True
            threading.Thread(target=self._run, name="artifacts", daemon=True).start()
        self._requests.put((path, inline_limit))

    def readings(self) -> list[Reading]:
        found = []
        while self._readings:
            found.append(self._readings.popleft())
        return found

    def _run(self) -> None:
        while True:
            path, inline_limit = self._requests.get()
            try:
                reading = Reading(path, read_version(path, inline_limit))
            except FileNotFoundError:
                # Deleted before or while it was read: there is no version of it.
                reading = Reading(path, None)
            except OSError as error:
                reading = Reading(path, None, str(error))
            self._readings.append(reading)
            self._wake()


def read_version(path: str, inline_limit: int) -> Version | None:
    """Read and hash the whole file; None when it changed or was replaced meanwhile: a torn mix
    is never shipped."""
    descriptor = open_file(path)
    try:
        before = os.fstat(descriptor)
        digest = hashlib.sha256()
        kept: list[bytes] | None = [] if before.st_size <= inline_limit else None
        at = 0
        while chunk := os.pread(descriptor, CHUNK_BYTES, at):
            digest.update(chunk)
            at += len(chunk)
            if kept is not None:
                kept.append(chunk)
        after = os.fstat(descriptor)
    finally:
        os.close(descriptor)
    unchanged = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
    if not unchanged or at != before.st_size or os.stat(path).st_ino != before.st_ino:
        return None
    content = None if kept is None else b"".join(kept)
    return Version(digest.hexdigest(), at, before.st_mtime_ns, before.st_ino, content)

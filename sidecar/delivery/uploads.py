"""Large contents on their way to the object store, on threads of their own.

An upload takes minutes and an outage of the store hours; neither may keep the pump, the senders or
the reading of small artifacts waiting.
"""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

import structlog

from sidecar.delivery.object_store import ContentTorn, ObjectStore
from sidecar.model.stored_object import Refused, StoredObject, Torn, Wanted

log = structlog.get_logger(__name__)

MOST_THREADS = 2
"""One that waits for a slow bucket leaves one for another; each holds one piece in memory."""


class Upload(NamedTuple):
    """A request, and what came of it."""

    path: str
    wanted: Wanted
    outcome: StoredObject | Torn | Refused


class Uploads:
    """Takes paths, gives outcomes; daemons, since an upload must not keep a process from ending."""

    def __init__(self, store: ObjectStore, wake: Callable[[], None]) -> None:
        self._store = store
        self._wake = wake
        self._requests: queue.SimpleQueue[tuple[str, Wanted]] = queue.SimpleQueue()
        self._outcomes: deque[Upload] = deque()
        self._threads = 0

    @property
    def most(self) -> int:
        """How many can be under way at once."""
        return MOST_THREADS

    def request(self, path: str, wanted: Wanted) -> None:
        """See to it that this version of the file is in the store."""
        if self._threads < MOST_THREADS:
            self._threads += 1
            name = f"upload-{self._threads}"
            threading.Thread(target=self._run, name=name, daemon=True).start()
        self._requests.put((path, wanted))

    def outcomes(self) -> list[Upload]:
        """What has come out since the last call; only the pump calls."""
        found = []
        while self._outcomes:
            found.append(self._outcomes.popleft())
        return found

    def _run(self) -> None:
        while True:
            path, wanted = self._requests.get()
            outcome: StoredObject | Torn | Refused
            try:
                outcome = keep_file(self._store, path, wanted)
            except Exception as error:
                log.error("upload_failed", path=path, exc_info=True)
                outcome = Refused(f"{type(error).__name__}: {error}")
            self._outcomes.append(Upload(path, wanted, outcome))
            self._wake()


def keep_file(store: ObjectStore, path: str, wanted: Wanted) -> StoredObject | Torn | Refused:
    """Keep the file's content, if it still is the version that is wanted."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return Torn("it is gone")
    except OSError as error:
        return Refused(f"{path} cannot be read: {error.strerror or error}")
    with os.fdopen(descriptor, "rb", buffering=0):
        if os.fstat(descriptor).st_size != wanted.bytes:
            return Torn("it has another size by now")
        try:
            return store.keep(wanted, lambda length: _pieces(descriptor, wanted, length))
        except ContentTorn as torn:
            return Torn(str(torn))
        except OSError as error:
            return Refused(f"{path} cannot be read: {error.strerror or error}")


def _pieces(descriptor: int, wanted: Wanted, length: int) -> Iterator[bytes]:
    """The file as the version that is wanted; ContentTorn, before the last piece, where it is not.

    What is hashed here is what is sent: a change between two readings of it would go unseen.
    """
    digest = hashlib.sha256()
    at = 0
    while True:
        piece = _read(descriptor, min(length, wanted.bytes - at), at)
        digest.update(piece)
        at += len(piece)
        if at == wanted.bytes:
            if os.pread(descriptor, 1, at) or digest.hexdigest() != wanted.sha256:
                raise ContentTorn("it was written to meanwhile")
            yield piece
            return
        yield piece


def _read(descriptor: int, length: int, at: int) -> bytes:
    """All of a piece: S3 takes no part but the last that is short."""
    found: list[bytes] = []
    while length:
        data = os.pread(descriptor, length, at)
        if not data:
            raise ContentTorn("it became shorter meanwhile")
        found.append(data)
        at += len(data)
        length -= len(data)
    return b"".join(found)

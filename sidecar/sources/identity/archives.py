"""Archives on their way to be known: waits until one is whole, and looks through it in slices.

An archive shows what it holds only when it was decompressed to its end. That is done a few
megabytes a step, since the pump does it, and once for each archive.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from sidecar.model.fingerprint import FULL, MARKER_LENGTH
from sidecar.model.ledger import SourceRecord
from sidecar.sources.archive import MAGIC, Stream
from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import Candidate, TracesOf, chosen
from sidecar.sources.opening import open_file, problem
from sidecar.sources.poll import Budget
from sidecar.sources.siblings import COMPRESSED

log = structlog.get_logger(__name__)

SLICE_BYTES = 4 * 1024 * 1024
"""Content looked through in one step: some 20 ms."""

STEADY_SECONDS = 1.0
"""So long an archive is unchanged before it is believed to be finished, where the file it is made
of still lies beside it."""

LOOK_AGAIN_SECONDS = 0.2

DAMAGE_PATIENCE = 10.0
"""Seconds an archive that ends too early is waited for before it is taken to be damaged."""


class Inspection:
    """One archive, looked through from its beginning to its end."""

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


@dataclass(slots=True)
class _Waiting:
    found: Found
    due: float
    inode: int = 0
    size: int = -1
    modified_ns: int = -1
    steady_since: float = 0.0
    failed_at: float | None = None
    """Since when it is known to end too early, unchanged."""
    inspection: Inspection | None = None


class Archives:
    """All archives that are not known yet; owned by the catalogue."""

    def __init__(
        self,
        *,
        records_of: Callable[[str, int], list[SourceRecord]],
        traces_of: TracesOf,
        budget: Budget,
        unreadable: dict[str, str],
    ) -> None:
        self._records_of = records_of
        self._traces_of = traces_of
        self._budget = budget
        self._unreadable = unreadable
        self._waiting: dict[tuple[str, int], _Waiting] = {}

    @property
    def is_busy(self) -> bool:
        """Is one being looked through?"""
        return any(each.inspection is not None for each in self._waiting.values())

    def next_due(self) -> float:
        return min((each.due for each in self._waiting.values()), default=float("inf"))

    def offer(self, found: Found, now: float) -> None:
        """A name that a scan found; a renamed one is known by its inode number."""
        known = self._waiting.get((found.root, found.inode))
        if known is None:
            self._waiting[found.root, found.inode] = _Waiting(found, now, steady_since=now)
        else:
            known.found = found
            if known.inspection is not None:
                known.inspection.found = found

    def pending(self, bases: set[str], *, ripe: bool = False) -> bool:
        """Is there one that may have been made of a file with one of these names?

        `ripe`: and is its turn now, so that it will not be long?
        """
        return any(
            not bases.isdisjoint(each.found.names)
            and (each.inspection is not None if ripe else each.failed_at is None)
            for each in self._waiting.values()
        )

    def step(self, now: float) -> tuple[list[Candidate], list[Found]]:
        """Look at what is due, and a slice further into one of them.

        Gives what is known now, and names that are no archives whatever they say.
        """
        plain: list[Found] = []
        for key, each in list(self._waiting.items()):
            if each.inspection is None and each.due <= now and self._look(each, now, plain):
                del self._waiting[key]
        running = [item for item in self._waiting.items() if item[1].inspection is not None]
        if not running:
            return [], plain
        key, oldest = min(running, key=lambda item: item[1].modified_ns)
        candidate = self._step_into(oldest, now)
        if candidate is None:
            return [], plain
        del self._waiting[key]
        return [candidate], plain

    def close(self) -> None:
        for each in self._waiting.values():
            if each.inspection is not None:
                each.inspection.close()
        self._waiting.clear()

    def _step_into(self, each: _Waiting, now: float) -> Candidate | None:
        assert each.inspection is not None
        try:
            candidate = each.inspection.step()
        except OSError as error:
            self._fail(each, problem(error), now)
            return None
        if candidate is None:
            return None
        each.inspection.close()
        each.inspection = None
        if candidate.whole:
            return candidate
        if each.failed_at is None:
            each.failed_at = now
        if now - each.failed_at >= DAMAGE_PATIENCE:
            log.warning("archive_damaged", path=candidate.found.path, readable=candidate.size)
            return candidate
        each.due = now + LOOK_AGAIN_SECONDS
        return None

    def _look(self, each: _Waiting, now: float, plain: list[Found]) -> bool:
        """Is it time to look into it? True when it is to be waited for no more."""
        found = each.found
        self._budget.spend(1)
        try:
            seen = os.stat(found.path)
            if not stat.S_ISREG(seen.st_mode):
                return True
            if (seen.st_size, seen.st_mtime_ns) != (each.size, each.modified_ns):
                each.size, each.modified_ns = seen.st_size, seen.st_mtime_ns
                each.steady_since = now
                each.failed_at = None
            each.due = now + LOOK_AGAIN_SECONDS
            if each.failed_at is not None and now - each.failed_at < DAMAGE_PATIENCE:
                return False
            if not self._is_ripe(each, seen, now):
                return False
            self._budget.spend(1)
            if seen.st_size and not _is_archive(found.path):
                if found.included:
                    plain.append(replace(found, base=None, compressed=False))
                return True
            each.inspection = Inspection(found, self._records_of, self._traces_of)
        except FileNotFoundError:
            return True
        except OSError as error:
            self._fail(each, problem(error), now)
            return False
        self._unreadable.pop(found.path, None)
        return False

    @staticmethod
    def _is_ripe(each: _Waiting, seen: os.stat_result, now: float) -> bool:
        """May it be finished? gzip deletes the file it compresses when it has."""
        if not seen.st_size:
            return now - each.steady_since >= DAMAGE_PATIENCE
        if now - each.steady_since >= STEADY_SECONDS:
            return True
        if time.time() - seen.st_ctime >= STEADY_SECONDS:
            return True
        return not os.path.exists(each.found.path.removesuffix(COMPRESSED))

    def _fail(self, each: _Waiting, text: str, now: float) -> None:
        if each.inspection is not None:
            each.inspection.close()
            each.inspection = None
        path = each.found.path
        if self._unreadable.get(path) != text:
            log.warning("file_unreadable", path=path, error=text)
        self._unreadable[path] = text
        each.failed_at = now
        each.due = now + DAMAGE_PATIENCE


def _is_archive(path: str) -> bool:
    descriptor = open_file(path)
    try:
        return os.pread(descriptor, len(MAGIC), 0) == MAGIC
    finally:
        os.close(descriptor)

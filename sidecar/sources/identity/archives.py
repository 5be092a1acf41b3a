"""Archives on their way to be known: waits until one is whole, and has it looked through, once."""

from __future__ import annotations

import os
import stat
import time
from dataclasses import dataclass, field, replace

import structlog

from sidecar.sources.archive import MAGIC
from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import Candidate, KnownOf
from sidecar.sources.identity.inspection import Inspection
from sidecar.sources.opening import open_file, problem
from sidecar.sources.poll import Budget
from sidecar.sources.siblings import COMPRESSED

log = structlog.get_logger(__name__)

STEADY_SECONDS = 1.0
"""So long an archive is unchanged before it is believed to be finished, where the file it is made
of still lies beside it."""

LOOK_AGAIN_SECONDS = 0.2

DAMAGE_PATIENCE = 10.0
"""Seconds an archive that ends too early is waited for before it is taken to be damaged."""


@dataclass(slots=True)
class _Waiting:
    found: Found
    due: float
    size: int = -1
    modified_ns: int = -1
    steady_since: float = 0.0
    failed_at: float | None = None
    """Since when it is known to end too early, unchanged."""
    inspection: Inspection | None = None


@dataclass(slots=True, kw_only=True)
class Archives:
    """All archives that are not known yet; owned by the catalogue."""

    known_of: KnownOf
    budget: Budget
    unreadable: dict[str, str]
    _waiting: dict[tuple[str, int], _Waiting] = field(init=False, default_factory=dict)

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
        self.budget.spend(1)
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
            self.budget.spend(1)
            if seen.st_size and not _is_archive(found.path):
                if found.included:
                    plain.append(replace(found, base=None, compressed=False))
                return True
            each.inspection = Inspection(found, self.known_of)
        except FileNotFoundError:
            return True
        except OSError as error:
            self._fail(each, problem(error), now)
            return False
        self.unreadable.pop(found.path, None)
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
        if self.unreadable.get(path) != text:
            log.warning("file_unreadable", path=path, error=text)
        self.unreadable[path] = text
        each.failed_at = now
        each.due = now + DAMAGE_PATIENCE


def _is_archive(path: str) -> bool:
    descriptor = open_file(path)
    try:
        return os.pread(descriptor, len(MAGIC), 0) == MAGIC
    finally:
        os.close(descriptor)

"""Where each source's file is by now: the names and the inode numbers that lead to it.

A rotation moves names on, a deletion frees a number for the next file, and a scan tells of either
late. So a name that is gone is looked for, and a number is believed only where the file holds what
was read.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from sidecar.model.journal import Entry, SourceMoved
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import shares_a_name
from sidecar.sources.identity.copies import holds
from sidecar.sources.identity.kin import Kin
from sidecar.sources.looks import Looks
from sidecar.sources.opening import OPEN_AND_CLOSE
from sidecar.sources.poll import Budget
from sidecar.sources.source import Source
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

MISSING_PATIENCE = 5.0
"""Seconds to look for a file elsewhere after its name is gone: a rename between directories shows
first as a loss, and NFS may show a name late."""

MOUNT_PATIENCE = 600.0
"""The same where the whole directory is gone: it may be unmounted for a while."""


@dataclass(slots=True, kw_only=True)
class Whereabouts:
    """Sources by path and by inode number, as scans and looks saw them last."""

    record: Callable[[Entry], None]
    kin: Kin
    descriptors: Descriptors
    looks: Looks
    budget: Budget
    totals: Totals
    report_again: list[str] = field(init=False, default_factory=list)
    """Paths for the next scan to report whatever it knows: perhaps copies in the making, or
    names of deleted files, which a new file may have taken together with the inode number."""
    is_behind: bool = field(init=False, default=False)
    """Are directories overdue for a scan? What was not found may lie in one of them."""
    _by_path: dict[str, Source] = field(init=False, default_factory=dict)
    _by_inode: dict[tuple[str, int], Source] = field(init=False, default_factory=dict)
    _other_names: dict[int, set[str]] = field(init=False, default_factory=dict)
    """By source, the hard links of its file, which is read under its first name."""
    _nameless: list[Source] = field(init=False, default_factory=list)

    def at(self, path: str) -> Source | None:
        """The source whose file has this name now."""
        return self._by_path.get(path)

    def numbered(self, root: str, inode: int) -> Source | None:
        """The source whose file had this number when it was seen last."""
        return self._by_inode.get((root, inode))

    def of(self, found: Found, inode: int, now: float) -> Source | None:
        """The source whose file has this number, unless it is another file's by now: a number is
        given away as soon as its file is deleted and closed, as after each compression."""
        source = self._by_inode.get((found.root, inode))
        if source is None or source.over or self._is_its_file(source, found):
            return source
        log.debug("number_used_again", path=source.path, by=found.path)
        self.let_go(source)
        self._lost_name(source, now)
        return None

    def enter(self, source: Source, found: Found, now: float) -> None:
        """The source's file is this one."""
        self._enter_numbers(source, found)
        self._take_name(found.path, source, now)

    def renumber(self, source: Source, found: Found) -> None:
        """A directory gives its file this number by now."""
        self._let_go_numbers(source)
        source.entry_inode = found.inode
        self._enter_numbers(source, found)

    def seen(self, source: Source, found: Found, now: float) -> None:
        """A scan came upon its file, under whatever name."""
        if found.path == source.path:
            source.missing_since = None
            source.renamed_away = source.renamed_away and found.base is not None
            self._by_path[found.path] = source
            return
        if source.missing_since is None and self.is_in_place(source):
            # A second name of the same file: shipped once, under the first, while it has that.
            self._other_names.setdefault(source.id, set()).add(found.path)
            return
        self._moved(source, found, now)

    def vanished(self, path: str, now: float) -> None:
        """A name is gone from a directory that is still there: renamed away, or deleted."""
        source = self._by_path.pop(path, None)
        if source is not None and source.path == path:
            self._lost_name(source, now)

    def misled(self, source: Source, now: float) -> None:
        """Its name led elsewhere when it was to be opened."""
        if source.missing_since is None:
            source.missing_since = now

    def let_go(self, source: Source) -> None:
        """No name and no number leads to it any more."""
        self._let_go_numbers(source)
        if self._by_path.get(source.path) is source:
            del self._by_path[source.path]

    def forget(self, source: Source) -> None:
        """It is done with; its other names are for the next scan to tell."""
        self.let_go(source)
        self.report_again += self._other_names.pop(source.id, ())

    def is_in_place(self, source: Source) -> bool:
        """Does its name lead to its file?"""
        seen = self.looks.by_name(source.path)
        return seen is not None and seen.st_ino == source.inode

    def has_grown(self, source: Source) -> bool:
        """Is a file that was done with, as far as its name tells, longer than it was?"""
        if source.superseded or source.deleted or source.missing_since is not None:
            return False
        seen = self.looks.by_name(source.path)
        if source.archive is not None:
            # Appended to, or made anew: how much longer it is shows when it is looked through.
            if seen is not None and (seen.st_size, seen.st_mtime_ns) != source.archive:
                self.report_again.append(source.path)
            return False
        return seen is not None and seen.st_ino == source.inode and seen.st_size > source.position

    def is_gone(self, source: Source, now: float) -> bool:
        """Was it looked for long enough since its name was gone?"""
        if source.missing_since is None or self.is_behind:
            return False
        missing = now - source.missing_since
        if missing <= MISSING_PATIENCE:
            return False
        return missing > MOUNT_PATIENCE or _holds_anything(os.path.dirname(source.path))

    def is_rotated(self, found: Found) -> bool:
        """Does its name come from a rotation, rather than only look like it?"""
        if found.base is None:
            return False
        if not found.included or found.base in self._by_path:
            return True
        return self.looks.by_name(found.base) is not None

    def name_of(self, found: Found) -> str:
        """A rotated file is claimed under the name it had: that is whose stream it belongs to."""
        return found.base if found.base and self.is_rotated(found) else found.path

    def count_rotation(self, source: Source) -> bool:
        """Its name is no longer that of the file being written to; False where that is known."""
        if source.renamed_away:
            return False
        source.renamed_away = True
        self.totals.rotations += 1
        return True

    def look_once_more(self, source: Source) -> None:
        """Have it read before what comes next: its writer may have gone on until now."""
        self._nameless.append(source)

    def take_nameless(self) -> list[Source]:
        """Those that lost their name: their last bytes are read before their successor's first."""
        nameless, self._nameless = self._nameless, []
        return nameless

    def _is_its_file(self, source: Source, found: Found) -> bool:
        """Does a file with the source's number hold its content, under whatever name?"""
        if found.path == source.path:
            return True  # what it holds is looked at when it is read
        if source.archive is not None:
            return is_its_archive(source, found)
        is_open = self.descriptors.holds(source)
        if source.record.fingerprint is None:
            return is_open or shares_a_name(source.record, found)
        self.budget.spend(OPEN_AND_CLOSE)
        # What was read last of an open one may be overwritten: that is for its next turn to tell.
        position, tail = (0, b"") if is_open else (source.position, source.tail)
        held = holds(found.path, source.inode, source.record, position, tail)
        if held is None:
            # Names have moved on since the scan, which proves nothing: the next one tells.
            self.report_again.append(found.path)
        return held is not False

    def _moved(self, source: Source, found: Found, now: float) -> None:
        log.debug("source_renamed", path=source.path, to=found.path)
        if self._by_path.get(source.path) is source:
            del self._by_path[source.path]
        if found.base is not None and self.count_rotation(source):
            source.grew_at = max(source.grew_at, now)
        self.record(SourceMoved(source.id, found.path))
        self.kin.add(source.id, found.path, source.rule.match.rotated)
        self._take_name(found.path, source, now)
        source.missing_since = None

    def _take_name(self, path: str, source: Source, now: float) -> None:
        before = self._by_path.get(path)
        self._by_path[path] = source
        if before is not None and before is not source and before.path == path:
            self._lost_name(before, now)

    def _lost_name(self, source: Source, now: float) -> None:
        if self.count_rotation(source):
            source.grew_at = max(source.grew_at, now)
        source.missing_since = now
        self.report_again += self._other_names.pop(source.id, ())
        self._nameless.append(source)

    def _enter_numbers(self, source: Source, found: Found) -> None:
        self._by_inode[found.root, found.inode] = source
        self._by_inode[found.root, source.inode] = source

    def _let_go_numbers(self, source: Source) -> None:
        for inode in ((source.record.claim.root, n) for n in (source.inode, source.entry_inode)):
            if self._by_inode.get(inode) is source:
                del self._by_inode[inode]


def is_its_archive(source: Source, found: Found) -> bool:
    """Is the file found the archive that the source was read from, unchanged?"""
    if source.archive is None or not found.compressed:
        return False
    try:
        seen = os.stat(found.path)
    except OSError:
        return False
    return (seen.st_size, seen.st_mtime_ns) == source.archive


def _holds_anything(directory: str) -> bool:
    """Is the directory there, and not the empty mount point of a volume that is away?"""
    try:
        with os.scandir(directory) as entries:
            return next(entries, None) is not None
    except OSError:
        return False

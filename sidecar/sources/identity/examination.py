"""Looks into files that no living source is known to have; what they show is judged afterwards.

Names may move on between the scan that found a file and the look into it; what was opened is then
another file, and proves nothing of the one that was found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from sidecar.sources.discovery import Found
from sidecar.sources.identity.candidate import Candidate, KnownOf, examine
from sidecar.sources.identity.whereabouts import Whereabouts
from sidecar.sources.opening import problem
from sidecar.sources.poll import Budget
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

TURNING_PATIENCE = 5.0
"""Seconds for which files wait for a rotation of their names to end."""


@dataclass(slots=True, kw_only=True)
class Examination:
    """Makes candidates of what was found, and says what could not be looked into."""

    known_of: KnownOf
    whereabouts: Whereabouts
    budget: Budget
    totals: Totals
    unreadable: dict[str, str] = field(init=False, default_factory=dict)
    """Paths that match but cannot be opened, with the reason."""
    _turning_since: dict[str, float] = field(init=False, default_factory=dict)
    """Since when names were found to move on while they were looked at, by the first one."""
    _layered: set[str] = field(init=False, default_factory=set)
    """Roots whose directories number files otherwise than the files themselves do."""

    def of(self, found: Found) -> Candidate | None:
        """What the file shows; None where there is none any more, or it cannot be read."""
        self.budget.spend(2)
        self.totals.data_operations += 1
        try:
            candidate = examine(found, self.known_of)
        except OSError as error:
            text = problem(error)
            if self.unreadable.get(found.path) != text:
                log.warning("file_unreadable", path=found.path, error=text)
            self.unreadable[found.path] = text
            return None
        self.unreadable.pop(found.path, None)
        return candidate

    def at_rest(self, unknown: Sequence[Found], now: float) -> list[Candidate]:
        """Look into each. Where a rotation goes on meanwhile, none of the names that it turns is
        given before all are seen at once: the older ones may be those that are not.

        For a while: whoever rotates faster than one can look must not be left unread.
        """
        at_rest: dict[str, list[Candidate]] = {}
        turning = set()
        for found in unknown:
            name = found.base or found.path
            candidate = self.of(found)
            if candidate is not None and self.is_what_was_found(candidate):
                at_rest.setdefault(name, []).append(candidate)
            elif found.path not in self.unreadable:
                turning.add(name)
        for name in at_rest.keys() - turning:
            self._turning_since.pop(name, None)
        for name in turning & at_rest.keys():
            if now - self._turning_since.setdefault(name, now) < TURNING_PATIENCE:
                self.whereabouts.report_again += [each.found.path for each in at_rest.pop(name)]
        return [each for of_one in at_rest.values() for each in of_one]

    def is_what_was_found(self, candidate: Candidate) -> bool:
        """Was the file opened that the scan found under this name, and no other meanwhile?

        Where the numbers differ, names have moved since the scan, as in every rotation; or a
        layered file system numbers files otherwise in a directory, which shows once for a root.
        """
        found = candidate.found
        if found.inode == candidate.inode or found.root in self._layered:
            return True
        if _numbers_differ(found, candidate.inode):
            self._layered.add(found.root)
            return True
        self.whereabouts.report_again.append(found.path)
        return False

    def is_layered(self, root: str) -> bool:
        """Do directories below this root number files otherwise than the files themselves?"""
        return root in self._layered


def _numbers_differ(found: Found, inode: int) -> bool:
    """Does the directory go on to give the found number for a file that has another itself?"""
    directory, name = os.path.split(found.path)
    try:
        before = os.stat(found.path).st_ino
        with os.scandir(directory) as entries:
            numbers = [entry.inode() for entry in entries if entry.name == name]
        return numbers == [found.inode] and before == inode == os.stat(found.path).st_ino
    except OSError:
        return False

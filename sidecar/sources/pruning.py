"""Removes directories that only ever fill once, when they are empty: a past day's, a dead task's.

Any other may be empty because its writer waits for something to write, and would fail without it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import structlog

from sidecar.model.globs import lies_within
from sidecar.sources.discovery import Discovery
from sidecar.sources.poll import Budget
from sidecar.sources.rules import LogRule

log = structlog.get_logger(__name__)

STEP_SECONDS = 60.0

_DATED = re.compile(
    r"(?:^|/)(?P<year>20\d\d)[-_./]?(?P<month>0[1-9]|1[0-2])"
    r"(?:[-_./]?(?P<day>0[1-9]|[12]\d|3[01]))?(?=/|$)"
)
ONE_DAY = timedelta(days=1)
"""Whatever the time zone of whoever named it."""


class Pruning:
    """Owned by the pump. `is_dead` tells of a task's id whether such a task was and is no more."""

    def __init__(
        self,
        *,
        rules: Sequence[LogRule],
        discovery: Discovery,
        budget: Budget,
        is_dead: Callable[[str], bool],
    ) -> None:
        self._rules = tuple(rules)
        self._discovery = discovery
        self._budget = budget
        self._is_dead = is_dead
        self._stepped_at = float("-inf")

    def replace_rules(self, rules: Sequence[LogRule]) -> None:
        self._rules = tuple(rules)

    def step(self, now: float, now_ms: int) -> None:
        """Prune what was empty and unchanged for as long as a rotated file is kept."""
        if now - self._stepped_at < STEP_SECONDS:
            return
        self._stepped_at = now
        for directory in self._discovery.empty():
            after = self._delete_after(directory)
            if after is None or not self._budget.has_room(now):
                continue
            self._budget.spend(1)
            try:
                modified = os.stat(directory).st_mtime
            except OSError:
                continue
            if now_ms / 1000 - modified >= after:
                self._prune(directory, after, now_ms)

    def emptied(self, directory: str, after: float, now_ms: int) -> None:
        """A file was removed from it: that was the last change it waited for."""
        self._prune(directory, after, now_ms)

    def _prune(self, directory: str, after: float, now_ms: int) -> None:
        """Remove it if it is empty, and then what is above it on the same terms."""
        while (root := self._root(directory)) is not None:
            if not self._is_over(os.path.relpath(directory, root), after, now_ms):
                return
            self._budget.spend(1)
            try:
                os.rmdir(directory)
            except OSError:
                return
            log.info("directory_pruned", path=directory)
            directory = os.path.dirname(directory)

    def _is_over(self, relative: str, after: float, now_ms: int) -> bool:
        """Will nobody write there any more, by its name?"""
        first = relative.split("/", 1)[0]
        if self._is_dead(first):
            return True
        dated = _DATED.search(relative)
        if dated is None:
            return False
        year, month = int(dated["year"]), int(dated["month"])
        limit = datetime.fromtimestamp(now_ms / 1000 - after, UTC) - ONE_DAY
        if dated["day"] is None:
            return (year, month) < (limit.year, limit.month)
        return (year, month, int(dated["day"])) < (limit.year, limit.month, limit.day)

    def _delete_after(self, directory: str) -> float | None:
        """None unless every entry that looks there removes files; else the longest."""
        there = [rule for rule in self._rules if _looks_into(rule, directory)]
        found = [rule.delete_after for rule in there if rule.delete_after is not None]
        return max(found) if found and len(found) == len(there) else None

    def _root(self, directory: str) -> str | None:
        """The root it lies below, if it may be removed; a root itself never is."""
        if self._delete_after(directory) is None:
            return None
        globs = [
            glob
            for rule in self._rules
            for glob in rule.match.include
            if lies_within(directory, str(glob.fixed))
        ]
        if not globs or directory in [str(glob.fixed) for glob in globs]:
            return None
        return min((glob.root for glob in globs), key=len)


def _looks_into(rule: LogRule, directory: str) -> bool:
    return any(
        lies_within(directory, str(glob.fixed)) and glob.descends(directory)
        for glob in rule.match.include
    )

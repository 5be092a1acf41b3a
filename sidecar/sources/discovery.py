"""Finds files: scans directories, matches names, and says what is new and what has gone.

The scan is the truth; the watch only makes one due sooner. One `scandir` tells the names and inode
numbers of a whole directory, so a rotation is seen without a single `stat`.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from sidecar.model.globs import lies_within
from sidecar.model.ownership import Ownership
from sidecar.sources.agenda import Agenda
from sidecar.sources.looks import Looks
from sidecar.sources.matching import Found as Found
from sidecar.sources.matching import Rule as Rule
from sidecar.sources.matching import judge
from sidecar.sources.opening import problem
from sidecar.sources.poll import Budget, Pace

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
"""Between attempts at a directory that cannot be read, at least."""

NAMES_A_ROUND_TRIP = 1000
"""About so many names an NFS client gets in one answer: a scan of more costs more."""

LONGEST_ABANDONED_SECONDS = 24 * 3600.0
"""A dead task's directory is scanned again after as long as it has been quiet, so that old
deployments cost next to nothing, but after a day at the latest."""

SCAN_SHARE = 10.0
"""A directory is scanned at most this fraction of the time: after a scan of t seconds, none for
t * SCAN_SHARE, so a directory of 100,000 names with a rotation a second does not eat a core."""


@dataclass(slots=True)
class _Directory:
    names: dict[str, int] = field(default_factory=dict)
    """Matching names and their inode numbers as the last scan saw them."""
    ignored: set[str] = field(default_factory=set)
    """Names that match nothing, so that no scan asks again."""
    subdirectories: set[str] = field(default_factory=set)
    not_before: float = 0.0
    changed_at: float | None = None
    """When a scan saw a change; the first one counts as one. None before it."""


@dataclass(slots=True)
class Changes:
    """What scans saw since the last time."""

    found: list[Found] = field(default_factory=list)
    vanished: list[str] = field(default_factory=list)
    """Names that are no longer in a directory which itself is still there."""
    lost: list[str] = field(default_factory=list)
    """Directories that could not be read any more: nothing is concluded about their files."""


class Discovery:
    """Keeps the directories that can hold a match, and scans each when it is due."""

    def __init__(
        self,
        rules: Sequence[Rule],
        never: Iterable[str],
        budget: Budget,
        looks: Looks,
        pace: Pace,
        ownership: Ownership | None = None,
    ) -> None:
        self._rules = tuple(rules)
        self._never = tuple(os.path.abspath(path) for path in never)
        self._budget = budget
        self._looks = looks
        self._pace = pace
        self._ownership = ownership
        self._left: set[str] = set()
        """Directories that are left to the sidecar of their own task."""
        self._abandoned: set[str] = set()
        """Directories of dead tasks."""
        self.unreadable: dict[str, str] = {}
        """Directories that cannot be read, with the reason: nothing is concluded about them."""
        self._directories: dict[str, _Directory] = {}
        self._agenda: Agenda[str] = Agenda()
        self._begin()

    def replace_rules(self, rules: Sequence[Rule]) -> None:
        """Match by new rules: every directory is scanned anew, every match found again."""
        self._rules = tuple(rules)
        self._begin()

    @property
    def roots(self) -> list[str]:
        """Where scans start: the fixed parts of all includes, none below another."""
        fixed = sorted({str(glob.fixed) for rule in self._rules for glob in rule.include})
        return [a for a in fixed if not any(a != b and lies_within(a, b) for b in fixed)]

    @property
    def directories(self) -> int:
        return len(self._directories)

    def empty(self) -> list[str]:
        """Directories below the roots in which the last scan saw nothing."""
        roots = set(self.roots)
        return [
            path
            for path, seen in self._directories.items()
            if not (seen.names or seen.ignored or seen.subdirectories or path in roots)
        ]

    def scanned(self) -> list[str]:
        """Every directory that is scanned: those that are there and can hold a match."""
        return sorted(self._directories)

    def touch(self, directory: str, now: float) -> None:
        """A watch event named this directory: scan it soon."""
        known = self._directories.get(directory)
        if known is not None:
            self._agenda.bring_forward(directory, max(now, known.not_before))
        else:
            parent = os.path.dirname(directory)
            if parent in self._directories and parent != directory:
                self.touch(parent, now)

    def note_tasks(self, now: float) -> None:
        """A task began or ended: ask again whose the directories are that were left alone, and
        whether anybody writes to those where nobody did."""
        self._left &= self._directories.keys()
        self._abandoned &= self._directories.keys()
        again = [each for each in self._left if not self._is_left(each)]
        again += [each for each in self._abandoned if not self._is_abandoned(each)]
        for directory in again:
            self.touch(directory, now)

    def make_all_due(self) -> None:
        for path, directory in self._directories.items():
            directory.not_before = 0.0
            self._agenda.put(path, 0.0)

    def next_due(self) -> float:
        return self._agenda.next_due()

    def scan(
        self,
        now: float,
        *,
        whatever_it_costs: bool = False,
        answers: Callable[[str], bool] | None = None,
    ) -> Changes:
        """Scan what is due, the longest overdue first, as far as the budget goes, but one at least:
        a rotation that is not noticed must not wait for looks to be paid off.

        What lies below a root that does not answer, where that is asked, is due again soon.
        """
        changes = Changes()
        while self._agenda.next_due() <= now:
            path = self._agenda.take()
            if path not in self._directories:
                pass  # it is gone
            elif answers is None or answers(self._root_of(path)):
                self._scan_one(path, now, changes)
            else:
                self._agenda.put(path, now + max(RETRY_SECONDS, self._pace.hot))
            if not whatever_it_costs and not self._budget.has_room(now):
                break
        return changes

    def forget(self, path: str) -> None:
        """Report this name again at its directory's next scan."""
        directory = self._directories.get(os.path.dirname(path))
        if directory is not None:
            directory.names.pop(os.path.basename(path), None)

    def _root_of(self, path: str) -> str:
        return next((root for root in self.roots if lies_within(path, root)), path)

    def _begin(self) -> None:
        self._directories = {root: _Directory() for root in self.roots}
        self._agenda = Agenda()
        self.make_all_due()

    def _scan_one(self, path: str, now: float, changes: Changes) -> None:
        """Scan one directory; new ones below it are due at once."""
        directory = self._directories[path]
        if self._is_left(path):
            self._left.add(path)
            # Should it ever be ours, everything in it is news.
            directory.names = {}
            self._agenda.put(path, now + self._pace.cold)
            return
        self._left.discard(path)
        self._budget.spend(1)
        started = time.monotonic()
        try:
            names, ignored, below = self._list(path, directory)
        except (FileNotFoundError, NotADirectoryError):
            self._is_away(path, directory, now, changes)
            return
        except OSError as error:
            self._is_unreadable(path, error)
            self._agenda.put(path, now + max(RETRY_SECONDS, self._pace.hot))
            return
        if self.unreadable.pop(path, None) is not None:
            log.info("directory_readable_again", path=path)
        new = [name for name, inode in names.items() if directory.names.get(name) != inode]
        gone = [name for name in directory.names if name not in names]
        for name in new:
            found = self._match(os.path.join(path, name), names[name])
            if found is not None:
                changes.found.append(found)
        changes.vanished.extend(os.path.join(path, name) for name in gone)
        for name in directory.subdirectories - below:
            self._vanish(os.path.join(path, name), changes)
        fresh = [os.path.join(path, name) for name in below - directory.subdirectories]
        for subdirectory in fresh:
            self._directories[subdirectory] = _Directory(changed_at=now)
            self._agenda.put(subdirectory, now)
        directory.names = names
        directory.ignored = ignored
        directory.subdirectories = below
        if new or gone or fresh or directory.changed_at is None:
            directory.changed_at = now
        took = time.monotonic() - started
        directory.not_before = now + min(took * SCAN_SHARE, self._pace.hot)
        quiet = now - directory.changed_at
        due = self._pace.interval(path, quiet)
        self._abandoned.discard(path)
        if self._is_abandoned(path):
            self._abandoned.add(path)
            due = max(due, min(quiet, LONGEST_ABANDONED_SECONDS))
        self._agenda.put(path, now + due)

    def _is_away(self, path: str, directory: _Directory, now: float, changes: Changes) -> None:
        """Not there (yet, or any more): a root may be mounted later."""
        self.unreadable.pop(path, None)
        if directory.names or directory.subdirectories:
            changes.lost.append(path)
        directory.names = {}
        if path in self.roots:
            self._agenda.put(path, now + self._pace.hot)
        else:
            self._drop(path)

    def _is_unreadable(self, path: str, error: OSError) -> None:
        """There, and not to be read: what is known of its files stays as it is."""
        text = problem(error)
        if self.unreadable.get(path) == text:
            return
        self.unreadable[path] = text
        log.warning("directory_unreadable", path=path, error=text)

    def _is_left(self, path: str) -> bool:
        ownership = self._ownership
        return ownership is not None and any(ownership.leaves(path, root) for root in self._bases)

    def _is_abandoned(self, path: str) -> bool:
        ownership = self._ownership
        return ownership is not None and any(
            ownership.is_abandoned(f"{path}/", root) for root in self._bases
        )

    @property
    def _bases(self) -> set[str]:
        """What `{path}` is relative to, in any rule."""
        return {glob.root for rule in self._rules for glob in rule.include}

    def _list(self, path: str, before: _Directory) -> tuple[dict[str, int], set[str], set[str]]:
        names: dict[str, int] = {}
        ignored: set[str] = set()
        below: set[str] = set()
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if name in before.ignored:
                    ignored.add(name)
                elif entry.is_dir(follow_symlinks=False):
                    if self.descends(entry.path):
                        below.add(name)
                elif name not in before.names and self._match(entry.path, 0) is None:
                    ignored.add(name)
                elif entry.is_symlink():
                    inode = self._target_inode(entry)
                    if inode is not None:
                        names[name] = inode
                elif entry.is_file(follow_symlinks=False):
                    names[name] = entry.inode()
        self._budget.spend((len(names) + len(ignored) + len(below)) // NAMES_A_ROUND_TRIP)
        return names, ignored, below

    def _target_inode(self, entry: os.DirEntry[str]) -> int | None:
        """A link's target is what is read; a loop, a dangling link or no plain file is not."""
        seen = self._looks.by_name(entry.path)
        return seen.st_ino if seen is not None and stat.S_ISREG(seen.st_mode) else None

    def descends(self, directory: str) -> bool:
        """Is this directory scanned, if it is there?"""
        if any(lies_within(directory, never) for never in self._never):
            return False
        return any(glob.descends(directory) for rule in self._rules for glob in rule.include)

    def _match(self, path: str, inode: int) -> Found | None:
        verdict = judge(path, inode, self._rules, self._never)
        return verdict if isinstance(verdict, Found) else None

    def _vanish(self, path: str, changes: Changes) -> None:
        """A directory went: so did all that was in it."""
        for known in [known for known in self._directories if lies_within(known, path)]:
            directory = self._directories.pop(known)
            self._let_go(known)
            changes.vanished.extend(os.path.join(known, name) for name in directory.names)

    def _let_go(self, path: str) -> None:
        self._agenda.drop(path)
        self._pace.forget(path)
        self.unreadable.pop(path, None)

    def _drop(self, path: str) -> None:
        del self._directories[path]
        self._let_go(path)
        parent = self._directories.get(os.path.dirname(path))
        if parent is not None:
            parent.subdirectories.discard(os.path.basename(path))

"""Who else is there: the other members, which of them are alive, and whose place to take.

One listing every `LIST_SECONDS` tells who came and who left cleanly. Who died is found by trying
locks, since EFS never calls back: each member tries those of the next ones in a ring of all ids,
and goes on past the dead until it has met `WATCHED` that live. So every dead member has a living
one before it that finds it, and the cost does not grow with the number of members.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.members import DeadMember, Folder, Member, folders, take, task_of

log = structlog.get_logger(__name__)

LIST_SECONDS = 1.0
"""Between listings of the members' folder: one operation."""

RING_SECONDS = 5.0
"""Between tries at the neighbours' locks: an open and a lock for each."""

WATCHED = 3
"""Living neighbours each member watches. One is enough; the others are for frozen watchers."""


@dataclass(slots=True)
class Other:
    """Another member, as its folder shows it."""

    id: str
    folder: str
    task: str | None
    is_taken: bool = False
    """Its lock is in our hands."""

    @property
    def has_left(self) -> bool:
        return self.folder != self.id

    @property
    def is_alive(self) -> bool:
        """As far as is known: it did not leave, and its lock was not found free."""
        return not (self.is_taken or self.has_left)


class Membership:
    """The other members as of the last listing. Owned by the pump."""

    def __init__(
        self,
        state_dir: Path,
        own: Member,
        *,
        spend: Callable[[int], None],
        files: FileSystem = REAL,
    ) -> None:
        self.own = own
        self.others: dict[str, Other] = {}
        """By member id, sorted by it."""
        self.problem: str | None = None
        self.changes = 0
        """Grows whenever somebody came or went."""
        self._state_dir = state_dir
        self._spend = spend
        self._files = files
        self._listed_at = float("-inf")
        self._tried_at = float("-inf")

    @property
    def is_alone(self) -> bool:
        return not self.others

    @property
    def tasks(self) -> set[str]:
        """The ids of the tasks of all others that live."""
        return {other.task for other in self.others.values() if other.task and other.is_alive}

    def step(self, now: float) -> list[DeadMember]:
        """Look at what is due; gives the dead members whose locks were taken just now."""
        dead: list[DeadMember] = []
        if now - self._listed_at >= LIST_SECONDS:
            self._listed_at = now
            self.look()
            dead += self._take([other for other in self.others.values() if other.has_left])
        if now - self._tried_at >= RING_SECONDS:
            self._tried_at = now
            dead += self._round()
        if dead:
            # More may have died at once; whoever follows in the ring is tried right away.
            self._tried_at = float("-inf")
        return dead

    def look(self) -> bool:
        """List the members anew; False when the volume refused."""
        self._spend(1)
        try:
            listed = folders(self._state_dir, own=self.own.id, files=self._files)
        except OSError as error:
            self.problem = f"cannot list the members: {error.strerror or error}"
            return False
        self.problem = None
        self._note(listed)
        return True

    def gone(self, member: str) -> None:
        """Its folder was removed by ourselves."""
        if self.others.pop(member, None) is not None:
            self.changes += 1

    def _note(self, listed: list[Folder]) -> None:
        before = self.others
        self.others = {}
        for folder in listed:
            known = before.get(folder.member)
            if known is None:
                log.info("member_joined", member=folder.member)
                self.changes += 1
            if known is None or known.task is None:
                self._spend(1)
                task = task_of(self._state_dir, folder.name, self._files)
                known = Other(folder.member, folder.name, task)
            known.folder = folder.name
            self.others[folder.member] = known
        self.changes += sum(member not in self.others for member in before)

    def _round(self) -> list[DeadMember]:
        """Try the locks after ours in the ring until enough are found held."""
        ids = sorted(self.others)
        after = [each for each in ids if each > self.own.id]
        before = [each for each in ids if each < self.own.id]
        dead = []
        living = 0
        for member in after + before:
            if self.others[member].is_taken:
                continue
            taken = self._take([self.others[member]])
            dead += taken
            living += not taken
            if living == WATCHED:
                break
        return dead

    def _take(self, others: Iterable[Other]) -> list[DeadMember]:
        dead = []
        for other in others:
            if other.is_taken:
                continue
            self._spend(2)
            with suppress(OSError):
                member = take(self._state_dir, other.folder, self._files)
                if member is not None:
                    other.is_taken = True
                    self.changes += 1
                    dead.append(member)
        return dead

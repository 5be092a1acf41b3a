"""Whose is it? What reading asks before it makes a file or an artifact its own."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple, Protocol


class Wanted(NamedTuple):
    """A file nobody here has yet, and the stream it would feed.

    `name` is the path it had before a rotation, whose stream it belongs to; `head` are its first
    bytes.
    """

    path: str
    name: str
    root: str
    inode: int
    head: bytes
    group: str
    stream: str


class Ownership(Protocol):
    """What belongs to other members, and what may become ours. Owned by the pump."""

    @property
    def tasks(self) -> Container[str]:
        """The ids that sidecars of this state directory have or had."""
        ...

    def is_abandoned(self, path: str, root: str) -> bool:
        """Is it in the directory of a task that is dead, so that nobody writes to it any more?"""
        ...

    def leaves(self, directory: str, root: str) -> bool:
        """Is the directory another living task's, whose own sidecar sees to it?"""
        ...

    def is_left(self, path: str, name: str, root: str, inode: int, now: float) -> bool:
        """Is the file another member's, as far as that is known without asking the volume?"""
        ...

    def grant(self, wanted: Sequence[Wanted], now: float) -> list[bool]:
        """Claim these; which of them are ours now. The others are reported again in time."""
        ...

    def grant_artifacts(self, paths: Sequence[str], now: float) -> list[bool]:
        """Claim these artifacts; which of them are ours now. The others are reported again."""
        ...

    def give_up(self, root: str, inode: int, group: str, stream: str) -> None:
        """The file is done with: its claims go, unless another source of ours needs them."""
        ...

    def give_up_artifact(self, path: str) -> None:
        """The artifact is deleted and that is told."""
        ...


class Alone:
    """The `Ownership` of who shares with nobody: a dry run."""

    def __init__(self, tasks: Container[str]) -> None:
        self.tasks = tasks

    def is_abandoned(self, path: str, root: str) -> bool:
        return False

    def leaves(self, directory: str, root: str) -> bool:
        return False

    def is_left(self, path: str, name: str, root: str, inode: int, now: float) -> bool:
        return False

    def grant(self, wanted: Sequence[Wanted], now: float) -> list[bool]:
        return [True] * len(wanted)

    def grant_artifacts(self, paths: Sequence[str], now: float) -> list[bool]:
        return [True] * len(paths)

    def give_up(self, root: str, inode: int, group: str, stream: str) -> None:
        """There are no claims."""

    def give_up_artifact(self, path: str) -> None:
        """There are no claims."""

"""What is due when: a heap in which an entry can be put off or brought forward cheaply."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

NEVER = float("inf")


class Agenda(Generic[Key]):
    """Each key is due at one time at most; times are monotonic seconds."""

    def __init__(self) -> None:
        self._due: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0

    def __len__(self) -> int:
        return len(self._due)

    def put(self, key: Key, due: float) -> None:
        """Make the key due at this time, whatever it was before."""
        if self._due.get(key) == due:
            return
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._heap, (due, self._count, key))

    def bring_forward(self, key: Key, due: float) -> None:
        """Make the key due at this time, unless it is due earlier."""
        if due < self._due.get(key, NEVER):
            self.put(key, due)

    def drop(self, key: Key) -> None:
        self._due.pop(key, None)

    def next_due(self) -> float:
        """The earliest time at which anything is due; NEVER where nothing is."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else NEVER

    def take(self) -> Key:
        """Take out what is due first; there must be something."""
        self.next_due()
        _, _, key = heapq.heappop(self._heap)
        del self._due[key]
        return key

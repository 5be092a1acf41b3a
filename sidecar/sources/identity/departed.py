"""Sources whose file is gone, remembered for a while: its archive or its copy may show late."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.model.fingerprint import Marker

MEMORY_SECONDS = 600.0
MOST = 256
"""So many and so long: each is a record in the journal, and a file may be deleted each second."""


@dataclass(slots=True)
class _One:
    since: float | None
    marks: tuple[tuple[int, Marker], ...]
    exact: bool


class Departed:
    """The departed by number, the longest gone first."""

    def __init__(self) -> None:
        self._all: dict[int, _One] = {}

    def __contains__(self, number: int) -> bool:
        return number in self._all

    def add(
        self,
        number: int,
        *,
        now: float | None,
        marks: tuple[tuple[int, Marker], ...] = (),
        exact: bool = False,
    ) -> None:
        """`exact`: it was read to the very end; `now` is None for those of an earlier run."""
        self._all[number] = _One(now, marks, exact)

    def discard(self, number: int) -> None:
        self._all.pop(number, None)

    def marks(self, number: int) -> tuple[tuple[int, Marker], ...]:
        """Earlier positions of its reading."""
        one = self._all.get(number)
        return one.marks if one is not None else ()

    def is_exact(self, number: int) -> bool:
        one = self._all.get(number)
        return one is not None and one.exact

    def expired(self, now: float) -> list[int]:
        """Takes out those who were remembered long enough."""
        for one in self._all.values():
            if one.since is None:
                one.since = now
        too_many = max(0, len(self._all) - MOST)
        numbers = [
            number
            for index, (number, one) in enumerate(self._all.items())
            if index < too_many or (one.since is not None and now - one.since > MEMORY_SECONDS)
        ]
        for number in numbers:
            del self._all[number]
        return numbers

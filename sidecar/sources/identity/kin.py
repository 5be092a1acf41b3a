"""Which sources a rotated file may have been, by the names they had."""

from __future__ import annotations

from collections.abc import Iterable

from sidecar.sources.siblings import Rotated, base_paths


class Kin:
    """Numbers of sources by each path they may have had before they were rotated."""

    def __init__(self) -> None:
        self._numbers: dict[str, set[int]] = {}
        self._bases: dict[int, set[str]] = {}

    def add(self, number: int, path: str, rotated: Rotated) -> None:
        """The source has, or had, this path."""
        bases = [path, *base_paths(path, rotated)]
        self._bases.setdefault(number, set()).update(bases)
        for base in bases:
            self._numbers.setdefault(base, set()).add(number)

    def remove(self, number: int) -> None:
        for base in self._bases.pop(number, ()):
            numbers = self._numbers[base]
            numbers.discard(number)
            if not numbers:
                del self._numbers[base]

    def of(self, base: str) -> Iterable[int]:
        """The sources that had this path, the youngest first."""
        return sorted(self._numbers.get(base, ()), reverse=True)

    def bases(self, number: int) -> set[str]:
        """The paths the source may have had."""
        return self._bases.get(number, set())

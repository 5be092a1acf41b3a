"""Which sources a rotated file may have been, by a name or by the beginning they have in common."""

from __future__ import annotations

import os
from collections.abc import Iterable

from sidecar.model.fingerprint import FULL, Fingerprint
from sidecar.sources.siblings import Rotated, base_names


class Kin:
    """Numbers of sources by each path they may have had before they were rotated."""

    def __init__(self) -> None:
        self._numbers: dict[str, set[int]] = {}
        self._bases: dict[int, set[str]] = {}

    def add(self, number: int, path: str, rotated: Rotated) -> None:
        """The source has, or had, this path."""
        directory, name = os.path.split(path)
        bases = [path, *(os.path.join(directory, base) for base in base_names(name, rotated))]
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


class Heads:
    """Numbers of sources by their fingerprint, where it is full: shorter ones tell too little."""

    def __init__(self) -> None:
        self._numbers: dict[Fingerprint, set[int]] = {}

    def add(self, number: int, fingerprint: Fingerprint) -> None:
        if fingerprint.full:
            self._numbers.setdefault(fingerprint, set()).add(number)

    def remove(self, number: int, fingerprint: Fingerprint) -> None:
        numbers = self._numbers.get(fingerprint)
        if numbers is not None:
            numbers.discard(number)
            if not numbers:
                del self._numbers[fingerprint]

    def of(self, head: bytes) -> Iterable[int]:
        """The sources that begin with these bytes, the youngest first."""
        if len(head) < FULL:
            return ()
        return sorted(self._numbers.get(Fingerprint.of(head), ()), reverse=True)

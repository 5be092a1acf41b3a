"""Which events of an unknown outcome are stored: pure counting.

    missing = U - (S - A), as multisets

U are the unknown events, A the acknowledged ones with such timestamps, S what CloudWatch shows.
Of S the most that any reading showed counts for each key: an event that was seen once was
accepted, even if it is out of sight again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence


class Comparison:
    """U and A, held against one reading after the other."""

    def __init__(self, unknown: Iterable[int], acknowledged: Iterable[int]) -> None:
        self._unknown = Counter(unknown)
        self._acknowledged = Counter(acknowledged)
        self._seen: Counter[int] = Counter()

    def fits(self, reading: Counter[int]) -> bool:
        """Does it show no more of any event than was sent?

        If not, somebody else feeds the stream, or events came into sight between two of its pages
        and moved others from the first to the second: then nothing in it proves anything.
        """
        sent = self._acknowledged, self._unknown
        return all(count <= sum(of[key] for of in sent) for key, count in reading.items())

    def take(self, reading: Counter[int]) -> None:
        """What one reading that fits has shown so far."""
        self._seen |= reading

    @property
    def all_found(self) -> bool:
        """Is every unknown event stored?"""
        seen, acknowledged = self._seen, self._acknowledged
        return all(seen[key] - acknowledged[key] >= count for key, count in self._unknown.items())

    @property
    def is_hidden(self) -> bool:
        """Is even something acknowledged out of sight? Then what is missing may be stored."""
        return any(self._seen[key] < count for key, count in self._acknowledged.items())

    def missing(self, keys: Sequence[int]) -> list[int]:
        """Which of these unknown events, by index, are not stored."""
        stored = {key: self._seen[key] - self._acknowledged[key] for key in self._unknown}
        missing = []
        for index, key in enumerate(keys):
            if stored[key] > 0:
                stored[key] -= 1
            else:
                missing.append(index)
        return missing

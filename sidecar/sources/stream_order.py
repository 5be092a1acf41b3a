"""Which of the files that feed one stream is read first: an older one before a newer one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable

from sidecar.model.batch import StreamKey
from sidecar.sources.source import Source

_SEVERAL = object()
"""Not all that wait for older files of a stream wait for the same one."""


class StreamOrder:
    """The sources of each stream that are not over, the oldest content first.

    What waits for an older one waits here, and costs nothing until its turn has come.
    """

    def __init__(self, is_open: Callable[[Source], bool]) -> None:
        """`is_open`: is there a descriptor of it, which a lost name does not matter to?"""
        self._is_open = is_open
        self._sources: dict[StreamKey, list[Source]] = {}
        self._fronts: dict[StreamKey, int] = {}
        self._waiting: dict[StreamKey, dict[int, Source]] = {}
        self._waited_for: dict[StreamKey, Source | object | None] = {}
        """Behind which one all that wait are."""
        self._awaiting: dict[StreamKey, dict[int, Source]] = {}
        """What was to be read when there was no memory for it, by its number."""

    def add(self, source: Source) -> None:
        insort(self._sources.setdefault(source.key, []), source, key=_age)
        self._fronts.pop(source.key, None)

    def remove(self, source: Source) -> None:
        sources = self._sources.get(source.key, [])
        if source in sources:
            sources.remove(source)
            self._fronts.pop(source.key, None)
        self.got_room(source)

    def before(self, source: Source) -> Source | None:
        """The file of its stream that is the next older one."""
        sources = self._sources[source.key]
        at = bisect_right(sources, _age(source), key=_age) - 1
        while sources[at] is not source:
            at -= 1
        return sources[at - 1] if at else None

    def begin_round(self) -> None:
        """Look anew for the oldest of each stream that is not read out.

        Remembered for a round of turns, since ten thousand files may feed one stream.
        """
        self._fronts.clear()

    def is_behind_older(self, source: Source) -> bool:
        """Must an older file of the same stream be read first?"""
        front = self._front(source.key)
        return front is not None and front is not source and front.order <= source.order

    def await_room(self, source: Source) -> None:
        """It may not be read now, and how far it has grown is not known: who is newer may not
        either before its next turn, whether there is memory again or not."""
        self._awaiting.setdefault(source.key, {})[source.id] = source

    def got_room(self, source: Source) -> None:
        """There is memory for what it holds, and its turn has come."""
        awaiting = self._awaiting.get(source.key, {})
        awaiting.pop(source.id, None)
        if not awaiting:
            self._awaiting.pop(source.key, None)

    def is_behind_awaiting(self, source: Source) -> bool:
        """Does an older file of the same stream wait for memory?"""
        return any(
            (each.missing_since is None or self._is_open(each))
            and (each.order, each.id) < (source.order, source.id)
            for each in self._awaiting.get(source.key, {}).values()
        )

    def is_not_read_out(self, source: Source) -> None:
        """Its turn has shown that there is more to read, which no look had shown before."""
        at = self._fronts.get(source.key, 0)
        sources = self._sources.get(source.key, [])
        own = bisect_left(sources, _age(source), 0, at, key=_age)
        while own < at and sources[own] is not source:
            own += 1
        if own < at:
            self._fronts[source.key] = own

    def wait(self, source: Source) -> None:
        """It is behind an older one: `end_round` gives it back when that is over."""
        self._waiting.setdefault(source.key, {})[source.id] = source
        front = self._front(source.key)
        if self._waited_for.setdefault(source.key, front) is not front:
            self._waited_for[source.key] = _SEVERAL

    def end_round(self) -> list[Source]:
        """Those that wait no longer, since another file of their stream is the oldest by now."""
        self._fronts.clear()
        ready = []
        for key, waiting in list(self._waiting.items()):
            front = self._front(key)
            if front is self._waited_for[key]:
                continue
            self._waited_for[key] = front
            free = [each for each in waiting.values() if not self.is_behind_older(each)]
            ready += free
            for each in free:
                del waiting[each.id]
            if not waiting:
                del self._waiting[key], self._waited_for[key]
        # What an older one holds may not be known before its turn, so that comes first.
        return sorted(ready, key=_age)

    def _front(self, key: StreamKey) -> Source | None:
        """The oldest that must be read before newer ones."""
        sources = self._sources.get(key, [])
        at = self._fronts.get(key, 0)
        while at < len(sources) and not self._holds_back(sources[at]):
            at += 1
        self._fronts[key] = at
        return sources[at] if at < len(sources) else None

    def _holds_back(self, source: Source) -> bool:
        """Must it be read before newer files of its stream?"""
        if source.problem is not None:
            return False
        if source.missing_since is not None and not self._is_open(source):
            return False
        return source.unread > 0 and not source.exhausted


def _age(source: Source) -> float:
    return source.order

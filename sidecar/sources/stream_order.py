"""Which of the files that feed one stream is read first: an older one before a newer one."""

from __future__ import annotations

from bisect import insort

from sidecar.model.batch import StreamKey
from sidecar.sources.source import Source


class StreamOrder:
    """The sources of each stream that are not over, the oldest content first."""

    def __init__(self) -> None:
        self._sources: dict[StreamKey, list[Source]] = {}
        self._fronts: dict[StreamKey, int] = {}

    def add(self, source: Source) -> None:
        insort(self._sources.setdefault(source.key, []), source, key=_age)
        self._fronts.pop(source.key, None)

    def remove(self, source: Source) -> None:
        sources = self._sources.get(source.key, [])
        if source in sources:
            sources.remove(source)
            self._fronts.pop(source.key, None)

    def begin_round(self) -> None:
        """Look anew for the oldest of each stream that is not read out.

        Remembered for a round of turns, since ten thousand files may feed one stream.
        """
        self._fronts.clear()

    def is_behind_older(self, source: Source) -> bool:
        """Must an older file of the same stream be read first?"""
        sources = self._sources[source.key]
        at = self._fronts.get(source.key, 0)
        while at < len(sources) and not _holds_back(sources[at]):
            at += 1
        self._fronts[source.key] = at
        if at == len(sources) or sources[at] is source:
            return False
        return sources[at].order <= source.order


def _age(source: Source) -> float:
    return source.order


def _holds_back(source: Source) -> bool:
    """Must it be read before newer files of its stream?"""
    if source.problem is not None or source.missing_since is not None:
        return False
    return source.unread > 0 and not source.exhausted

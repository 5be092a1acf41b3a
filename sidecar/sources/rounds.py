"""Whose turn it is: sources are read in rounds, and some must wait for longer than their turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from sidecar.model.batch import StreamKey
from sidecar.sources.agenda import Agenda
from sidecar.sources.identity.catalogue import Catalogue
from sidecar.sources.poll import Budget, Pace
from sidecar.sources.reach import Reach
from sidecar.sources.source import Source
from sidecar.sources.tailer import Tailer

ASK_AGAIN_SECONDS = 0.1
"""How soon a source asks again whether its stream has room, or an archive was looked through."""


class Rounds:
    """The sources that are to be read, each once a round. Owned by the pump."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        tailer: Tailer,
        reach: Reach,
        budget: Budget,
        pace: Pace,
        now: float,
    ) -> None:
        self._catalogue = catalogue
        self._tailer = tailer
        self._reach = reach
        self._budget = budget
        self._pace = pace
        self._ready: deque[Source] = deque()
        self._waiting: Agenda[int] = Agenda()
        """What is to be read and may not yet; unlike a look, asking again costs no operation."""
        self._measured_at = now

    @property
    def is_empty(self) -> bool:
        """Does no source wait for its turn?"""
        return not self._ready

    @property
    def reads_again(self) -> bool:
        """Is the next turn that of a source of which bytes are to be read once more?"""
        return bool(self._ready) and bool(self._ready[0].again)

    def give_turn(self, source: Source) -> None:
        """Have it read in the next round, before all others where bytes are read once more."""
        if not source.queued and not source.over:
            source.queued = True
            if source.again:
                self._ready.appendleft(source)
            else:
                self._ready.append(source)

    def give_turn_anew(self, source: Source) -> None:
        """The same, wherever in the row it stands by now."""
        if source.queued:
            source.queued = False
            self._ready.remove(source)
        self.give_turn(source)

    def wake(self, now: float) -> None:
        """Give a turn to what has waited for long enough."""
        while self._waiting.next_due() <= now:
            source = self._catalogue.sources.get(self._waiting.take())
            if source is not None:
                self.give_turn(source)

    def next_due(self) -> float:
        return self._waiting.next_due()

    def turns(self, now: float, has_room: Callable[[StreamKey | None], bool]) -> Iterator[Source]:
        """Those that are read now, and those that turn out to be over, while there is room.

        `has_room` tells for a stream, and with None for any at all.
        """
        order = self._catalogue.order
        order.begin_round()
        for _ in range(len(self._ready)):
            if not self.reads_again and not has_room(None):
                self._measure_waiting(now)
                break
            source = self._ready.popleft()
            source.queued = False
            if source.over:
                yield source
            elif not self._answers(source):
                self._waiting.put(source.id, now + self._pace.hot)
            elif not self._must_wait(source, now, has_room):
                yield source
        for source in order.end_round():
            self.give_turn(source)

    def _must_wait(
        self, source: Source, now: float, has_room: Callable[[StreamKey | None], bool]
    ) -> bool:
        """Has it to wait: for an older file or archive of its stream, or for room?"""
        order = self._catalogue.order
        if source.again:
            order.got_room(source)
            return False  # others wait for it, and take the room: it is no more than was under way
        if order.is_behind_older(source):
            order.wait(source)
            return True
        if not has_room(source.key):
            order.await_room(source)
            if self._budget.has_room(now):
                self._tailer.measure(source, now)
        elif not (order.is_behind_awaiting(source) or self._catalogue.waits_for_archive(source)):
            order.got_room(source)
            return False
        self._waiting.put(source.id, now + ASK_AGAIN_SECONDS)
        return True

    def _measure_waiting(self, now: float) -> None:
        """Note how far files have grown that cannot be read for want of room: the backlog is told
        right in an outage above all, and an open file outlives its deletion."""
        if now - self._measured_at < self._pace.hot:
            return
        self._measured_at = now
        for source in self._ready:
            if not self._budget.has_room(now):
                break
            if not self._answers(source):
                continue
            self._budget.spend(1)
            source.ask_server = True
            self._tailer.measure(source, now)

    def _answers(self, source: Source) -> bool:
        return self._reach.answers(source.record.claim.root)

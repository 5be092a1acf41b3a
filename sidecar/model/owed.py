"""Requests that came to nothing, or not to all they held: what they owe keeps its times.

A line without a time has the one it was first sent with. The intent that tells it is closed once
it is known that CloudWatch does not hold the line; until the next one is noted the process may be
killed, or wait for long. Read anew the line would have a later time of arrival, and be shown after
lines that follow it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

from sidecar.model import digest
from sidecar.model.byte_range import ByteRanges
from sidecar.model.journal import Entry, IntentSent, IntentSpan, Settled
from sidecar.model.outcome_ranges import Missing, missing_ranges, resumes_of
from sidecar.model.records import Resume

Stream = tuple[str, str]


class Debtor(Protocol):
    """A source, as far as it is settled."""

    @property
    def feeds(self) -> Stream: ...

    def unsettled(self, start: int, end: int) -> Iterator[tuple[int, int]]: ...


class Due(NamedTuple):
    """Bytes that are to be read and sent again, and how to go on after them where they end inside
    an over-long line."""

    missing: Missing
    after: Resume | None


@dataclass(slots=True)
class Owed:
    """Closed intents by stream and batch, the oldest first.

    `sources` and `intents`, those without a result, are the ledger's. Bytes that are settled, in
    one of these, or in a later closed one are not owed by an intent; one that owes none is let go.
    """

    sources: Mapping[int, Debtor] = field(repr=False, compare=False)
    intents: Mapping[int, IntentSent] = field(repr=False, compare=False)
    requests: dict[Stream, dict[int, IntentSent]] = field(default_factory=dict)

    def __iter__(self) -> Iterator[IntentSent]:
        for requests in self.requests.values():
            yield from requests.values()

    def add(self, intent: IntentSent) -> None:
        """It is closed, and CloudWatch holds none of it, or not all."""
        if intent.events and intent.spans:
            self.requests.setdefault((intent.group, intent.stream), {})[intent.batch] = intent

    def reopened(self, intent: IntentSent) -> None:
        """A request is made again under its number, or another one of some of its bytes."""
        stream = intent.group, intent.stream
        if stream in self.requests:
            self.requests[stream].pop(intent.batch, None)
            self.prune(stream)

    def forget(self, source: int, stream: Stream) -> None:
        """The source is forgotten, with all that was owed of it."""
        for batch, intent in list(self.requests.get(stream, {}).items()):
            kept = tuple(span for span in intent.spans if span.source != source)
            self.requests[stream][batch] = replace(intent, spans=kept)
        self.prune(stream)

    def prune(self, stream: Stream) -> None:
        """Let go of what owes nothing any more."""
        requests = self.requests.get(stream)
        if requests is None:
            return
        for intent, covered in self._newest_first(stream):
            if not any(self._owes(span, covered) for span in intent.spans):
                del requests[intent.batch]
        if not requests:
            del self.requests[stream]

    def of(self, source: int) -> list[Due]:
        """What is owed of a source, each byte once."""
        due: list[Due] = []
        for intent, covered in self._newest_first(self.sources[source].feeds):
            events = digest.unpack(intent.events, intent.least, intent.count, intent.sources)
            owed = [
                index
                for index, place in enumerate(events.places)
                if place[0] == source and self._owes_all(place, covered)
            ]
            resumes = resumes_of(intent)
            due += [
                Due(missing, resumes.get((source, missing.end)))
                for missing in missing_ranges(intent, owed)
            ]
        return sorted(due, key=lambda each: each.missing.start)

    def entries(self) -> Iterator[Entry]:
        """What rebuilds it, before any other request is open."""
        yield from closed(self)

    def _newest_first(
        self, stream: Stream
    ) -> Iterator[tuple[IntentSent, Mapping[int, ByteRanges]]]:
        """Each of the stream's with what is in open requests and in those that are newer."""
        covered: dict[int, ByteRanges] = {}

        def cover(intent: IntentSent) -> None:
            for source, start, end, *_ in intent.spans:
                covered.setdefault(source, ByteRanges()).add(start, end)

        for intent in self.intents.values():
            if (intent.group, intent.stream) == stream:
                cover(intent)
        for intent in reversed(list(self.requests.get(stream, {}).values())):
            yield intent, covered
            cover(intent)

    def _owes(self, span: IntentSpan, covered: Mapping[int, ByteRanges]) -> bool:
        """Is any byte of it owed?"""
        source, start, end, *_ = span
        if source not in self.sources:
            return False
        others = covered.get(source, _NOTHING)
        unsettled = self.sources[source].unsettled(start, end)
        return any(not others.contains(*each) for each in unsettled)

    def _owes_all(self, place: tuple[int, int, int], covered: Mapping[int, ByteRanges]) -> bool:
        """Is every byte of an event owed? Other rules may have made others of them since."""
        source, start, end = place
        if covered.get(source, _NOTHING).overlaps(start, end):
            return False
        return [*self.sources[source].unsettled(start, end)] == [(start, end)]


def closed(intents: Iterable[IntentSent]) -> Iterator[Entry]:
    """Requests that came to nothing."""
    for intent in intents:
        yield intent
        yield Settled(intent.batch, ())


_NOTHING = ByteRanges()

"""Which bytes of an intent are stored and which are missing, once it is known of its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sidecar.model import digest
from sidecar.model.fingerprint import NO_MARKER
from sidecar.model.journal import IntentSent, Span
from sidecar.model.records import NO_TIME, Resume


class Missing(NamedTuple):
    """Bytes of a source that are to be read and sent again.

    `timestamp` is the one their first event was sent with, NO_TIME where that is not known;
    `resume` says how to read them where they begin inside an over-long line; `inside` that they
    end inside one.
    """

    source: int
    start: int
    end: int
    timestamp: int
    resume: Resume | None
    inside: bool


def stored_spans(intent: IntentSent, missing: Sequence[int]) -> list[Span]:
    """The byte ranges of all events but the missing ones; none for an artifact."""
    without = set(missing)
    markers = {
        (span.source, span.end): (span.marker_length, span.marker_crc) for span in intent.spans
    }
    resumes = resumes_of(intent)
    return [
        Span(
            source,
            start,
            end,
            "delivered",
            *markers.get((source, end), NO_MARKER),
            resumes.get((source, end)),
        )
        for source, start, end, _ in _joined(intent, lambda index: index not in without)
    ]


def missing_ranges(intent: IntentSent, missing: Sequence[int]) -> list[Missing]:
    """The byte ranges of the missing events, in the order of their files."""
    resumes = resumes_of(intent)
    if not intent.events:
        return [
            Missing(span.source, span.start, span.end, NO_TIME, None, False)
            for span in intent.spans
        ]
    kept = set(missing)
    return [
        Missing(
            source, start, end, timestamp, resumes.get((source, start)), (source, end) in resumes
        )
        for source, start, end, timestamp in _joined(intent, kept.__contains__)
    ]


def resumes_of(intent: IntentSent) -> dict[tuple[int, int], Resume]:
    return {(at.source, at.offset): at.resume for at in intent.resumes}


def _joined(
    intent: IntentSent, takes: Callable[[int], bool]
) -> Iterable[tuple[int, int, int, int]]:
    """Source, start, end and first timestamp of neighbouring events, as one range each."""
    events = digest.unpack(intent.events, intent.least, intent.count, intent.sources)
    places = sorted(
        (*place, timestamp)
        for index, (place, timestamp) in enumerate(
            zip(events.places, events.timestamps, strict=False)
        )
        if takes(index)
    )
    joined: list[tuple[int, int, int, int]] = []
    for source, start, end, timestamp in places:
        if joined and joined[-1][0] == source and joined[-1][2] == start:
            joined[-1] = (*joined[-1][:2], end, joined[-1][3])
        else:
            joined.append((source, start, end, timestamp))
    return joined

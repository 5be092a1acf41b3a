"""Journal entries for tests, as a member would append them."""

from array import array

from hypothesis import strategies as st

from sidecar.model.digest import Events, distinct, pack
from sidecar.model.fingerprint import Fingerprint
from sidecar.model.journal import (
    FATES,
    ArtifactDeleted,
    ArtifactShipped,
    BatchAbandoned,
    Entry,
    Fate,
    HistoryEnds,
    IntentSent,
    IntentSpan,
    Settled,
    SourceClaimed,
    SourceFingerprinted,
    SourceForgotten,
    SourceMoved,
    Span,
)
from sidecar.model.ledger import Ledger
from sidecar.model.records import Resume

GREATEST_INODE = 2**64 - 1
LENGTH = 30
"""Sources of generated histories are this long, so that ranges meet often."""


def claimed(source: int = 1, *, start: int = 0, stream: str = "s", at_ms: int = 7) -> SourceClaimed:
    """A claim; the inode number is one that no signed 64-bit integer holds."""
    return SourceClaimed(
        source=source,
        root="/logs",
        path=f"/logs/{source}.log",
        inode=GREATEST_INODE - source,
        group="/g",
        stream=stream,
        task=None,
        entry=0,
        start=start,
        at_ms=at_ms + source,
    )


def span(source: int, start: int, end: int, fate: Fate = "delivered") -> Span:
    """A settled range whose marker tells its end, to see which end's marker is kept."""
    return Span(source, start, end, fate, marker_length=1, marker_crc=end)


def delivered(source: int, start: int, end: int, batch: int | None = None) -> Settled:
    """One delivered range."""
    return Settled(batch, (span(source, start, end),))


def intent(
    batch: int, *spans: tuple[int, int, int], arrival: bool = False, stream: str = "s"
) -> IntentSent:
    """An intent for ranges (source, start, end) of the stream; each of its events has a place in
    the first."""
    source, start, end = spans[0] if spans else (0, 0, 0)
    events = Events(
        array("q", [100, 150, 200 + batch]),
        array("I", [1, 2, batch]),
        array("q", [source] * 3 if spans else []),
        array("q", [start] * 3 if spans else []),
        array("q", [end] * 3 if spans else []),
    )
    return IntentSent(
        batch=batch,
        group="/g",
        stream=stream,
        spans=tuple(IntentSpan(*one) for one in spans),
        count=3,
        least=100,
        greatest=200 + batch,
        crc=2**32 - 1,
        arrival=arrival,
        at_ms=300,
        events=pack(events),
        sources=distinct(events),
    )


def fold(entries: list[Entry]) -> Ledger:
    """The ledger of the entries."""
    ledger = Ledger()
    for entry in entries:
        ledger.apply(entry)
    return ledger


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Any order of events a member could journal, with settlements in any order and overlap.

    Batches are sent in any order of their numbers, and again under a number that is closed; a
    number is one request's for ever. An intent carries ranges of sources of its stream, or none,
    when it is an artifact's.
    """
    history: list[Entry] = []
    streams: dict[int, str] = {}
    sent: dict[int, IntentSent] = {}
    for _ in range(draw(st.integers(0, 25))):
        kind = draw(st.sampled_from(["claim", "settle", "settle", "settle", "intent", "other"]))
        if kind == "claim" or not streams:
            number = sum(isinstance(entry, SourceClaimed) for entry in history) + 1
            streams[number] = draw(st.sampled_from("st"))
            start = draw(st.integers(0, 5))
            history.append(claimed(number, start=start, stream=streams[number]))
        elif kind == "settle":
            closes = draw(st.none() | st.sampled_from(sorted(sent))) if sent else None
            spans = draw(st.lists(_spans(list(streams)), max_size=3))
            history.append(Settled(closes, tuple(spans), draw(st.booleans())))
        elif kind == "intent":
            number = draw(st.integers(1, 9))
            if number not in sent:
                sent[number] = _intent(draw, streams, number)
            history.append(sent[number])
        else:
            history.append(_other(draw, streams, sorted(sent)))
    return history


def _intent(draw: st.DrawFn, streams: dict[int, str], number: int) -> IntentSent:
    stream = draw(st.sampled_from([*sorted(set(streams.values())), "artifacts"]))
    feeding = [source for source, feeds in streams.items() if feeds == stream]
    parts = draw(st.lists(_spans(feeding), min_size=1, max_size=3)) if feeding else []
    carried = [(part.source, part.start, part.end) for part in parts]
    return intent(number, *carried, arrival=draw(st.booleans()), stream=stream)


def _spans(sources: list[int]) -> st.SearchStrategy[Span]:
    return st.builds(
        _span,
        st.sampled_from(sources),
        st.integers(0, LENGTH),
        st.integers(0, 10),
        st.sampled_from(FATES),
        st.booleans(),
    )


def _span(source: int, start: int, length: int, fate: Fate, resumes: bool) -> Span:
    resume = Resume(start, 2, start + length) if resumes else None
    return span(source, start, start + length, fate)._replace(resume=resume)


def _other(draw: st.DrawFn, streams: dict[int, str], batches: list[int]) -> Entry:
    source = draw(st.sampled_from(list(streams)))
    choices: list[Entry] = [
        SourceMoved(source, draw(st.sampled_from(["/logs/x.1", "/logs/\udcff.log"]))),
        SourceFingerprinted(source, *Fingerprint.of(b"x" * draw(st.integers(1, 50)))),
        ArtifactShipped("/a", draw(st.sampled_from("12")) * 64, 5, 6, GREATEST_INODE, 8),
        ArtifactDeleted("/a", 9),
        HistoryEnds("/g", draw(st.sampled_from("st")), draw(st.integers(0, 300))),
        HistoryEnds("/g", draw(st.sampled_from("st")), draw(st.integers(200, 300)), 150),
        SourceForgotten(source),
    ]
    if batches:
        choices.append(BatchAbandoned(draw(st.sampled_from(batches))))
    chosen = draw(st.sampled_from(choices))
    if isinstance(chosen, SourceForgotten):
        del streams[source]
    return chosen

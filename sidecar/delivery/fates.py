"""What an answer means for a batch's events, and so for their bytes."""

from __future__ import annotations

from sidecar.delivery.destination import Accepted
from sidecar.model.batch import Batch, BatchSpan, Reason
from sidecar.model.journal import Fate, Span


def refused_events(outcome: Accepted, count: int) -> list[tuple[int, Reason]]:
    """Which events of the body were refused, by index, with the reason."""
    if outcome.first == 0 and outcome.last == count:
        return []
    refused: list[tuple[int, Reason]] = [
        (index, "too_old" if index < outcome.too_old else "expired")
        for index in range(outcome.first)
    ]
    refused += [(index, "too_new") for index in range(outcome.last, count)]
    return refused


def settled_spans(batch: Batch, refused: list[tuple[int, Reason]]) -> list[Span]:
    """The batch's spans with their fates; each refused event is a span of its own."""
    if not refused:
        return [_settled(span, "delivered") for span in batch.spans]
    spans = []
    rejected = set()
    for index, _ in refused:
        source, start, end = batch.sources[index], batch.starts[index], batch.ends[index]
        spans.append(Span(source, start, end, "rejected"))
        rejected.add((source, start))
    of_end = {(span.source, span.end): span for span in batch.spans}
    for source, start, end in zip(batch.sources, batch.starts, batch.ends, strict=True):
        if (source, start) in rejected:
            continue
        known = of_end.get((source, end))
        last = spans[-1]
        if last.fate == "delivered" and last.source == source and last.end == start:
            start = spans.pop().start
        marker = known.marker if known else (0, 0)
        resume = known.resume if known else None
        spans.append(Span(source, start, end, "delivered", *marker, resume))
    return spans


def _settled(span: BatchSpan, fate: Fate) -> Span:
    return Span(span.source, span.start, span.end, fate, *span.marker, span.resume)

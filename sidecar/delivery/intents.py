"""What is written down before a request."""

from __future__ import annotations

from sidecar.delivery import send_time
from sidecar.model.batch import Batch
from sidecar.model.digest import distinct, pack
from sidecar.model.journal import IntentSent, IntentSpan, Manifest


def intent_of(batch: Batch, now_ms: int, boot: str) -> IntentSent:
    """The entry that says what is about to be sent."""
    events = batch.digest
    return IntentSent(
        batch=batch.number,
        group=batch.key.group,
        stream=batch.key.stream,
        spans=tuple(
            IntentSpan(span.source, span.start, span.end, *span.marker) for span in batch.spans
        ),
        count=batch.count,
        least=batch.least,
        greatest=batch.greatest,
        crc=batch.crc,
        arrival=batch.arrival,
        at_ms=now_ms,
        events=pack(events),
        sources=distinct(events),
        resumes=batch.resumes,
        artifact=None if batch.artifact is None else Manifest(*batch.artifact),
        up_ms=send_time.up_ms(),
        boot=boot,
    )

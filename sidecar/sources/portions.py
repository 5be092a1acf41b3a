"""What is noted of a portion when it was read: what was filtered settles, and all is counted."""

from __future__ import annotations

from collections.abc import Callable

from sidecar.model.fingerprint import Marker
from sidecar.model.journal import Entry, Settled, Span
from sidecar.model.portion import Portion
from sidecar.model.records import NO_TIME, Records
from sidecar.telemetry import Totals

# PutLogEvents refuses events older than 14 days; an hour's margin for the way there.
TOO_OLD_MS = (14 * 24 - 1) * 3600 * 1000


class Portions:
    """Each portion once, before it is delivered."""

    def __init__(self, record: Callable[[Entry], None], totals: Totals) -> None:
        self._record = record
        self._totals = totals

    def note(self, portion: Portion) -> None:
        """What a filter dropped of it will never be sent: it settles now."""
        self._settle_filtered(portion)
        self._count(portion.records)

    def _settle_filtered(self, portion: Portion) -> None:
        records = portion.records
        if not records.filtered:
            return
        spans = []
        for start, end in records.filtered:
            marker = Marker.of(portion.bytes_before(end))
            resume = records.resumes.get(end)
            spans.append(Span(portion.source, start, end, "filtered", *marker, resume))
            self._totals.bytes_filtered += end - start
        self._record(Settled(None, tuple(spans)))

    def _count(self, records: Records) -> None:
        totals = self._totals
        totals.invalid_lines += records.invalid
        totals.broken_json += records.broken_json
        totals.redacted += records.redacted
        totals.lines_split += sum(resume.part == 2 for resume in records.resumes.values())
        for rule, events in records.filtered_events.items():
            totals.count_filtered(rule, events)


def forget_old_times(records: Records, now_ms: int) -> None:
    """`out_of_range: now`: what is too old for CloudWatch gets the arrival time instead."""
    oldest = now_ms - TOO_OLD_MS
    records.timestamps = [NO_TIME if time < oldest else time for time in records.timestamps]

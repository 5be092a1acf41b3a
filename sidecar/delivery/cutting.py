"""Cuts what waits for a stream into batches: within every limit of a request, in order.

Everything here is arithmetic over columns; nothing is sent and no clock is read.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from sidecar.delivery import encode
from sidecar.model.batch import ArtifactVersion, Batch, BatchSpan, StreamKey
from sidecar.model.digest import checksums
from sidecar.model.fingerprint import NO_MARKER, Marker
from sidecar.model.journal import ResumeAt
from sidecar.model.portion import Portion
from sidecar.model.records import NO_TIME

BYTES_PER_EVENT = 36
"""Memory of an event's source, start, end, timestamp and checksum in a batch."""

Number = Callable[[], int]


@dataclass(slots=True)
class _Columns:
    """Records of one cut, in file order."""

    timestamps: list[int] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    spans: list[BatchSpan] = field(default_factory=list)
    resumes: list[ResumeAt] = field(default_factory=list)
    read_at: float = 0.0


def cut(key: StreamKey, portions: deque[Portion], arrival_ms: int, number: Number) -> list[Batch]:
    """One request's worth from the front of the portions: usually one batch.

    Several come out only where the records span more than 24 hours: they are parted by time then,
    each batch chronological. Records without a time get `arrival_ms`, the whole cut the same.
    """
    columns = _take(portions)
    timestamps = columns.timestamps
    timeless = timestamps.count(NO_TIME)
    arrival = timeless == len(timestamps)
    if arrival:
        timestamps = columns.timestamps = [arrival_ms] * timeless
    elif timeless:
        timestamps = [arrival_ms if time == NO_TIME else time for time in timestamps]
        columns.timestamps = timestamps
    ordered = sorted(timestamps)
    if ordered[-1] - ordered[0] <= encode.MAX_SPAN_MS and ordered == timestamps:
        return [_batch(key, columns, number(), arrival=arrival)]
    order = sorted(range(len(timestamps)), key=timestamps.__getitem__)
    return [
        _batch(key, _picked(columns, group), number(), arrival=arrival)
        for group in _parted_by_span(order, timestamps)
    ]


def _take(portions: deque[Portion]) -> _Columns:
    """Take whole portions while they fit, and as much of the next as fits."""
    columns = _Columns(read_at=portions[0].read_at)
    events, room = encode.MAX_EVENTS, encode.MAX_BATCH_BYTES
    while portions and events:
        portion = portions[0]
        records, first = portion.records, portion.taken
        sizes = records.sizes[first : first + events]
        total = encode.batch_bytes(sizes)
        count = len(sizes)
        if total > room:
            costs = list(accumulate(size + encode.EVENT_OVERHEAD for size in sizes))
            count = bisect_right(costs, room)
            total = costs[count - 1] if count else 0
        if count == 0:
            break
        last = first + count
        if last < len(records):
            last = _back_to_a_change(records.timestamps, first, last)
        _append(columns, portion, first, last)
        room -= total
        events -= count
        if last < len(records):
            portion.taken = last
            break
        portions.popleft()
    return columns


def _back_to_a_change(timestamps: Sequence[int], first: int, last: int) -> int:
    """Step back to where the timestamp changes, so that the next batch need not wait for this one.

    Equal timestamps over more than half the cut are not worth it.
    """
    least = first + (last - first) // 2
    change = last
    while change > least and timestamps[change] == timestamps[change - 1] != NO_TIME:
        change -= 1
    return change if change > least else last


def _append(columns: _Columns, portion: Portion, first: int, last: int) -> None:
    records = portion.records
    columns.timestamps += records.timestamps[first:last]
    columns.messages += records.messages[first:last]
    columns.sources += [portion.source] * (last - first)
    starts, ends = records.starts[first:last], records.ends[first:last]
    columns.starts += starts
    columns.ends += ends
    if records.resumes or portion.resume is not None:
        columns.resumes += _resumes(portion, starts, ends)
    if not records.filtered:
        columns.spans.append(_span(portion, starts[0], ends[-1]))
        return
    begin = starts[0]
    for end, following in zip(ends, [*starts[1:], None], strict=True):
        if end != following:
            columns.spans.append(_span(portion, begin, end))
            begin = following if following is not None else end


def _resumes(portion: Portion, starts: Sequence[int], ends: Sequence[int]) -> list[ResumeAt]:
    """Of the offsets that lie inside an over-long line."""
    known = dict(portion.records.resumes)
    if portion.resume is not None:
        known[portion.data_start] = portion.resume
    return [ResumeAt(portion.source, at, known[at]) for at in {*starts, *ends} if at in known]


def _span(portion: Portion, start: int, end: int) -> BatchSpan:
    marker = Marker.of(portion.bytes_before(end))
    return BatchSpan(portion.source, start, end, marker, portion.records.resumes.get(end))


def _parted_by_span(order: Sequence[int], timestamps: Sequence[int]) -> list[list[int]]:
    """Chronological groups of at most 24 hours each."""
    groups: list[list[int]] = []
    least = 0
    for index in order:
        if not groups or timestamps[index] - least > encode.MAX_SPAN_MS:
            groups.append([])
            least = timestamps[index]
        groups[-1].append(index)
    return groups


def _picked(columns: _Columns, order: Sequence[int]) -> _Columns:
    """These records, in this order, with the byte ranges that they alone settle."""
    known = {(span.source, span.end): span for span in columns.spans}
    spans: list[BatchSpan] = []
    for index in sorted(order):
        source, start, end = columns.sources[index], columns.starts[index], columns.ends[index]
        of_end = known.get((source, end))
        marker = of_end.marker if of_end else NO_MARKER
        resume = of_end.resume if of_end else None
        if spans and spans[-1].source == source and spans[-1].end == start:
            start = spans.pop().start
        spans.append(BatchSpan(source, start, end, marker, resume))
    return _Columns(
        timestamps=[columns.timestamps[index] for index in order],
        messages=[columns.messages[index] for index in order],
        sources=[columns.sources[index] for index in order],
        starts=[columns.starts[index] for index in order],
        ends=[columns.ends[index] for index in order],
        spans=spans,
        resumes=columns.resumes,
        read_at=columns.read_at,
    )


def _batch(key: StreamKey, columns: _Columns, number: int, *, arrival: bool) -> Batch:
    body = encode.body(key.group, key.stream, columns.timestamps, columns.messages)
    return Batch(
        number=number,
        key=key,
        body=body,
        count=len(columns.messages),
        least=columns.timestamps[0],
        greatest=columns.timestamps[-1],
        crc=encode.crc(body),
        spans=columns.spans,
        sources=array("q", columns.sources),
        starts=array("q", columns.starts),
        ends=array("q", columns.ends),
        arrival=arrival,
        timestamps=array("q", columns.timestamps),
        crcs=checksums(columns.messages),
        resumes=tuple(columns.resumes),
        read_at=columns.read_at,
        cost=len(body) + BYTES_PER_EVENT * len(columns.messages),
    )


def halves(batch: Batch, number: Number) -> list[Batch]:
    """The batch in two, for a refusal that one event among them may have caused."""
    middle = batch.count // 2
    return [
        part(batch, range(*indexes), number()) for indexes in ((0, middle), (middle, batch.count))
    ]


def part(batch: Batch, indexes: Sequence[int], number: int) -> Batch:
    """A batch of these of its events, with the byte ranges that they alone settle."""
    events = batch.events()
    whole = _Columns(
        timestamps=[timestamp for timestamp, _ in events],
        messages=[message for _, message in events],
        sources=list(batch.sources),
        starts=list(batch.starts),
        ends=list(batch.ends),
        spans=batch.spans,
        resumes=list(batch.resumes),
        read_at=batch.read_at,
    )
    picked = _picked(whole, indexes)
    return _batch(batch.key, picked, number, arrival=batch.arrival)


def manifest_batch(
    key: StreamKey, message: str, version: ArtifactVersion, at_ms: int, number: int
) -> Batch:
    """A batch of one event that settles no bytes, but an artifact."""
    batch = _batch(key, _Columns([at_ms], [message]), number, arrival=False)
    batch.artifact = version
    return batch

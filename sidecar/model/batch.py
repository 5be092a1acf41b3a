"""A batch: what one PutLogEvents request carries, and whose bytes it settles."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Literal, NamedTuple

import orjson

from sidecar.model.digest import Events
from sidecar.model.fingerprint import Marker
from sidecar.model.journal import ResumeAt
from sidecar.model.records import Resume

Reason = Literal["too_old", "expired", "too_new", "invalid"]
"""Why CloudWatch refused an event for good."""


class StreamKey(NamedTuple):
    """A log stream: where batches go, and what is kept in order."""

    group: str
    stream: str


class BatchSpan(NamedTuple):
    """Bytes [start, end) of a source that a batch settles as a whole.

    `marker` is of the bytes before `end` (length 0 where they are not at hand); `resume` says how
    to go on when `end` lies inside an oversize line.
    """

    source: int
    start: int
    end: int
    marker: Marker
    resume: Resume | None


class ArtifactVersion(NamedTuple):
    """The version of an artifact whose manifest a batch carries; `sha256` is "" for a deletion."""

    path: str
    sha256: str
    bytes: int
    modified_ns: int
    inode: int


@dataclass(slots=True)
class Batch:
    """Encoded events of one stream, chronological, within every limit of a request.

    `sources`, `starts` and `ends` name each event's bytes, in the order of the body, so that a
    refusal can be told event by event; for an artifact they are empty. `resumes` are of those
    starts and ends that lie inside an over-long line.
    """

    number: int
    key: StreamKey
    body: bytes
    count: int
    least: int
    greatest: int
    crc: int
    spans: list[BatchSpan]
    sources: array[int]
    starts: array[int]
    ends: array[int]
    arrival: bool
    read_at: float
    cost: int
    timestamps: array[int]
    crcs: array[int]
    resumes: tuple[ResumeAt, ...] = ()
    artifact: ArtifactVersion | None = None
    failures: int = 0
    not_before: float = 0.0
    sent_at: float = 0.0
    """When its request was last handed to a sender, on the pump's clock."""

    @property
    def digest(self) -> Events:
        """What its intent says of each event."""
        return Events(self.timestamps, self.crcs, self.sources, self.starts, self.ends)

    def events(self) -> list[tuple[int, str]]:
        """Its (timestamp, message) pairs, from the body: for refusals, which are rare."""
        events = orjson.loads(self.body)["logEvents"]
        return [(event["timestamp"], event["message"]) for event in events]

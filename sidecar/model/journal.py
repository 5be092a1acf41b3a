"""What a member writes down, an entry a line.

A line is the CRC-32 of its JSON as eight hex digits, a space, the JSON, a line feed. Each line
proves itself, so that one bad line costs itself and no other. Snapshots are made of the same
entries: the fewest that rebuild the ledger.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias, get_args
from zlib import crc32

from sidecar.model import json_text
from sidecar.model.records import Resume

VERSION = 2
"""Of the format. Raised whenever an older sidecar could misread what a newer one writes: one that
knows only 1 would send the ranges of an intent again without asking."""

KNOWS_EVENTS = 2
"""The first version whose intents tell of each event."""

GONE: Final = -1
"""In place of an inode number: the source's file was deleted."""

REPLACED: Final = -2
"""In place of an inode number: the source's file was truncated and holds other content."""

Fate: TypeAlias = Literal["delivered", "rejected", "filtered", "gone"]
FATES: Final[tuple[Fate, ...]] = get_args(Fate)


class CorruptLineError(ValueError):
    """A line that is not what was written: cut, overwritten, or never a journal's."""


class NewerFormatError(ValueError):
    """A header of a later version than this sidecar knows; `version` is the one it found."""

    def __init__(self, version: int) -> None:
        self.version = version
        super().__init__(f"format {version}, this sidecar knows {VERSION}")


class IntentSpan(NamedTuple):
    """Bytes of a source that a request carries; the marker is of the bytes before `end`."""

    source: int
    start: int
    end: int
    marker_length: int = 0
    marker_crc: int = 0


class ResumeAt(NamedTuple):
    """How to go on at an offset that lies inside an over-long line."""

    source: int
    offset: int
    resume: Resume


class Manifest(NamedTuple):
    """The version of an artifact that a request tells of; `version` is "" for a deletion."""

    path: str
    version: str
    bytes: int
    modified_ns: int
    inode: int


class Mark(NamedTuple):
    """A place in a source that was a checkpoint, and the marker of the bytes before it."""

    offset: int
    length: int
    crc: int


class Span(NamedTuple):
    """Bytes of a source whose fate is settled.

    The marker is of the bytes before `end`. `resume` is where an oversize line goes on, for an
    `end` that lies inside one.
    """

    source: int
    start: int
    end: int
    fate: Fate
    marker_length: int = 0
    marker_crc: int = 0
    resume: Resume | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The first entry of every journal and snapshot."""

    member: str
    generation: int
    at_ms: int
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Trailer:
    """The last entry of a snapshot: it is whole when `entries` stand between header and this."""

    entries: int


@dataclass(frozen=True, slots=True)
class SourceClaimed:
    """A source became this member's. Its stream never changes from here on.

    `entry` names the configuration entry, `start` is the offset it is read from.
    """

    source: int
    root: str
    path: str
    inode: int
    group: str
    stream: str
    task: str | None
    entry: int | str
    start: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class TaskKnown:
    """A sidecar of this state directory has or had this task's id."""

    task: str


@dataclass(frozen=True, slots=True)
class SourceMoved:
    """The source's file has another path now.

    With an `inode` it is another file that holds its content from here on: the copy that was made
    before a truncation, or the archive. GONE and REPLACED: none is known, and why.
    """

    source: int
    path: str
    inode: int | None = None


@dataclass(frozen=True, slots=True)
class SourceFingerprinted:
    """More of the source's first bytes are known."""

    source: int
    length: int
    digest: str


@dataclass(frozen=True, slots=True)
class SourceForgotten:
    """The record of the source has expired; its number is not used again."""

    source: int


@dataclass(frozen=True, slots=True)
class SourceCheckpoint:
    """All that is settled of a source: every byte before `acknowledged`, and `beyond`.

    `beyond` holds ranges with the marker and resume of their ends as spans; their fates are
    already among the counts of bytes by fate, and the span's own says nothing. `trail` are earlier
    checkpoints with their markers: a copy may be shorter than what was read.
    """

    source: int
    acknowledged: int
    marker_length: int
    marker_crc: int
    resume: Resume | None
    delivered: int
    rejected: int
    filtered: int
    gone: int
    beyond: tuple[Span, ...]
    trail: tuple[Mark, ...] = ()


@dataclass(frozen=True, slots=True)
class IntentSent:
    """A request is about to be sent; without a later result its outcome is unknown.

    `least` and `greatest` are the events' timestamps, `crc` is of the events, `arrival` says
    that they carry the time of arrival, which nothing but this entry knows.
    `events` (`digest.pack`) tells them one from another, `sources` are the numbers it counts by;
    an intent of the first format has none. `resumes` are of offsets at which an event starts or
    ends inside an over-long line. `at_ms` is by the wall clock, `up_ms` by the clock that runs
    since the boot whose id begins with `boot`.
    """

    batch: int
    group: str
    stream: str
    spans: tuple[IntentSpan, ...]
    count: int
    least: int
    greatest: int
    crc: int
    arrival: bool
    at_ms: int
    events: str = ""
    sources: tuple[int, ...] = ()
    resumes: tuple[ResumeAt, ...] = ()
    artifact: Manifest | None = None
    up_ms: int = 0
    boot: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """The fates of ranges. With a batch, it is that request's result, and closes its intent.

    `stored` says that CloudWatch holds the batch's events, those of lines only where they lie in a
    delivered span. A batch with no spans that is not `stored` was certainly not.
    """

    batch: int | None
    spans: tuple[Span, ...]
    stored: bool = False


@dataclass(frozen=True, slots=True)
class BatchAbandoned:
    """A request of unknown outcome, which was sent again as another: maybe stored twice."""

    batch: int


@dataclass(frozen=True, slots=True)
class BatchStored:
    """In a snapshot: a batch that CloudWatch has acknowledged lately, as its intent told of it."""

    batch: int
    group: str
    stream: str
    least: int
    greatest: int
    count: int
    at_ms: int
    events: str


@dataclass(frozen=True, slots=True)
class HistoryEnds:
    """What the stream holds up to this timestamp is not known event by event any more.

    Without a group it is said of every stream.
    """

    group: str
    stream: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class ArrivalTimeUsed:
    """The newest time of arrival given to an event of the stream."""

    group: str
    stream: str
    timestamp: int


@dataclass(frozen=True, slots=True)
class ArtifactShipped:
    """A version (sha256) of an artifact is in CloudWatch; `bytes` is its size."""

    path: str
    version: str
    bytes: int
    modified_ns: int
    inode: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class ArtifactDeleted:
    """The artifact's deletion was told."""

    path: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class SourceFinished:
    """A rotated source was settled to its end, at `end`, and not longer than since `at_ms`."""

    source: int
    end: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class ArchiveFinished:
    """A finished source was compressed into this file; settled since `at_ms`, as the source was."""

    root: str
    path: str
    inode: int
    bytes: int
    modified_ns: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class ArchiveForgotten:
    """The archive is gone."""

    root: str
    inode: int


@dataclass(frozen=True, slots=True)
class Counted:
    """Numbers that only grow: the next free ones, and events that may be stored twice."""

    next_source: int
    next_batch: int
    possible_duplicates: int


Entry: TypeAlias = (
    Header
    | Trailer
    | TaskKnown
    | SourceClaimed
    | SourceMoved
    | SourceFingerprinted
    | SourceForgotten
    | SourceCheckpoint
    | IntentSent
    | Settled
    | BatchAbandoned
    | BatchStored
    | HistoryEnds
    | ArrivalTimeUsed
    | ArtifactShipped
    | ArtifactDeleted
    | SourceFinished
    | ArchiveFinished
    | ArchiveForgotten
    | Counted
)

_NAMES: Final[dict[type[Entry], str]] = {
    kind: re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower() for kind in get_args(Entry)
}
_KINDS: Final[dict[str, type[Entry]]] = {name: kind for kind, name in _NAMES.items()}


def encode(entry: Entry) -> bytes:
    """The entry's line, with its line feed."""
    fields: dict[str, Any] = {"is": _NAMES[type(entry)]}
    for name in entry.__slots__:
        fields[name] = getattr(entry, name)
    text = json_text.dumps(fields)
    return b"%08x %b\n" % (crc32(text), text)


def decode(line: bytes) -> Entry:
    """The entry of a line, with or without its line feed.

    Raises CorruptLineError for a line that is not whole, and NewerFormatError for the header of a
    version this code does not know.
    """
    text = line.rstrip(b"\n")
    if len(text) < len("00000000 {}") or text[8:9] != b" ":
        raise CorruptLineError("not a journal's line")
    crc, text = text[:8], text[9:]
    if crc != b"%08x" % crc32(text):
        raise CorruptLineError("the checksum does not fit")
    try:
        fields = json_text.loads(text)
        kind = _KINDS[fields.pop("is")]
        if kind is Header and fields["version"] > VERSION:
            raise NewerFormatError(fields["version"])
        for name, convert in _CONVERT.get(kind, {}).items():
            if name in fields:
                fields[name] = convert(fields[name])
        return kind(**fields)
    except NewerFormatError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise CorruptLineError(f"not an entry: {error}") from error


def _marks(values: list[list[int]]) -> tuple[Mark, ...]:
    return tuple(Mark(*value) for value in values)


def _resume(value: list[int] | None) -> Resume | None:
    return None if value is None else Resume(*value)


def _spans(values: list[list[Any]]) -> tuple[Span, ...]:
    return tuple(Span(*value)._replace(resume=_resume(value[-1])) for value in values)


def _intent_spans(values: list[list[int]]) -> tuple[IntentSpan, ...]:
    return tuple(IntentSpan(*value) for value in values)


def _resumes(values: list[list[Any]]) -> tuple[ResumeAt, ...]:
    return tuple(ResumeAt(source, offset, Resume(*resume)) for source, offset, resume in values)


def _manifest(value: list[Any] | None) -> Manifest | None:
    return None if value is None else Manifest(*value)


_CONVERT: Final[dict[type[Entry], dict[str, Callable[[Any], Any]]]] = {
    SourceCheckpoint: {"resume": _resume, "beyond": _spans, "trail": _marks},
    IntentSent: {
        "spans": _intent_spans,
        "sources": tuple,
        "resumes": _resumes,
        "artifact": _manifest,
    },
    Settled: {"spans": _spans},
}

"""One stored batch: 12 bytes an event beside its text, so that millions of events fit."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

from .errors import malformed


class Event(NamedTuple):
    """What was stored: equal to the plain tuple (timestamp, message)."""

    timestamp: int
    message: str


class Piece(NamedTuple):
    """Events [first, last) of a batch become readable at `from_ms`."""

    first: int
    last: int
    from_ms: int


@dataclass(frozen=True)
class Visibility:
    """When which events of a batch can be read; nothing said means at once and for ever."""

    pieces: tuple[Piece, ...] = ()
    dark: tuple[tuple[int, int], ...] = ()

    def ranges(self, count: int, now_ms: int) -> list[tuple[int, int]]:
        """The readable ranges of indexes at `now_ms`, in order."""
        if any(since <= now_ms < until for since, until in self.dark):
            return []
        if not self.pieces:
            return [(0, count)]
        return sorted((p.first, p.last) for p in self.pieces if p.from_ms <= now_ms)


EVERYTHING = Visibility()


@dataclass(eq=False)
class Content:
    """The events of a request, in columns: `sizes` are UTF-8 bytes of each message."""

    timestamps: list[int]
    sizes: list[int]
    text: bytes

    @classmethod
    def of(cls, events: list[object]) -> Content:
        """Takes the parsed `logEvents`; raises SerializationException for other shapes."""
        try:
            timestamps = [event["timestamp"] for event in events]  # type: ignore[index]
            messages = [event["message"] for event in events]  # type: ignore[index]
        except (KeyError, TypeError) as error:
            raise malformed(f"a log event has a timestamp and a message: {error}") from None
        if set(map(type, timestamps)) != {int} or set(map(type, messages)) != {str}:
            raise malformed("a log event's timestamp is a number and its message a string")
        joined = "".join(messages)
        text = joined.encode()
        if len(text) == len(joined):
            sizes = list(map(len, messages))
        else:
            sizes = [len(message.encode()) for message in messages]
        return cls(timestamps, sizes, text)


@dataclass(eq=False)
class Batch:
    """Ordered events of one stream that arrived together."""

    stream: str
    number: int
    stored_at: int
    timestamps: Sequence[int]
    ends: Sequence[int]
    text: bytes
    visibility: Visibility = field(default=EVERYTHING)

    @classmethod
    def of(
        cls,
        content: Content,
        stored: tuple[int, int],
        *,
        stream: str,
        number: int,
        now_ms: int,
        visibility: Visibility,
    ) -> Batch:
        """Keeps the events of the range `stored` of the content."""
        first, last = stored
        begin = sum(content.sizes[:first])
        sizes = content.sizes[first:last]
        return cls(
            stream=stream,
            number=number,
            stored_at=now_ms,
            timestamps=array("q", content.timestamps[first:last]),
            ends=array("I", accumulate(sizes)),
            text=content.text[begin : begin + sum(sizes)],
            visibility=visibility,
        )

    def __len__(self) -> int:
        return len(self.timestamps)

    def size(self, index: int) -> int:
        """UTF-8 bytes of one message."""
        return self.ends[index] - (self.ends[index - 1] if index else 0)

    def message(self, index: int) -> str:
        """The text of one message."""
        return self.text[self.ends[index] - self.size(index) : self.ends[index]].decode()

    def messages(self) -> list[bytes]:
        """All texts in UTF-8, in order, whatever is visible."""
        text = self.text
        return [text[begin:end] for begin, end in pairwise([0, *self.ends])]

    def events(self) -> Iterator[Event]:
        """All of them, in order, whatever is visible."""
        for timestamp, message in zip(self.timestamps, self.messages(), strict=True):
            yield Event(timestamp, message.decode())

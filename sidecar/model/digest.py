"""What an intent says of each of its events: time, checksum and place, packed into text.

With it CloudWatch's answer can be compared without the files: they may be gone, rewritten or read
by other rules after a restart. A CRC-32 beside the timestamp is enough, because events are counted
and not looked up: what CloudWatch holds of one key, less what was acknowledged under it, is how
many of the unknown ones are stored, whichever texts share the key.
"""

from __future__ import annotations

import re
import zlib
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import sub

_LEVEL = 1
"""Of compression: what compresses does so at any level."""

_KEY_SHIFT = 32
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def checksum(message: str) -> int:
    """Of a message as CloudWatch shows it again."""
    try:
        return zlib.crc32(message.encode())
    except UnicodeEncodeError:
        return zlib.crc32(_LONE_SURROGATE.sub("\N{REPLACEMENT CHARACTER}", message).encode())


def checksums(messages: Sequence[str]) -> array[int]:
    """Of each message."""
    crc32 = zlib.crc32
    try:
        return array("I", [crc32(message.encode()) for message in messages])
    except UnicodeEncodeError:
        return array("I", [checksum(message) for message in messages])


def key(timestamp: int, crc: int) -> int:
    """What stands for an event when events are counted."""
    return timestamp << _KEY_SHIFT | crc


@dataclass(frozen=True, slots=True)
class Events:
    """The events of a request in the order of its body; without places for an artifact's."""

    timestamps: array[int]
    crcs: array[int]
    sources: array[int]
    starts: array[int]
    ends: array[int]

    def __len__(self) -> int:
        return len(self.crcs)

    @property
    def keys(self) -> list[int]:
        return [
            time << _KEY_SHIFT | crc for time, crc in zip(self.timestamps, self.crcs, strict=True)
        ]

    @property
    def places(self) -> Iterator[tuple[int, int, int]]:
        """Source, start and end of each."""
        return zip(self.sources, self.starts, self.ends, strict=True)

    def picked(self, indexes: Sequence[int]) -> Events:
        """Only these."""
        return Events(
            array("q", [self.timestamps[i] for i in indexes]),
            array("I", [self.crcs[i] for i in indexes]),
            *(
                array("q", [column[i] for i in indexes] if column else [])
                for column in (self.sources, self.starts, self.ends)
            ),
        )


def pack(events: Events) -> str:
    """As text for the journal, about seven characters an event.

    Sources are written by their place among the distinct ones, which `unpack` has to be given in
    the same order: a take-over gives them new numbers.
    """
    order = {number: place for place, number in enumerate(distinct(events))}
    columns = [
        array("I", map(sub, events.timestamps, repeat(events.timestamps[0]))),
        array("H", map(order.__getitem__, events.sources)),
        # An event mostly begins where the one before it ended.
        array("q", map(sub, events.starts, chain((0,), events.ends))),
        array("I", map(sub, events.ends, events.starts)),
    ]
    compressed = zlib.compress(b"".join(column.tobytes() for column in columns), _LEVEL)
    # Checksums do not compress.
    return b64encode(events.crcs.tobytes() + compressed).decode("ascii")


def unpack(text: str, base: int, count: int, sources: Sequence[int]) -> Events:
    """The events again; `base` is the least timestamp. Raises ValueError when it does not fit."""
    crcs, times = array("I"), array("I")
    places, steps, lengths = array("H"), array("q"), array("I")
    content = b64decode(text)
    size = crcs.itemsize * count
    crcs.frombytes(content[:size])
    try:
        content = zlib.decompress(content[size:])
    except zlib.error as error:
        raise ValueError(f"not the events of an intent: {error}") from error
    columns: list[array[int]] = [times, places, steps, lengths]
    for column in columns:
        size = column.itemsize * count
        column.frombytes(content[:size])
        content = content[size:]
    if len(crcs) != count or len(times) != count or len(places) not in (0, count):
        raise ValueError("not as many events as the intent says")
    starts, ends = array("q"), array("q")
    before = 0
    for step, length in zip(steps, lengths, strict=True):
        starts.append(before + step)
        before += step + length
        ends.append(before)
    numbers = array("q", [sources[place] for place in places])
    return Events(array("q", [base + time for time in times]), crcs, numbers, starts, ends)


def distinct(events: Events) -> tuple[int, ...]:
    """The sources of the events, each once, in the order of their first."""
    return tuple(dict.fromkeys(events.sources))

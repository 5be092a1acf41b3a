"""Two multisets of messages, compared in bounded memory.

Expected and held are taken in side by side, and what is in both cancels out at once; so a stream
whose order is the files' needs room for its differences alone. Hashes stand for the texts: 64 bits
with a key that is new in each process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sidecar.model.records import NO_TIME

Hashes = list[int]


class Chunk(NamedTuple):
    """Hashes of messages in order; `time` is the first one's timestamp or NO_TIME."""

    time: int
    hashes: Hashes


def hash_of(message: str) -> int:
    """What stands for a message.

    NULs at its start say nothing: the sidecar skips a run that stays, and ships one that was there
    when a file ended.
    """
    if message[0] == "\0":
        message = message.lstrip("\0") or " "
    return hash(message)


def difference(expected: Iterable[Chunk], held: Iterable[Chunk]) -> tuple[Counts, Counts]:
    """What is expected and not held, and what is held and not expected, with how often."""
    counts: Counts = {}
    files, stream = iter(expected), iter(held)
    ours, theirs = next(files, None), next(stream, None)
    taken = 0
    while ours is not None or theirs is not None:
        if theirs is None or (ours is not None and _is_behind(ours, theirs, taken)):
            assert ours is not None
            _count(counts, ours.hashes, 1)
            taken += len(ours.hashes)
            ours = next(files, None)
        else:
            _count(counts, theirs.hashes, -1)
            taken -= len(theirs.hashes)
            theirs = next(stream, None)
    missing = {each: count for each, count in counts.items() if count > 0}
    surplus = {each: -count for each, count in counts.items() if count < 0}
    return missing, surplus


Counts = dict[int, int]


def _is_behind(ours: Chunk, theirs: Chunk, taken: int) -> bool:
    """Are the files to be read next? By time, or by how much was taken of each."""
    if ours.time == NO_TIME:
        return taken <= 0
    return ours.time <= theirs.time


def _count(counts: Counts, hashes: Hashes, by: int) -> None:
    for each in hashes:
        count = counts.get(each, 0) + by
        if count:
            counts[each] = count
        else:
            del counts[each]


def merged(sources: Iterable[Iterator[Chunk]]) -> Iterator[Chunk]:
    """The chunks of several files, by time; what has none comes first, file after file."""
    waiting: list[tuple[Chunk, Iterator[Chunk]]] = []
    for source in sources:
        chunk = next(source, None)
        if chunk is not None:
            waiting.append((chunk, source))
    while waiting:
        at = min(range(len(waiting)), key=lambda index: waiting[index][0].time)
        chunk, source = waiting[at]
        yield chunk
        following = next(source, None)
        if following is None:
            del waiting[at]
        else:
            waiting[at] = (following, source)

"""Was each line shipped once, in its stream, in order?"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence


def complaints(
    written: Mapping[str, Sequence[str]], stored: Mapping[str, Sequence[str]]
) -> list[str]:
    """What is wrong, a sentence each, stream by stream; nothing where all is well."""
    streams = sorted({*written, *stored})
    return [
        f"{stream}: {complaint}"
        for stream in streams
        for complaint in _of_one(written.get(stream, ()), stored.get(stream, ()))
    ]


def _of_one(written: Sequence[str], stored: Sequence[str]) -> Iterator[str]:
    expected, found = dict.fromkeys(written), dict.fromkeys(stored)
    lost = Counter(written) - Counter(stored)
    more = Counter(stored) - Counter(written)
    strange = {line: times for line, times in more.items() if line not in expected}
    twice = {line: times for line, times in more.items() if line not in strange}
    for what, lines in (("lost", lost), ("twice", twice), ("never written here", strange)):
        if lines:
            yield f"{sum(lines.values())} {what}, first {next(iter(lines))!r}"
    kept = [line for line in expected if line in found]
    came = [line for line in found if line in expected]
    for due, here in zip(kept, came, strict=True):
        if due != here:
            yield f"out of order from {here!r}, where {due!r} should be"
            break

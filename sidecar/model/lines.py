"""Lines out of bytes: cut at line feeds, decoded, in columns."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import accumulate

from sidecar.model.text import Encoding


@dataclass
class Lines:
    """Complete lines in file order. Line i is the bytes ``[bounds[i], bounds[i + 1])``."""

    texts: list[str] = field(default_factory=list)
    """Without line ends."""
    sizes: list[int] = field(default_factory=list)
    """UTF-8 bytes of each text."""
    bounds: list[int] = field(default_factory=list)
    """Offsets in the source, one more than there are lines."""
    invalid: list[int] = field(default_factory=list)
    """Indexes of the lines with invalid bytes."""

    def __len__(self) -> int:
        return len(self.texts)


def cut(encoding: Encoding, block: bytes, start: int) -> Lines:
    """The lines of ``block``, which lies at ``start`` and ends with a line feed or is empty."""
    if not block:
        return Lines(bounds=[start])
    if not encoding.holds_ascii:
        return _cut_line_by_line(encoding, block, start)
    ascii_only = block.isascii()
    if not ascii_only and encoding.name != "utf-8":
        return _cut_line_by_line(encoding, block, start)
    try:
        text = block.decode()
    except UnicodeDecodeError:
        return _cut_line_by_line(encoding, block, start)
    returns = block.count(b"\r\n") if b"\r" in block else 0
    if returns and returns != block.count(b"\n"):
        return _cut_line_by_line(encoding, block, start)
    line_end = "\r\n" if returns else "\n"
    texts = text.split(line_end)
    texts.pop()
    if ascii_only:
        sizes = list(map(len, texts))
    else:
        sizes = list(map(len, block.split(line_end.encode())))
        sizes.pop()
    step = len(line_end).__add__
    return Lines(texts, sizes, list(accumulate(map(step, sizes), initial=start)))


def _cut_line_by_line(encoding: Encoding, block: bytes, start: int) -> Lines:
    lines = Lines(bounds=[start])
    at = 0
    while at < len(block):
        end = encoding.next_line_end(block, at, start)
        append(lines, encoding, block[at:end], start + end)
        at = end
    return lines


def leave_out_nuls(lines: Lines, limit: int) -> int:
    """Take the NULs before each line, a hole in the file, out of its text; gives how many.

    Lines longer than ``limit`` keep theirs: their parts are decided before their end is known.
    """
    left_out = 0
    for index, text in enumerate(lines.texts):
        if text.startswith("\0") and lines.sizes[index] <= limit:
            rest = text.lstrip("\0")
            lines.texts[index] = rest
            lines.sizes[index] -= len(text) - len(rest)
            left_out += len(text) - len(rest)
    return left_out


def append(lines: Lines, encoding: Encoding, raw: bytes, end: int) -> None:
    """Append the line ``raw``, line end included if it has one, which ends at ``end``."""
    text, valid = encoding.decode(without_line_end(encoding, raw))
    if not valid:
        lines.invalid.append(len(lines.texts))
    lines.texts.append(text)
    lines.sizes.append(len(text.encode()))
    lines.bounds.append(end)


def without_line_end(encoding: Encoding, raw: bytes) -> bytes:
    """``raw`` without its line feed, and the carriage return before that."""
    # In an unended line the halves of two code units may look like a line feed.
    if not raw.endswith(encoding.line_feed) or len(raw) % encoding.unit:
        return raw
    return raw[: -encoding.unit].removesuffix(encoding.carriage_return)

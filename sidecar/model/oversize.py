"""Lines longer than an event may be: parts that can be joined again.

The parts of a line are decided by its bytes alone, never by how they arrived: a restart between
two of them, or other reads, give the same parts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from sidecar.model.filters import Filters
from sidecar.model.text import Encoding, cut_to


def line_id(stream: str, line_start: int) -> str:
    """What the parts of a line have in common: 12 hex digits of sha256 of ``STREAM:OFFSET``.

    The offset, in decimal, is that of the line's first byte in its source.
    """
    return hashlib.sha256(f"{stream}:{line_start}".encode()).hexdigest()[:12]


def prefix(part: int, identifier: str, *, last: bool) -> str:
    """What stands before a part's piece of the line."""
    return f"[part {part}, last, of {identifier}] " if last else f"[part {part} of {identifier}] "


@dataclass(frozen=True)
class Piece:
    """The next piece of a long line: ``length`` of its bytes, and what is shipped for them."""

    text: str
    """As it stands in the line; what filters and times look at."""
    body: str
    """Redacted; what is shipped."""
    length: int
    last: bool
    lost: bool = False
    """Nothing behind this piece can be shipped without undoing a redaction."""


def next_piece(
    encoding: Encoding, raw: bytes, room: int, filters: Filters, *, lookahead: int, final: bool
) -> Piece | None:
    """The piece at the beginning of ``raw``, at most ``room`` bytes of UTF-8; None: need more.

    ``raw`` is what is known of the rest of the line, without its line end, and ``final`` says
    whether that is all of it. With redactions the piece ends only where cutting hides as much
    as the whole line's redaction would (as far as ``lookahead`` bytes behind it show); if there is
    no such place the piece is the last, and what follows belongs to a finding without end.
    """
    text, length, more = encoding.prefix(raw, room, final=final)
    if not more:
        if not final:
            return None
        return Piece(text, filters.redact_within(text, room), length, last=True)
    if not filters.redactions:
        return Piece(text, text, length, last=False)
    seen = raw[length : length + lookahead]
    if len(seen) < lookahead and not final:
        return None
    ahead, _, _ = encoding.prefix(seen, 4 * lookahead, final=False)
    at = filters.seam(text + ahead, len(text))
    if at is None:
        body = cut_to(filters.redact_within(text + ahead, 4 * len(text + ahead)), room)
        return Piece(text, body, length, last=True, lost=True)
    if at < len(text):
        text, length, _ = encoding.prefix(raw, len(text[:at].encode()), final=final)
    return Piece(text, filters.redact_within(text, room), length, last=False)

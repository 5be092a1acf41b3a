"""Records: what the assembler makes of a source's bytes, in columns.

Columns because a tuple a line costs more than the line: a batch takes slices of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

NO_TIME = -1
"""The record carries no time of its own; whoever batches it gives it the arrival time."""


class Resume(NamedTuple):
    """Where a checkpoint stands inside a line that is longer than an event may be."""

    line_start: int
    """Byte offset at which the line begins; with the stream it makes the parts' ID."""
    part: int
    """Number of the next part, from 2; 0 when the rest of the line is filtered out."""
    timestamp: int
    """The one timestamp all parts carry, or NO_TIME."""
    arrival: int = NO_TIME
    """When the first part was made, in ms: the time of all parts of a line that has none, though
    they travel in several batches."""


@dataclass
class Records:
    """Records of one feed, in file order.

    Record i is ``messages[i]`` with ``timestamps[i]``, made of the bytes
    ``[starts[i], ends[i])`` of its source, line end included. Every byte from where the feed
    began up to ``consumed`` is in exactly one record or one filtered range.
    """

    consumed: int
    timestamps: list[int] = field(default_factory=list)
    """Milliseconds since the epoch, or NO_TIME."""
    messages: list[str] = field(default_factory=list)
    """Never empty, no lone surrogates."""
    starts: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    """UTF-8 bytes of each message."""
    resumes: dict[int, Resume] = field(default_factory=dict)
    """For an end (of a record or of a filtered range) inside an over-long line."""
    filtered: list[tuple[int, int]] = field(default_factory=list)
    """Ranges settled without an event, in order, neighbours joined."""
    filtered_events: dict[str, int] = field(default_factory=dict)
    """Events not shipped, by the rule that stopped them: keep, drop, empty or redact."""
    invalid: int = 0
    """Lines with bytes that are not valid in their encoding."""
    broken_json: int = 0
    """Lines that begin as a JSON object and are none."""
    nuls: int = 0
    """NULs before lines, which no message holds."""
    redacted: int = 0
    """Records that a redaction changed."""

    def __len__(self) -> int:
        return len(self.messages)

    def add(self, timestamp: int, message: str, start: int, end: int, size: int) -> None:
        """Append one record."""
        self.timestamps.append(timestamp)
        self.messages.append(message)
        self.starts.append(start)
        self.ends.append(end)
        self.sizes.append(size)

    def cut_after(self, end: int) -> None:
        """Leave out the records that end after this offset."""
        count = sum(each <= end for each in self.ends)
        for column in (self.timestamps, self.starts, self.ends, self.sizes):
            del column[count:]
        del self.messages[count:]
        self.filtered = [each for each in self.filtered if each[1] <= end]

    def settle(self, start: int, end: int, reason: str | None = None) -> None:
        """Append a range that becomes no event; counted under ``reason`` if one is given."""
        if reason is not None:
            self.count_filtered(reason)
        if self.filtered and self.filtered[-1][1] == start:
            self.filtered[-1] = (self.filtered[-1][0], end)
        else:
            self.filtered.append((start, end))

    def count_filtered(self, reason: str) -> None:
        """Count one event that is not shipped (or, for redact, not to its end)."""
        self.filtered_events[reason] = self.filtered_events.get(reason, 0) + 1

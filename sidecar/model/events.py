"""From lines to records: filters, times, redaction, in this order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.filters import Filters
from sidecar.model.lines import Lines
from sidecar.model.records import NO_TIME, Records
from sidecar.model.timestamps import times_for


class Events:
    """Appends records to a feed's; knows the time of the one before."""

    def __init__(self, rules: AssemblyRules, previous: int) -> None:
        self.now_ms = 0
        self.filters = Filters(rules.keep, rules.drop, rules.redact)
        self._limit = rules.max_event_bytes
        self._most_empty = 1 if rules.multiline is None else rules.multiline.max_lines
        self._drops_empty = rules.empty_lines == "drop"
        self._times = times_for(rules)
        self.previous = previous
        """The timestamp of the last record."""

    def ship_lines(self, records: Records, found: Lines, first: int, last: int) -> None:
        """Append the lines ``[first, last)`` as a record each."""
        records.invalid += _within(found.invalid, first, last)
        self._ship(
            records,
            found.texts[first:last],
            None,
            found.bounds[first:last],
            found.bounds[first + 1 : last + 1],
            found.sizes[first:last],
        )

    def ship_groups(self, records: Records, found: Lines, firsts: Sequence[int]) -> None:
        """Append the groups that begin at ``firsts``, up to its last, as a record each."""
        records.invalid += _within(found.invalid, firsts[0], firsts[-1])
        texts, sizes, bounds = found.texts, found.sizes, found.bounds
        spans = list(pairwise(firsts))
        messages = ["\n".join(texts[first:last]) for first, last in spans]
        # A group's time is its first line's, unless that only opens a JSON object.
        heads = [
            message if texts[first].startswith("{") else texts[first]
            for message, first in zip(messages, firsts, strict=False)
        ]
        self._ship(
            records,
            messages,
            heads,
            [bounds[first] for first in firsts[:-1]],
            [bounds[last] for last in firsts[1:]],
            [sum(sizes[first:last]) + last - first - 1 for first, last in spans],
        )

    def time_of_long(self, head: str) -> int:
        """The timestamp of all parts of a line that begins with ``head``."""
        time = self._times.head(head, self.now_ms)
        if time != NO_TIME:
            self.previous = time
        return self.previous

    def redacted(self, records: Records, text: str, body: str) -> str:
        """What is shipped where redaction made ``body`` of ``text``: counted, never empty."""
        if body != text:
            records.redacted += 1
        return body or " "

    def _ship(
        self,
        records: Records,
        messages: list[str],
        heads: list[str] | None,
        starts: list[int],
        ends: list[int],
        sizes: list[int],
    ) -> None:
        if 0 in sizes and not self._drops_empty:
            messages = [message or " " for message in messages]
            sizes = [size or 1 for size in sizes]
        refused = self._refused(messages, sizes)
        if refused:
            for index in sorted(refused):
                records.settle(starts[index], ends[index], refused[index])
            kept = [index for index in range(len(messages)) if index not in refused]
            messages = [messages[i] for i in kept]
            heads = None if heads is None else [heads[i] for i in kept]
            starts = [starts[i] for i in kept]
            ends = [ends[i] for i in kept]
            sizes = [sizes[i] for i in kept]
        records.timestamps.extend(self._timed(records, messages if heads is None else heads))
        if self.filters.redactions:
            redact, limit = self.filters.redact_within, self._limit
            messages = [self.redacted(records, text, redact(text, limit)) for text in messages]
            sizes = [len(message.encode()) for message in messages]
        records.messages.extend(messages)
        records.starts.extend(starts)
        records.ends.extend(ends)
        records.sizes.extend(sizes)

    def _refused(self, messages: Sequence[str], sizes: Sequence[int]) -> dict[int, str]:
        refused = self.filters.refusals(messages)
        if self._drops_empty and min(sizes) < self._most_empty:
            # A group of empty lines is all line feeds.
            empty = [i for i, message in enumerate(messages) if not message.strip("\n")]
            refused.update(dict.fromkeys(empty, "empty"))
        return refused

    def _timed(self, records: Records, heads: list[str]) -> list[int]:
        broken = self._times.broken
        times = self._times.read(heads, self.now_ms)
        records.broken_json += self._times.broken - broken
        if not times:
            return times
        timeless = times.count(NO_TIME)
        if timeless == len(times):
            return [self.previous] * timeless
        if timeless:
            previous = self.previous
            for index, time in enumerate(times):
                if time == NO_TIME:
                    times[index] = previous
                else:
                    previous = time
        self.previous = times[-1]
        return times


def _within(indexes: list[int], first: int, last: int) -> int:
    return sum(1 for index in indexes if first <= index < last) if indexes else 0

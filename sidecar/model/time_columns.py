"""ISO 8601 times that stand in the same columns of many texts: read without a pattern each.

It answers only where the answer cannot differ from the first of the forms; everything else is
left to them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import tzinfo
from typing import Self

from sidecar.model.form_times import CACHED, NEVER
from sidecar.model.time_forms import ISO_LINE_HEAD, ISO_VALUE_HEAD, LINE_FORMS, iso_second

MILLISECONDS = len(".123")

# What ends a time at a line's beginning whatever follows it: neither digit nor letter, and
# nothing that a fraction or a zone could begin with.
ENDS = frozenset(' ]"|;\t')
# After a space a zone may follow.
BEGINS_ZONE = "+-ZzUG"

_LINE = re.compile(LINE_FORMS[0].source, re.ASCII)
_LINE_HEAD = re.compile(ISO_LINE_HEAD, re.ASCII)
_VALUE_HEAD = re.compile(ISO_VALUE_HEAD, re.ASCII)
_VALUE = re.compile(rf"{ISO_VALUE_HEAD}(?:[.,](\d+))?((?:[Zz]|[+-]\d\d(?::?\d\d)?)?)\Z", re.ASCII)
_FRACTION = re.compile(r"[.,](\d{1,3})", re.ASCII)


class _Heads(dict[str, int]):
    """Milliseconds of texts up to the second, with one zone; NEVER where there is no time."""

    def __init__(self, pattern: re.Pattern[str], offset: str, zone: tzinfo | None) -> None:
        super().__init__()
        self._pattern = pattern
        self._offset = offset
        self._zone = zone

    def __missing__(self, head: str) -> int:
        if len(self) >= CACHED:
            self.clear()
        found = self._pattern.fullmatch(head)
        time = None if found is None else iso_second(found[1], self._offset, 0, self._zone)
        milliseconds = self[head] = NEVER if time is None else time
        return milliseconds


class _Fractions(dict[str, int]):
    """Milliseconds of a separator and up to three digits; NEVER where it is anything else."""

    def __missing__(self, text: str) -> int:
        if len(self) >= CACHED:
            self.clear()
        found = _FRACTION.fullmatch(text)
        milliseconds = NEVER if found is None else int(found[1].ljust(3, "0"))
        self[text] = milliseconds
        return milliseconds


class TimeColumns:
    """Where the parts of a time stand, learned from one text that has it."""

    def __init__(
        self,
        pattern: re.Pattern[str],
        ends: tuple[int, int, int | None],
        tail: str,
        offset: str,
        zone: tzinfo | None,
    ) -> None:
        self._second_end, self._fraction_end, self._tail_end = ends
        self._tail = tail
        self._heads = _Heads(pattern, offset, zone)
        self._fractions = _Fractions()
        self._zone_may_follow = not offset and tail == " "

    @classmethod
    def of_line(cls, text: str, zone: tzinfo | None) -> Self | None:
        """The columns of the time at the beginning of ``text``; None where it has none such."""
        found = _LINE.match(text)
        if found is None or text[found.end() : found.end() + 1] not in ENDS:
            return None
        fraction_end = found.start(3)
        ends = found.end(1), fraction_end, found.end() + 1
        return cls(_LINE_HEAD, ends, text[fraction_end : ends[2]], found[3], zone)

    @classmethod
    def of_value(cls, text: str, zone: tzinfo | None) -> Self | None:
        """The columns of the time that ``text`` is; None where it is none such."""
        found = _VALUE.match(text)
        if found is None:
            return None
        return cls(_VALUE_HEAD, (found.end(1), found.start(3), None), found[3], found[3], zone)

    def read(self, texts: Sequence[str]) -> list[int] | None:
        """Milliseconds of each text, below 0 where it needs a closer look; None: all do."""
        a, b, c = self._second_end, self._fraction_end, self._tail_end
        tail, heads, fractions = self._tail, self._heads, self._fractions
        if self._zone_may_follow and c is not None:
            after = {text[c : c + 1] for text in texts}
            if not after.isdisjoint(BEGINS_ZONE):
                return None
        if a == b:
            return [heads[text[:a]] if text[b:c] == tail else NEVER for text in texts]
        if b - a <= MILLISECONDS:
            return [
                heads[text[:a]] + fractions[text[a:b]] if text[b:c] == tail else NEVER
                for text in texts
            ]
        d = a + MILLISECONDS
        return [
            heads[text[:a]] + fractions[text[a:d]]
            if text[b:c] == tail and text[d:b].isdecimal() and text[d:b].isascii()
            else NEVER
            for text in texts
        ]

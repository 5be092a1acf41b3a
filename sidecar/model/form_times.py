"""Times in known forms, one text at a time or a block of texts at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import tzinfo

from sidecar.model.records import NO_TIME
from sidecar.model.time_forms import DAY_MS, Form

CACHED = 8192
"""Times kept in a cache at most; then it begins anew."""

NEVER = -(10**18)


class _Fractions(dict[str, int]):
    """Milliseconds of the digits behind a decimal point, further ones cut off."""

    def __missing__(self, digits: str) -> int:
        if len(self) >= CACHED:
            self.clear()
        milliseconds = self[digits] = int(digits[:3].ljust(3, "0"))
        return milliseconds


class _Seconds(dict[tuple[str, str], int]):
    """Milliseconds of (time down to the second, the rest) in one form; NEVER where invalid."""

    def __init__(self, form: Form, zone: tzinfo | None) -> None:
        super().__init__()
        self._form = form
        self._zone = zone
        self._now_ms = 0

    def at(self, now_ms: int) -> _Seconds:
        """Itself, for use at ``now_ms``: a form without a year depends on the day."""
        if now_ms // DAY_MS != self._now_ms // DAY_MS or len(self) >= CACHED:
            self.clear()
        self._now_ms = now_ms
        return self

    def __missing__(self, key: tuple[str, str]) -> int:
        found = self._form.second(key[0], key[1], self._now_ms, self._zone) if key[0] else None
        milliseconds = self[key] = NEVER if found is None else found
        return milliseconds


class FormTimes:
    """Times written in one of several forms. ``shape`` is the form's place in a text."""

    def __init__(self, forms: Sequence[Form], shape: str, zone: tzinfo | None) -> None:
        sources = [form.source for form in forms]
        whole = "$" in shape
        self._one = [re.compile(rf"(?:{s})\Z" if whole else s, re.ASCII) for s in sources]
        self._each = [re.compile("^" + shape % s, re.ASCII | re.MULTILINE) for s in sources]
        self._any = [re.compile(f"^(?:{s})", re.ASCII | re.MULTILINE) for s in sources]
        self._exclusive = whole
        self._seconds = [_Seconds(form, zone) for form in forms]
        self._fractions = _Fractions({"": 0})
        self._learned = 0

    def one(self, text: str, now_ms: int) -> int:
        """The time of ``text``: that of the first form that fits it, NO_TIME without one."""
        for index, pattern in enumerate(self._one):
            found = pattern.match(text)
            if found is not None:
                second, fraction, rest = found.groups("")
                time = self._seconds[index].at(now_ms)[second, rest]
                if time == NEVER:
                    return NO_TIME
                self._learned = index
                return time + self._fractions[fraction]
        return NO_TIME

    def each(self, texts: Sequence[str], now_ms: int) -> list[int] | None:
        """The time of each text, below 0 where the form last seen does not give one.

        None where that form cannot answer for all of them at once.
        """
        joined = "\n".join(texts)
        learned = self._learned
        # A text that an earlier form fits is read in that one.
        if not self._exclusive and any(form.search(joined) for form in self._any[:learned]):
            return None
        found = self._each[learned].findall(joined)
        if len(found) != len(texts) or joined.count("\n") != len(texts) - 1:
            return None
        seconds, fractions = self._seconds[learned].at(now_ms), self._fractions
        return [seconds[second, rest] + fractions[digits] for second, digits, rest in found]

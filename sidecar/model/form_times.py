"""Times in known forms, by regular expression."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import tzinfo

from sidecar.model.records import NO_TIME
from sidecar.model.time_forms import DAY_MS, Form

CACHED = 8192
"""Times kept in a cache at most; then it begins anew."""

NEVER = -(10**18)
"""In caches: no valid time, and none after a fraction is added."""


class Seconds(dict[tuple[str, str], int]):
    """Milliseconds of (time down to the second, the rest) in one form; NEVER where invalid."""

    def __init__(self, form: Form, zone: tzinfo | None) -> None:
        super().__init__()
        self._form = form
        self._zone = zone
        self._now_ms = 0

    def at(self, now_ms: int) -> Seconds:
        """Itself, for use at ``now_ms``: a form without a year depends on the day."""
        if now_ms // DAY_MS != self._now_ms // DAY_MS or len(self) >= CACHED:
            self.clear()
        self._now_ms = now_ms
        return self

    def __missing__(self, key: tuple[str, str]) -> int:
        found = self._form.second(key[0], key[1], self._now_ms, self._zone)
        milliseconds = self[key] = NEVER if found is None else found
        return milliseconds


class FormTimes:
    """Times written in one of several forms: at the beginning of a text, or as the whole."""

    def __init__(self, forms: Sequence[Form], zone: tzinfo | None, *, whole: bool) -> None:
        self._forms = [
            (
                re.compile(rf"(?:{form.source})\Z" if whole else form.source, re.ASCII),
                Seconds(form, zone),
            )
            for form in forms
        ]

    def one(self, text: str, now_ms: int) -> int:
        """The time of ``text``: that of the first form that fits it, NO_TIME without one."""
        for pattern, seconds in self._forms:
            found = pattern.match(text)
            if found is not None:
                second, digits, rest = found.groups("")
                time = seconds.at(now_ms)[second, rest]
                if time == NEVER:
                    return NO_TIME
                return time + int(digits[:3].ljust(3, "0")) if digits else time
        return NO_TIME

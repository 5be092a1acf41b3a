"""Times that a user's expression finds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from sidecar.model.assembly_rules import TimePattern
from sidecar.model.form_times import CACHED
from sidecar.model.records import NO_TIME
from sidecar.model.time_forms import DAY_MS, nearest_year, number_ms


class PatternTimes:
    """Times that the user's expression finds, read with the user's format."""

    broken = 0

    def __init__(self, rule: TimePattern, zone: tzinfo | None) -> None:
        self._search = rule.pattern.search
        # Fluent Bit's and Vector's names for a fraction and for seconds since the epoch.
        self._format = rule.format.replace("%L", "%f")
        self._epoch = self._format in ("%s", "%s.%f")
        self._has_year = any(d in self._format for d in ("%Y", "%y", "%G", "%c", "%x"))
        self._zone = zone
        self._cache: dict[str, int] = {}
        self._day = 0

    def read(self, texts: Sequence[str], now_ms: int) -> list[int]:
        """The time of each text."""
        return [self.head(text, now_ms) for text in texts]

    def head(self, text: str, now_ms: int) -> int:
        """The time that is found in ``text``."""
        found = self._search(text)
        if found is None:
            return NO_TIME
        stamp = found[1] if found.re.groups else found[0]
        if not stamp:
            return NO_TIME
        if now_ms // DAY_MS != self._day or len(self._cache) >= CACHED:
            self._cache.clear()
            self._day = now_ms // DAY_MS
        time = self._cache.get(stamp)
        if time is None:
            read = self._read(stamp, now_ms)
            time = self._cache[stamp] = NO_TIME if read is None else read
        return time

    def _read(self, stamp: str, now_ms: int) -> int | None:
        if self._epoch:
            try:
                return number_ms(int(stamp) if stamp.isdecimal() else float(stamp))
            except ValueError:
                return None
        # strptime reads microseconds at most.
        stamp = re.sub(r"([.,]\d{6})\d+", r"\1", stamp)
        if self._has_year:
            return self._strptime(stamp, self._format)
        return nearest_year(
            now_ms, lambda year: self._strptime(f"{year} {stamp}", f"%Y {self._format}"), self._zone
        )

    def _strptime(self, stamp: str, form: str) -> int | None:
        try:
            moment = datetime.strptime(stamp, form)
            if moment.tzinfo is None:
                named = "%Z" in form and ("UTC" in stamp or "GMT" in stamp)
                moment = moment.replace(tzinfo=UTC if named else self._zone)
            seconds = moment.replace(microsecond=0).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
        return round(seconds) * 1000 + moment.microsecond // 1000 if seconds >= 0 else None

"""The time of each line, by the source's rule.

A line's time is a function of its text, the zone and the day: what was read before changes only
how fast it is found. Blocks in which all lines look alike are read with a few calls over the
whole block; every other line goes through ``one``, which is the definition.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from typing import Protocol

import orjson

from sidecar.model.assembly_rules import AssemblyRules, TimeKey, TimePattern
from sidecar.model.form_times import FormTimes
from sidecar.model.json_head import top_level_values
from sidecar.model.pattern_times import PatternTimes
from sidecar.model.records import NO_TIME
from sidecar.model.time_columns import TimeColumns
from sidecar.model.time_forms import LINE_FORMS, VALUE_FORMS, number_ms

JSON_KEYS = ("timestamp", "time", "ts", "@timestamp")
JSON_SPACE = " \t\r\n"

BLOCK = 256
"""Lines read at once: so many fall back to one by one where one of them is unlike the others."""


class Times(Protocol):
    """Reads the times of a source's lines. ``broken`` counts the lines of broken JSON so far."""

    broken: int

    def read(self, texts: Sequence[str], now_ms: int) -> list[int]:
        """Milliseconds for each text, NO_TIME where it has none."""

    def head(self, text: str, now_ms: int) -> int:
        """The time of a line of which ``text`` is only the beginning."""


def times_for(rules: AssemblyRules) -> Times:
    """The reader for ``rules.timestamp``."""
    if isinstance(rules.timestamp, TimeKey):
        return LineTimes((rules.timestamp.key,), None, rules.zone)
    if isinstance(rules.timestamp, TimePattern):
        return PatternTimes(rules.timestamp, rules.zone)
    if rules.timestamp == "arrival":
        return NoTimes()
    return LineTimes(JSON_KEYS, FormTimes(LINE_FORMS, rules.zone, whole=False), rules.zone)


class NoTimes:
    """Every line takes the time of its arrival."""

    broken = 0

    def read(self, texts: Sequence[str], now_ms: int) -> list[int]:
        """NO_TIME for each."""
        del now_ms
        return [NO_TIME] * len(texts)

    def head(self, text: str, now_ms: int) -> int:
        """NO_TIME."""
        del text, now_ms
        return NO_TIME


class LineTimes:
    """Times of JSON lines under one of some keys, and of text lines where they begin."""

    def __init__(self, keys: tuple[str, ...], forms: FormTimes | None, zone: tzinfo | None) -> None:
        self.broken = 0
        self._keys = keys
        self._forms = forms
        self._values = FormTimes(VALUE_FORMS, zone, whole=True)
        self._zone = zone
        self._learned: str | None = None
        self._line_columns: TimeColumns | None = None
        self._value_columns: TimeColumns | None = None

    def read(self, texts: Sequence[str], now_ms: int) -> list[int]:
        """The time of each line."""
        times: list[int] = []
        for first in range(0, len(texts), BLOCK):
            block = texts[first : first + BLOCK]
            fast = self._json(block, now_ms) if block[0][:1] == "{" else self._text(block, now_ms)
            if fast is None:
                times.extend([self.one(text, now_ms) for text in block])
            else:
                times.extend(fast)
        return times

    def one(self, text: str, now_ms: int) -> int:
        """The time of one line: the definition of what ``read`` answers."""
        if _begins_object(text):
            try:
                found = orjson.loads(text)
            except orjson.JSONDecodeError:
                self.broken += 1
            else:
                return self._first_valid(found, now_ms)
        return NO_TIME if self._forms is None else self._forms.one(text, now_ms)

    def head(self, text: str, now_ms: int) -> int:
        """The time of a long line that begins with ``text``; its JSON is believed unparsed."""
        if _begins_object(text):
            return self._first_valid(top_level_values(text, self._keys), now_ms)
        return NO_TIME if self._forms is None else self._forms.one(text, now_ms)

    def _first_valid(self, found: dict[str, object], now_ms: int) -> int:
        for key in self._keys:
            value = found.get(key)
            time: int | None = NO_TIME
            if isinstance(value, str):
                time = self._values.one(value, now_ms)
            elif type(value) in (int, float):
                time = number_ms(value)  # type: ignore[arg-type]
            if time is not None and time != NO_TIME:
                self._learned = key
                return time
        return NO_TIME

    def _json(self, block: Sequence[str], now_ms: int) -> list[int] | None:
        """Times of a block of objects that all have the key last seen; None if it is no such."""
        learned = self._learned
        if learned is None:
            return None
        try:
            objects = list(map(orjson.loads, block))
            values = [found[learned] for found in objects]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return None
        for key in self._keys[: self._keys.index(learned)]:
            if [found for found in objects if key in found]:
                return None
        kinds = set(map(type, values))
        if kinds == {str}:
            times = self._value_times(values)
        elif kinds <= {int, float}:
            times = [NO_TIME if ms is None else ms for ms in map(number_ms, values)]
        else:
            return None
        return None if times is None or min(times) < 0 else times

    def _value_times(self, values: Sequence[str]) -> list[int] | None:
        times = None if self._value_columns is None else self._value_columns.read(values)
        if times is None or min(times) < 0:
            self._value_columns = TimeColumns.of_value(values[0], self._zone)
            times = None if self._value_columns is None else self._value_columns.read(values)
        return times

    def _text(self, block: Sequence[str], now_ms: int) -> list[int] | None:
        if self._forms is None:
            return None
        times = None if self._line_columns is None else self._line_columns.read(block)
        if times is None or times[0] < 0:
            self._line_columns = TimeColumns.of_line(block[0], self._zone)
            times = None if self._line_columns is None else self._line_columns.read(block)
        if times is not None and min(times) < 0:
            one = self.one
            return [t if t >= 0 else one(block[i], now_ms) for i, t in enumerate(times)]
        return times


def _begins_object(text: str) -> bool:
    first = text[:1]
    return first == "{" or (
        first != "" and first in JSON_SPACE and text.lstrip(JSON_SPACE)[:1] == "{"
    )

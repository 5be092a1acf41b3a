"""The rules of assembling one kind of source: plain settings, checked and compiled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Literal, Self

from sidecar.model.text import checked_encoding

MOST_LOOKAHEAD = 65_536
"""Bytes of an over-long line looked at beyond a cut: a finding that is longer may be cut."""

LEAST_EVENT_BYTES = 256
"""Room for a part's prefix and still some of the line; the contract's lower bound."""


class RuleError(ValueError):
    """A rule that cannot be used: ``key`` is the setting, ``problem`` what is wrong with it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}")
        self.key = key
        self.problem = problem


@dataclass(frozen=True)
class TimeKey:
    """The time is the value of this top-level key of a JSON line (a dot is part of the name)."""

    key: str


@dataclass(frozen=True)
class TimePattern:
    """The time is what ``pattern`` finds (its first group, else all), read with ``format``."""

    pattern: re.Pattern[str]
    format: str


@dataclass(frozen=True)
class Grouping:
    """Lines from one that ``start`` finds up to the next form one event."""

    start: re.Pattern[str]
    max_lines: int = 500


@dataclass(frozen=True)
class Redaction:
    """What ``pattern`` finds becomes ``replace``, in which ``\\1`` is the first group."""

    pattern: re.Pattern[str]
    replace: str


@dataclass(frozen=True)
class AssemblyRules:
    """How the bytes of a source become records. ``of`` builds it from plain settings."""

    encoding: str = "utf-8"
    timestamp: Literal["auto", "arrival"] | TimeKey | TimePattern = "auto"
    multiline: Grouping | None = None
    empty_lines: Literal["space", "drop"] = "space"
    max_event_bytes: int = 1_000_000
    keep: tuple[re.Pattern[str], ...] = ()
    drop: tuple[re.Pattern[str], ...] = ()
    redact: tuple[Redaction, ...] = ()
    zone: tzinfo | None = None
    """Zone of times that name none; None is the process's own, from the variable TZ."""

    @property
    def window(self) -> int:
        """Bytes that always suffice for progress: present this many if there are that many."""
        # UTF-16 may be found by its mark whatever was configured; UTF-32 only by configuration.
        widest = 4 if self.encoding.startswith("utf-32") else 2
        # In a group of empty lines each line end is two characters, and one in the event.
        line_ends = 1 if self.multiline is None else 2
        room = line_ends * widest * (self.max_event_bytes + 16)
        return room + (self.lookahead if self.redact else 0)

    @property
    def lookahead(self) -> int:
        """Bytes beyond a cut that tell whether a redaction's finding reaches over it."""
        return min(MOST_LOOKAHEAD, 16 * self.max_event_bytes)

    @classmethod
    def of(
        cls,
        *,
        encoding: str = "utf-8",
        timestamp: str | Mapping[str, str] = "auto",
        multiline: Mapping[str, object] | None = None,
        empty_lines: str = "space",
        max_event_bytes: int = 1_000_000,
        keep: Iterable[str] = (),
        drop: Iterable[str] = (),
        redact: Iterable[Mapping[str, str]] = (),
        zone: tzinfo | None = None,
    ) -> Self:
        """Rules from values as they stand in the settings; RuleError names the wrong one."""
        try:
            encoding = checked_encoding(encoding)
        except ValueError as error:
            raise RuleError("encoding", str(error)) from None
        if empty_lines not in ("space", "drop"):
            raise RuleError("empty_lines", f"{empty_lines!r} is neither space nor drop")
        if max_event_bytes < LEAST_EVENT_BYTES:
            raise RuleError("max_event_bytes", f"{max_event_bytes} is under {LEAST_EVENT_BYTES}")
        return cls(
            encoding=encoding,
            timestamp=_time_rule(timestamp),
            multiline=None if multiline is None else _grouping(multiline),
            empty_lines="drop" if empty_lines == "drop" else "space",
            max_event_bytes=max_event_bytes,
            keep=tuple(_compiled("keep", pattern) for pattern in keep),
            drop=tuple(_compiled("drop", pattern) for pattern in drop),
            redact=tuple(_redaction(rule) for rule in redact),
            zone=zone,
        )


def _compiled(key: str, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise RuleError(key, f"{pattern!r} is no regular expression: {error}") from None


def _grouping(rule: Mapping[str, object]) -> Grouping:
    max_lines = rule.get("max_lines", 500)
    if not isinstance(max_lines, int) or max_lines < 1:
        raise RuleError("multiline.max_lines", f"{max_lines!r} is no count of lines")
    return Grouping(_compiled("multiline.start", str(rule["start"])), max_lines)


def _redaction(rule: Mapping[str, str]) -> Redaction:
    pattern = _compiled("redact.pattern", rule["pattern"])
    try:
        # The replacement is checked against the groups even where nothing is found.
        pattern.sub(rule["replace"], "")
    except (re.error, IndexError) as error:
        problem = f"{rule['replace']!r} does not fit {rule['pattern']!r}: {error}"
        raise RuleError("redact.replace", problem) from None
    return Redaction(pattern, rule["replace"])


def _time_rule(rule: str | Mapping[str, str]) -> Literal["auto", "arrival"] | TimeKey | TimePattern:
    if rule == "auto":
        return "auto"
    if rule == "arrival":
        return "arrival"
    if isinstance(rule, str):
        raise RuleError("timestamp", f"{rule!r} is none of auto, arrival, {{key}}, {{pattern}}")
    if "key" in rule:
        return TimeKey(rule["key"])
    if "pattern" not in rule or "format" not in rule:
        raise RuleError("timestamp", "needs either key, or pattern and format")
    _check_format(rule["format"])
    return TimePattern(_compiled("timestamp.pattern", rule["pattern"]), rule["format"])


def _check_format(form: str) -> None:
    try:
        datetime.strptime("", form.replace("%s", "").replace("%L", "%f"))
    except ValueError as error:
        # An empty text fits no format: only complaints about the format itself count.
        if "directive" in str(error) or "stray %" in str(error):
            raise RuleError("timestamp.format", f"{form!r}: {error}") from None

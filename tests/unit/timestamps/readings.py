"""Short ways to read the time of a line."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Any

from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.records import NO_TIME
from sidecar.model.timestamps import times_for

NOW = 1_795_424_329_000
"""2026-11-23T08:58:49Z."""


def ms(text: str) -> int:
    """Milliseconds of an ISO time with its zone."""
    moment = datetime.fromisoformat(text)
    assert moment.tzinfo is not None
    return round(moment.timestamp() * 1000)


def time_of(line: str, rule: Any = "auto", *, zone: tzinfo = UTC, now_ms: int = NOW) -> int | None:
    """The time of one line; None without one."""
    [time] = times_for(AssemblyRules.of(timestamp=rule, zone=zone)).read([line], now_ms)
    return None if time == NO_TIME else time

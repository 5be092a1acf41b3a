"""How long ago a request was sent that a journal tells of, as far as clocks can be believed."""

from __future__ import annotations

import time
from pathlib import Path

from sidecar.model.journal import IntentSent

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """Names the running kernel's boot; empty where there is no such thing."""
    try:
        return _BOOT_ID.read_text(encoding="ascii")[:8]
    except (OSError, ValueError):
        return ""


def up_ms() -> int:
    """Milliseconds since the boot, suspended time included; nobody sets this clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def seconds_since(intent: IntentSent, *, now_ms: int, boot: str, up_ms: int) -> float:
    """Seconds since the intent was written, never more than can be proved.

    On the same host since the same boot by a clock that nobody sets. Between hosts only by the
    wall clock: one that was set back counts as no time at all.
    """
    if boot and intent.boot == boot and up_ms >= intent.up_ms:
        return (up_ms - intent.up_ms) / 1000.0
    return max(0, now_ms - intent.at_ms) / 1000.0

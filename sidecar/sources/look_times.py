"""When a source is looked at next: the poll's interval, or sooner where something waits for it."""

from __future__ import annotations

from sidecar.sources.agenda import NEVER
from sidecar.sources.discovery import LONGEST_ABANDONED_SECONDS
from sidecar.sources.holes import NUL_PATIENCE
from sidecar.sources.poll import Pace
from sidecar.sources.sameness import CONFIRM_AFTER
from sidecar.sources.source import Source

LONGEST_STUCK_WAIT = 15.0
"""Seconds between attempts at a source that cannot be read, at most."""

HEARD_SLOWER = 5.0
"""How much less often a file of this machine is polled that the watch is known to tell of."""


def next_look(source: Source, now: float, pace: Pace, *, revalidates: bool) -> float:
    """After a turn that left nothing to read. `revalidates`: does its file change unseen here?"""
    if source.problem is not None:
        return now + min(LONGEST_STUCK_WAIT, pace.hot * 2.0 ** min(source.failures - 1, 6))
    quiet = now - source.grew_at
    slower = HEARD_SLOWER if source.heard and not revalidates else 1.0
    due = now + pace.interval(source.id, source.quiet(now), slower=slower)
    if source.shrunk_at is not None:
        due = min(due, source.shrunk_at + CONFIRM_AFTER)
    if source.nul_at >= 0:
        due = min(due, max(now + 0.05, source.nul_since + NUL_PATIENCE))
    waits = [source.rule.group_wait if source.unread else None]
    waits.append(source.rule.partial if source.leaving else None)
    for wait in waits:
        if wait is not None and quiet < wait:
            due = min(due, source.grew_at + wait)
    return due


def next_look_at_over(source: Source, now: float, pace: Pace) -> float:
    """Of a file that is done with: whether it is written to after all; ever more rarely where its
    writer is dead."""
    wait = pace.interval(source.id, NEVER)
    if source.abandoned:
        wait = max(wait, min(now - source.grew_at, LONGEST_ABANDONED_SECONDS))
    return now + wait

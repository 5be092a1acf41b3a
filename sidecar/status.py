"""The document of `GET /status`: what is going on, and where every byte is."""

from __future__ import annotations

from typing import Any

from sidecar.delivery.delivery import Delivery
from sidecar.health import Degradation
from sidecar.sources.intake import Intake
from sidecar.sources.source import Source
from sidecar.telemetry import Totals


def backlog(intake: Intake, now: float) -> dict[str, Any]:
    """Matched bytes that are not settled; incomplete last lines of living files are none."""
    waiting = [source for source in intake.catalogue.sources.values() if source.backlog > 0]
    return {
        "bytes": sum(source.backlog for source in waiting),
        "oldest_seconds": round(max((source.lag(now) for source in waiting), default=0.0), 3),
        "files": len(waiting),
    }


def status(
    *,
    member: str,
    members: list[dict[str, Any]],
    state: str,
    degradations: tuple[Degradation, ...],
    intake: Intake,
    delivery: Delivery,
    totals: Totals,
    operations_per_second: float,
    budget: float,
    now: float,
) -> dict[str, Any]:
    """A complete status in the contract's form, and more."""
    sources = [
        _source(source, member, now, hangs=intake.reach.hangs(source.record.claim.root))
        for source in intake.catalogue.sources.values()
    ]
    sources += [_unreadable(path, problem) for path, problem in intake.catalogue.unreadable.items()]
    pace = intake.pace
    return {
        "member": member,
        "state": state,
        "degraded": [str(each) for each in degradations],
        "backlog": backlog(intake, now),
        "totals": totals.numbers(),
        "rejected": dict(totals.rejected),
        "filtered": dict(totals.filtered),
        "refusals": dict(totals.refusals),
        "sources": sources,
        "artifacts": {
            "known": intake.artifacts.known,
            "unsettled": intake.artifacts.unsettled(),
            "on_their_way": intake.artifacts.unfinished,
        },
        "members": members,
        "delivery": {
            "in_flight": delivery.under_way,
            "memory_bytes": delivery.memory,
            "unresolved": delivery.unresolved,
        },
        "poll": {
            "operations_per_second": round(operations_per_second, 2),
            "budget": budget,
            "hot_seconds": round(pace.hot * pace.stretch, 3),
            "cold_seconds": round(pace.cold * pace.stretch, 3),
            "stretched": round(pace.stretch, 3),
            "roots": {
                root: {"mode": mode.mode, "reason": mode.reason}
                for root, mode in intake.mounts.modes.items()
            },
            "directories": intake.discovery.directories,
            "unreadable_directories": dict(intake.discovery.unreadable),
            "watching": intake.watch.covers_all and intake.watch.problem is None,
        },
    }


def _source(source: Source, member: str, now: float, *, hangs: bool) -> dict[str, Any]:
    document: dict[str, Any] = {
        "path": source.path,
        "group": source.key.group,
        "stream": source.key.stream,
        "size": source.size,
        "acknowledged": source.record.acknowledged,
        "lag_bytes": source.unsettled,
        "lag_seconds": round(source.lag(now), 3),
        "state": "stuck" if hangs else source.state(now),
        "owner": member,
        "partial_bytes": source.partial,
    }
    if source.notes:
        document["notes"] = list(source.notes)
    if hangs:
        document["problem"] = "its volume does not answer"
    elif source.problem is not None:
        document["problem"] = source.problem
    return document


def _unreadable(path: str, problem: str) -> dict[str, Any]:
    return {
        "path": path,
        "group": "",
        "stream": "",
        "size": 0,
        "acknowledged": 0,
        "lag_bytes": 0,
        "lag_seconds": 0.0,
        "state": "stuck",
        "owner": "",
        "problem": problem,
    }

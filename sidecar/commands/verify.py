"""`sidecar verify`: what is on the volume against what CloudWatch holds, stream by stream."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from sidecar import telemetry
from sidecar.commands.rehearsal import Rehearsal, rehearse
from sidecar.commands.table import amount, span, table
from sidecar.commands.verify_artifacts import artifact_verdicts
from sidecar.commands.verify_files import Content, copied
from sidecar.commands.verify_streams import Verification
from sidecar.commands.verify_verdict import Feeders, Verdict
from sidecar.delivery.client import Client
from sidecar.delivery.stored import Stored
from sidecar.errors import ConfigurationError
from sidecar.model.batch import StreamKey
from sidecar.model.ledger import SourceRecord
from sidecar.registry.letters import kept_letters
from sidecar.registry.state_directory import MEMBERS
from sidecar.settings import load
from sidecar.settings.quantities import Duration
from sidecar.sources.identity.beginning import last_line_start
from sidecar.sources.matching import Rule

HEADINGS: Final = (
    *("GROUP", "STREAM", "FILES", "EXPECTED", "HELD", "LOST", "DUPLICATED"),
    *("LATE", "REJECTED", "BACKLOG", "UNVERIFIABLE"),
)


def verify(
    since: str | None, config: Path | None, environ: Mapping[str, str], *, as_json: bool
) -> int:
    """0 when nothing is lost or duplicated, 1 otherwise. Errors of a person pass through."""
    settings = load(config, environ)
    since_ms = None if since is None else _moment(since, time.time())
    # What the sidecar's own code would log, this command says in its own way.
    telemetry.configure("critical")
    has_state = _has_members(settings.state_dir)
    rehearsal = rehearse(settings, environ, takes_older=not has_state)
    if not rehearsal.known.members:
        _take_all_for_shipped(rehearsal)
    began = time.time()
    visible_by = min(began, rehearsal.known.last_written) + settings.delivery.reconcile_wait
    client = Client(role_arn=settings.role_arn)
    stored = Stored(client)
    verification = Verification(
        rehearsal,
        stored,
        _letters(settings.state_dir),
        since_ms=since_ms,
        patience=lambda: time.time() < visible_by,
    )
    try:
        verdicts = [verification.verdict(each) for each in _feeders(rehearsal)]
        verdicts += artifact_verdicts(rehearsal, stored, verification.horizon, since_ms)
    finally:
        client.close()
    sound = all(verdict.sound for verdict in verdicts)
    document = {
        "sound": sound,
        "state_dir": str(settings.state_dir) if rehearsal.known.members else None,
        "since": since_ms,
        "streams": [asdict(verdict) | {"sound": verdict.sound} for verdict in verdicts],
        "totals": _totals(verdicts),
        "warnings": rehearsal.known.warnings,
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n" if as_json else _shown(document))
    return 0 if sound else 1


def _has_members(state_dir: Path) -> bool:
    """Has anybody left a journal here? What cannot be listed is told by the rehearsal."""
    try:
        names = [path.name for path in (state_dir / MEMBERS).iterdir()]
    except OSError:
        return False
    return any(not name.startswith(".") for name in names)


def _take_all_for_shipped(rehearsal: Rehearsal) -> None:
    """Without a journal the configuration decides: every complete line is to be in CloudWatch.

    Not where files begin at their end as of a first start that nobody remembers.
    """
    for source in rehearsal.catalogue.sources.values():
        if source.rule.start_at == "beginning":
            size = source.size
            source.record.acknowledged = (
                size if source.leaving else last_line_start(source.path, size)
            )


def _letters(state_dir: Path) -> dict[str, dict[int, int]]:
    """Offsets and lengths of dead letters, by source."""
    letters: dict[str, dict[int, int]] = {}
    for kept in kept_letters(state_dir):
        letters.setdefault(kept.letter.source, {})[kept.letter.offset] = kept.letter.length
    return letters


def _feeders(rehearsal: Rehearsal) -> list[Feeders]:
    """The files of each stream, in the order of the streams' names."""
    feeders: dict[StreamKey, Feeders] = {}

    def of(key: StreamKey) -> Feeders:
        return feeders.setdefault(key, Feeders(key))

    sources = rehearsal.catalogue.sources
    for source in sources.values():
        of(source.key).contents.append(Content.of(source))
    gone: dict[StreamKey, list[SourceRecord]] = {}
    for number, record in rehearsal.ledger.sources.items():
        if number not in sources:
            gone.setdefault(StreamKey(*record.feeds), []).append(record)
    for path, base, rule in _unread_siblings(rehearsal):
        log_rule = rehearsal.log_rules[rule.number]
        taken = rule.takes(base)
        root = taken.root if taken is not None else str(Path(base).parent)
        key = rehearsal.catalogue.streams.of(base, root, log_rule)[0]
        content = copied(path, gone.get(key, []), log_rule)
        if content is None:
            of(key).others.append((path, log_rule))
        else:
            gone[key].remove(content.record)
            of(key).contents.append(content)
    for key, records in gone.items():
        of(key).gone_bytes = sum(each.acknowledged - each.claim.start for each in records)
    return [feeders[key] for key in sorted(feeders)]


def _unread_siblings(rehearsal: Rehearsal) -> Iterator[tuple[str, str, Rule]]:
    """Copies, compressed and older rotated files that no source reads, with what they were."""
    for path in rehearsal.catalogue.passed_over.reasons:
        found = rehearsal.found[path]
        if found.base is not None:
            yield path, found.base, found.rule


def _moment(since: str, now: float) -> int:
    """Milliseconds since the epoch of a duration before now, or of an ISO time."""
    try:
        return round((now - TypeAdapter(Duration).validate_python(since)) * 1000)
    except ValidationError:
        pass
    try:
        # A time without a zone is local, as in the logs.
        return round(datetime.fromisoformat(since).timestamp() * 1000)
    except (ValueError, OverflowError, OSError):
        raise ConfigurationError(
            "--since",
            f"{since!r} is neither a duration nor a time",
            "write 2h or 7d, or an ISO time as in 2026-01-31T12:00:00Z",
        ) from None


def _totals(verdicts: list[Verdict]) -> dict[str, Any]:
    counts = ("expected", "held", "lost", "duplicated", "late", "rejected", "backlog_bytes")
    more = ("unverifiable", "unverifiable_bytes")
    totals: dict[str, Any] = {
        name: sum(getattr(verdict, name) for verdict in verdicts) for name in (*counts, *more)
    }
    unread = sum(verdict.problem is not None for verdict in verdicts)
    return {"streams": len(verdicts), "unreadable_streams": unread} | totals


def _shown(document: dict[str, Any]) -> str:
    parts = []
    if document["state_dir"] is None:
        parts.append(
            "There is no journal: every complete line of the matched files is expected, also what "
            "was not shipped yet.\n"
        )
    if document["streams"]:
        parts.append(table(HEADINGS, [_row(stream) for stream in document["streams"]]))
    notes = list(_notes(document))
    if notes:
        parts.append("".join(f"{note}\n" for note in notes))
    totals = document["totals"]
    unread = totals["unreadable_streams"]
    parts.append(
        f"{totals['streams']} streams: {totals['lost']} lost, {totals['duplicated']} duplicated"
        f"{f', {unread} that could not be read' if unread else ''}\n"
    )
    return "\n".join(parts)


def _row(stream: dict[str, Any]) -> tuple[str, ...]:
    late = f"{stream['late']:,}"
    if stream["late"]:
        late += f" (up to {span(stream['latest_seconds'])})"
    unverifiable = f"{stream['unverifiable']:,}"
    if stream["unverifiable_bytes"]:
        unverifiable += f" and {amount(stream['unverifiable_bytes'])} gone"
    counts = [f"{stream[name]:,}" for name in ("files", "expected", "held", "lost", "duplicated")]
    backlog = amount(stream["backlog_bytes"])
    rejected = f"{stream['rejected']:,}"
    return (stream["group"], stream["stream"], *counts, late, rejected, backlog, unverifiable)


def _notes(document: dict[str, Any]) -> Iterator[str]:
    for stream in document["streams"]:
        name = f"{stream['group']} {stream['stream']}"
        if stream["problem"] is not None:
            yield f"{name}: cannot be read: {stream['problem']}"
        for example in stream["examples"]:
            if example["what"] == "lost":
                end = example["offset"] + example["length"]
                yield f"{name}: lost: {example['path']} bytes {example['offset']} to {end}"
            else:
                at = datetime.fromtimestamp(example["timestamp"] / 1000, UTC)
                yield f"{name}: duplicated: an event of {at.isoformat(timespec='milliseconds')}"
    for warning in document["warnings"]:
        yield f"warning: {warning}"

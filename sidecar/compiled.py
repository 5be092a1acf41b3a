"""Settings compiled into the rules that reading and delivering go by."""

from __future__ import annotations

from collections.abc import Sequence

from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.globs import Glob
from sidecar.model.stream_names import StreamTemplate
from sidecar.settings import (
    ArtifactEntry,
    LogEntry,
    Settings,
)
from sidecar.sources.artifact import ArtifactRule
from sidecar.sources.discovery import Rule
from sidecar.sources.rules import LogRule


def log_rules(settings: Settings) -> list[LogRule]:
    """The `logs` entries, numbered from 0 in their order."""
    return [_log_rule(number, entry) for number, entry in enumerate(settings.logs)]


def artifact_rules(settings: Settings) -> list[ArtifactRule]:
    """The `artifacts` entries, numbered after the `logs` entries: the first match wins."""
    return [
        ArtifactRule(
            match=Rule(
                number=number,
                kind="artifact",
                include=_includes(entry),
                exclude=_excludes(entry),
            ),
            log_group=entry.log_group,
            settle=entry.settle,
            inline_limit=entry.inline_limit,
            bucket=entry.bucket,
        )
        for number, entry in enumerate(settings.artifacts, start=len(settings.logs))
    ]


def _log_rule(number: int, entry: LogEntry) -> LogRule:
    timestamp = entry.timestamp
    grouping = entry.multiline
    return LogRule(
        match=Rule(
            number=number,
            kind="log",
            include=_includes(entry),
            exclude=_excludes(entry),
            rotated=entry.rotated,
        ),
        log_group=entry.log_group,
        log_stream=StreamTemplate(entry.log_stream),
        start_at=entry.start_at,
        partial=entry.partial,
        group_wait=None if grouping is None else grouping.wait,
        assembly=AssemblyRules.of(
            encoding=entry.encoding,
            timestamp=timestamp if isinstance(timestamp, str) else timestamp.model_dump(),
            multiline=None if grouping is None else grouping.model_dump(),
            empty_lines=entry.empty_lines,
            max_event_bytes=entry.max_event_bytes,
            keep=entry.keep,
            drop=entry.drop,
            redact=[redaction.model_dump() for redaction in entry.redact],
        ),
        old_events_now=entry.out_of_range == "now",
        delete_after=entry.delete_after,
    )


def _includes(entry: LogEntry | ArtifactEntry) -> tuple[Glob, ...]:
    return tuple(Glob(pattern, entry.root) for pattern in entry.include)


def _excludes(entry: LogEntry | ArtifactEntry) -> tuple[Glob, ...]:
    """Relative excludes hold under the root of every include."""
    roots: Sequence[str] = sorted({glob.root for glob in _includes(entry)})
    return tuple(
        Glob(pattern, None if pattern.startswith("/") else root)
        for pattern in entry.exclude
        for root in (roots[:1] if pattern.startswith("/") else roots)
    )

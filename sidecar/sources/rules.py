"""What one `logs` entry of the configuration means for the files it matches."""

from __future__ import annotations

import os
from collections.abc import Container
from dataclasses import dataclass, replace
from typing import Literal

from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.stream_names import StreamTemplate, Surroundings
from sidecar.sources.discovery import Rule


@dataclass(frozen=True, slots=True)
class LogRule:
    """A `logs` entry, compiled. Durations are seconds."""

    match: Rule
    log_group: str
    log_stream: StreamTemplate
    start_at: Literal["beginning", "end"]
    partial: float
    group_wait: float | None
    """Quiet after which an open multiline group is shipped; None without multiline."""
    assembly: AssemblyRules
    old_events_now: bool
    """Ship events older than CloudWatch takes with the arrival time."""
    delete_after: float | None = None
    """Seconds from a rotated file's full acknowledgement to its removal; None for never."""

    def stream_of(
        self, path: str, root: str, surroundings: Surroundings, tasks: Container[str]
    ) -> tuple[str, str]:
        """The stream for a file at `path`, and the task it belongs to.

        A directory that is named like a known task is that task's, whoever reads it.
        """
        relative = os.path.relpath(path, root)
        first = relative.split("/", 1)[0]
        task = first if "/" in relative and first in tasks else surroundings.task
        return self.log_stream.expand(relative, replace(surroundings, task=task)), task

"""What is compared, and what comes out of it: one stream's files, and one stream's verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sidecar.commands.verify_files import Content
from sidecar.model.batch import StreamKey
from sidecar.sources.rules import LogRule


@dataclass(slots=True)
class Feeders:
    """The files of one stream: what records speak of, and siblings of which none does, which prove
    nothing and explain what else it may hold."""

    key: StreamKey
    contents: list[Content] = field(default_factory=list)
    others: list[tuple[str, LogRule]] = field(default_factory=list)
    gone_bytes: int = 0
    """Settled bytes of files that are not on the volume any more."""

    @property
    def joins_lines(self) -> bool:
        """Whether lines are compared rather than events: where a group ends, time may decide."""
        rules = [content.rule for content in self.contents] + [rule for _, rule in self.others]
        return any(rule.assembly.multiline is not None for rule in rules)


@dataclass(slots=True)
class Verdict:
    """One stream. Counts are of events; those that are unverifiable, of lines where lines are
    joined to events."""

    group: str
    stream: str
    files: int = 0
    expected: int = 0
    """Events that the journal says are settled, made anew from the files."""
    held: int = 0
    lost: int = 0
    duplicated: int = 0
    late: int = 0
    latest_seconds: float = 0.0
    rejected: int = 0
    backlog_bytes: int = 0
    unverifiable: int = 0
    """Events held of which no file says anything, and expected ones that may rightly be missing."""
    unverifiable_bytes: int = 0
    problem: str | None = None
    examples: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing twice, and it could be seen."""
        return not (self.lost or self.duplicated or self.problem)

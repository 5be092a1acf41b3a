"""What one turn of a source comes to."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from sidecar.model.portion import Portion


class Verdict(enum.Enum):
    """What a turn found out beside what it read."""

    SAME = "same"
    REPLACED = "replaced"
    OVERWRITTEN = "overwritten"
    """Another writer wrote over the last of what was read; `Turn.agrees_to` is where that began."""
    MOVED = "moved"


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn of a source gave; `more` asks for another turn at once."""

    portion: Portion | None = None
    more: bool = False
    verdict: Verdict = Verdict.SAME
    agrees_to: int = 0
    stirred: bool = False
    """Something about it changed, and not its content: its name, maybe."""

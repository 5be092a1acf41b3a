"""Events of several lines: which lines belong together."""

from __future__ import annotations

from dataclasses import dataclass

from sidecar.model.assembly_rules import Grouping
from sidecar.model.lines import Lines

LINE_FEED_BYTES = 1


@dataclass
class Groups:
    """Groups of neighbouring lines. Group i is the lines ``[firsts[i], firsts[i + 1])``."""

    firsts: list[int]
    open_bytes: int
    """UTF-8 bytes of the last group, which the next line may still belong to."""


def group(lines: Lines, first: int, last: int, rule: Grouping, limit: int) -> Groups:
    """The lines ``[first, last)`` in groups; ``firsts`` ends with ``last``.

    A group begins at a line that ``rule.start`` finds something in, at the very first line
    whatever it is, and where the group before has ``max_lines`` lines or would need more than
    ``limit`` bytes: what overflows is an event of its own. So a group depends only on its own
    lines and the one behind it.
    """
    search = rule.start.search
    firsts = [first]
    count = size = 0
    for index in range(first, last):
        more = LINE_FEED_BYTES + lines.sizes[index]
        if index > first and (
            count >= rule.max_lines or size + more > limit or search(lines.texts[index])
        ):
            firsts.append(index)
            count = size = 0
        size += more if count else lines.sizes[index]
        count += 1
    if last > first:
        firsts.append(last)
    return Groups(firsts, size)

"""The line a minute that alarms read."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from sidecar import telemetry
from sidecar.telemetry import Progress, Totals
from sidecar.telemetry.progress import PROGRESS_SECONDS
from tests.deployment.definitions import DEFINITIONS  # noqa: F401 - finds the checker

from checker.stack.observed import PROGRESS, PROGRESS_KEYS  # isort: skip

BACKLOG = {"bytes": 700, "oldest_seconds": 12.5, "files": 2}


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, content: bytes) -> int:
        self.content += content
        return len(content)

    def flush(self) -> None:
        return

    def lines(self) -> list[dict[str, Any]]:
        telemetry.flush()
        return [orjson.loads(line) for line in self.content.splitlines()]


@pytest.fixture
def kept() -> Iterator[Kept]:
    sink = Kept()
    telemetry.configure("info", sink=sink)
    yield sink
    telemetry.configure("info")


def test_a_line_comes_when_a_minute_is_over_and_counts_since_the_last(kept: Kept) -> None:
    """Backlog as it is, counters as what was added, so that a sum over lines is the truth.

    Would catch: `self._before = counted` left out.
    """
    totals = Totals(events_delivered=5)
    progress = Progress(totals, now=0.0)

    def tell(now: float) -> None:
        progress.tell(now, lambda: BACKLOG, 1, last=False)

    totals.events_delivered, totals.events_rejected = 12, 3
    tell(PROGRESS_SECONDS - 1)
    assert kept.lines() == []
    tell(PROGRESS_SECONDS)
    totals.events_delivered = 13
    tell(PROGRESS_SECONDS * 2)
    first, second = kept.lines()
    assert first["event"] == second["event"] == "sidecar_progress"
    assert (first["backlog_bytes"], first["backlog_oldest_seconds"]) == (700, 12.5)
    assert (first["backlog_files"], first["degraded"]) == (2, 1)
    assert (first["events_delivered"], first["events_rejected"]) == (7, 3)
    assert (second["events_delivered"], second["events_rejected"]) == (1, 0)


def test_the_last_line_comes_at_the_end(kept: Kept) -> None:
    """What a drain delivered in its last minute is counted too.

    Would catch: `and not last` left out.
    """
    progress = Progress(Totals(), now=0.0)
    progress.tell(1.0, lambda: BACKLOG, 0, last=True)
    assert [line["event"] for line in kept.lines()] == ["sidecar_progress"]


def test_the_checker_of_templates_knows_the_line(kept: Kept) -> None:
    """A metric filter on a key that the line does not have is found before it is deployed."""
    Progress(Totals(), now=0.0).tell(0.0, lambda: BACKLOG, 0, last=True)
    (line,) = kept.lines()
    assert line.pop("event") == PROGRESS
    assert line.keys() - {"timestamp", "level", "member"} == set(PROGRESS_KEYS)

"""The whole pipeline in this process, stepped by a test: real files, a destination of its choice.

The pump's clock is the test's: it only moves with the steps, so hours cost nothing and no test
waits for a delay. Requests run on real threads; between steps the test waits for their outcomes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sidecar import bootstrap
from sidecar.delivery.destination import Destination
from sidecar.health import Vitals
from sidecar.model.stream_names import Surroundings
from sidecar.registry.members import Member
from sidecar.settings import Settings
from sidecar.telemetry import Totals
from sidecar.wake import Wake
from sidecar.web.status_board import StatusBoard

GROUP = "/ecs/reports"

PATIENCE = 60.0
"""Seconds of the machine's time before a condition that never comes true is a failure."""


def settings_for(volume: Path, **changes: Any) -> Settings:
    """Settings for `volume`/logs/**; `changes` replace or add top-level keys."""
    values: dict[str, Any] = {
        "state_dir": str(volume / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{volume}/logs/**/*.log"], "partial": "1s"}],
        "poll": {"hot": "100ms", "cold": "1s", "budget": 100_000},
    }
    return Settings.model_validate(values | changes)


class Stepped:
    """One life of a sidecar, from `build` to `end`; `now` is the pump's monotonic clock."""

    def __init__(self, settings: Settings, destination: Destination, *, task: str = "task") -> None:
        self.settings = settings
        self.now = time.monotonic()
        self.totals = Totals()
        self.vitals = Vitals(self.now)
        self.wake = Wake()
        self.board = StatusBoard(self.wake.set)
        self.member = Member.join(settings.state_dir, task)
        self.peak_unsettled = 0
        """The most bytes that were ever read and not yet settled, after any step."""
        self.shipper = bootstrap.build(
            settings,
            member=self.member,
            where=Surroundings(task=task, family="", revision="", az="", hostname="host"),
            destination=destination,
            board=self.board,
            vitals=self.vitals,
            totals=self.totals,
            wake=self.wake,
        )

    def step(self, seconds: float = 0.1) -> None:
        """One step of the pump, `seconds` after the last one."""
        self.now += seconds
        self.board.wanted = True
        self.shipper.run_once(self.now)
        self.peak_unsettled = max(self.peak_unsettled, self._read_and_unsettled())

    def until(
        self,
        condition: Callable[[], object],
        *,
        seconds: float = 0.1,
        under_way: float | None = None,
    ) -> float:
        """Step until it holds; gives the seconds that passed on the pump's clock.

        They are the machine's doing, too: a request that takes its time takes steps. Not with
        `under_way`=0.0, the seconds of a step while one is: then they are the pump's own.
        """
        began, deadline = self.now, time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, self.why(condition)
            if under_way is not None and self.shipper.delivery.under_way:
                self._step_and_wait(under_way)
            else:
                self._step_and_wait(seconds)
        return self.now - began

    def settled(self) -> bool:
        """Is every matched byte settled, and nothing on its way?"""
        return self.shipper.delivery.is_empty and self.status()["backlog"]["bytes"] == 0

    def is_healthy(self) -> bool:
        """Does `/healthz` say so? Requests are timed by the machine's clock: let those under way
        end first, with `until` and steps of no time."""
        return self.vitals.verdict(self.now).healthy

    def ship(self) -> None:
        """Look at everything and step until all of it is settled."""
        self.shipper.intake.look_at_everything(self.now, int(time.time() * 1000))
        self.step()
        self.until(self.settled)

    def pass_time(self, seconds: float, *, each: float = 0.5) -> None:
        """Step through so many seconds, waiting for the outcome of every request on the way."""
        until = self.now + seconds
        while self.now < until:
            self._step_and_wait(each)

    def status(self) -> dict[str, Any]:
        """The document of /status as it was published by the last step."""
        return self.board.read(0.0)

    def source(self, name: str) -> dict[str, Any]:
        """The status of the source whose path ends with `name`."""
        found = [each for each in self.status()["sources"] if each["path"].endswith(name)]
        assert len(found) == 1, found
        return dict(found[0])

    def letters(self) -> list[dict[str, Any]]:
        """Every dead letter in the state directory."""
        return dead_letters(self.settings.state_dir)

    def end(self) -> None:
        """The clean end: all that is known goes into a snapshot, and the lock is let go."""
        self.shipper.checkpoints.close(self.now, int(time.time() * 1000))
        self.die()

    def die(self) -> None:
        """As SIGKILL would: what is written stays, and the kernel lets the lock go."""
        self.shipper.intake.watch.close()
        self.member.leave()

    def _read_and_unsettled(self) -> int:
        return sum(
            source.position - source.record.claim.start - sum(source.record.settled_bytes.values())
            for source in self.shipper.intake.catalogue.sources.values()
        )

    def _step_and_wait(self, seconds: float) -> None:
        self.step(seconds)
        if self.shipper.delivery.under_way:
            self.wake.wait(0.02)

    def why(self, condition: Callable[[], object]) -> str:
        """What to say when a condition does not come true."""
        status = {key: self.status().get(key) for key in ("degraded", "backlog", "totals")}
        return f"never true: {condition}; {status}"


@contextmanager
def stepping(settings: Settings, destination: Destination) -> Iterator[Stepped]:
    """A stepped sidecar that ends cleanly with the block; after a failure it only lets go."""
    sidecar = Stepped(settings, destination)
    try:
        yield sidecar
    except BaseException:
        sidecar.die()
        raise
    sidecar.end()


def dead_letters(state_dir: Path) -> list[dict[str, Any]]:
    """What stands in rejected/*.jsonl."""
    letters: list[dict[str, Any]] = []
    for path in sorted((state_dir / "rejected").glob("*.jsonl")):
        letters += map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return letters


def append(path: Path, content: str | bytes) -> bytes:
    """Append to a file as a writer does, making its directories; gives the bytes."""
    written = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(written)
    return written


def fates_add_up(status: Mapping[str, Any], *paths: Path) -> None:
    """Every byte of these files has one fate: the five of /status come to the files' sizes."""
    totals = status["totals"]
    known = sum(totals[key] for key in ("bytes_acknowledged", "bytes_rejected", "bytes_filtered"))
    size = sum(path.stat().st_size for path in paths)
    assert known + totals["bytes_gone"] + status["backlog"]["bytes"] == size, status

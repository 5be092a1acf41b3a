"""A sidecar's whole pipeline in this process, for the reading half: real files, stepped by a test.

The pump's monotonic clock is the test's and moves with the steps alone, so minutes cost nothing.
Requests run on the product's own threads; a step waits for their outcomes. By default the sidecar
is deaf: it hears of no change, as where another host writes, and has to look for itself.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast
from unittest import mock

from sidecar import bootstrap
from sidecar.delivery.destination import Destination
from sidecar.health import Vitals
from sidecar.model.stream_names import Surroundings
from sidecar.registry.heartbeat import BEAT_SECONDS, Fence
from sidecar.registry.members import Member
from sidecar.settings import Settings
from sidecar.sources.source import Source
from sidecar.sources.watch import Watch
from sidecar.telemetry import Totals
from sidecar.wake import Wake
from sidecar.web.status_board import StatusBoard
from tests.support.fake_destination import FakeDestination

GROUP = "/ecs/reports"
ARTIFACTS = GROUP + "/artifacts"

STEP_SECONDS = 0.1
"""Of the pump's clock, between two steps."""

QUIET_STEPS = 15
"""So many steps with nothing to do are quiet: longer than every interval of the settings below,
and than the second for which a smaller size or a run of NULs is doubted."""

MOST_STEPS = 5_000
"""Before a pipeline that never comes to rest is a failure."""

PATIENCE = 30.0
"""Seconds of the machine's time before the outcome of a request is given up."""


class Deaf:
    """A watch that hears nothing, as for files that another host writes."""

    covers_all = True
    stirred = False
    problem = None

    def cover(self, roots: Iterable[str] = ()) -> list[str]:
        """There is nothing to listen to."""
        return []

    def lost(self, root: str) -> None:
        """It never was heard."""

    def modified(self) -> list[str]:
        return []

    def directories(self) -> list[str]:
        return []

    def moved_in(self) -> list[str]:
        return []

    def close(self) -> None:
        """Nothing is open."""


class _Impatient(Wake):
    """A drain's pauses pass on the test's clock, not on the machine's."""

    def wait(self, seconds: float) -> bool:
        return super().wait(min(seconds, 0.002))

    def close(self) -> None:
        """Let the descriptor go; who wakes later finds it set already."""
        self._is_set = True
        os.close(self._descriptor)


class Shipping:
    """A sidecar over `volume`, one life after the other; use it as a context manager.

    It reads `volume`/logs/**/*.log unless `settings` say otherwise (top-level keys of the
    configuration; `entry` are more keys of the one `logs` entry). `descriptors` bounds the files
    that may be open at once; `hears` lets the real watch listen; `task` is whose sidecar it is.
    """

    def __init__(
        self,
        volume: Path,
        destination: Destination | None = None,
        *,
        entry: dict[str, Any] | None = None,
        descriptors: int | None = None,
        hears: bool = False,
        task: str = "task",
        **settings: Any,
    ) -> None:
        self.volume = volume
        self.task = task
        self.logs = volume / "logs"
        self.fake = FakeDestination(lambda: int(time.time() * 1000))
        self.destination: Destination = destination or self.fake
        self.settings = Settings.model_validate(_settings(volume, entry or {}) | settings)
        self.now = time.monotonic()
        self.beats = True
        """Does its heartbeat work?"""
        self._descriptors = descriptors
        self._hears = hears
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._die()

    def step(self, seconds: float = STEP_SECONDS) -> None:
        """One step of the pump, `seconds` after the last one; then the outcomes come in."""
        self.now += seconds
        self.board.wanted = True
        self.beat()
        self.shipper.run_once(self.now)
        deadline = time.monotonic() + PATIENCE
        artifacts, delivery = self.shipper.intake.artifacts, self.shipper.delivery
        while delivery.under_way or artifacts.unfinished:
            assert time.monotonic() < deadline, "a request or a reading has no outcome"
            before = delivery.under_way
            if self.wake.wait(0.05) or before:
                break

    def await_answers(self, *, but: Callable[[], int] = lambda: 0) -> None:
        """Wait, without a step, until what was sent has its outcome, `but` so many requests as
        will have none by then: a loaded machine takes longer than a step waits."""
        deadline = time.monotonic() + PATIENCE
        delivery = self.shipper.delivery
        senders = delivery._senders
        while delivery.under_way > len(senders._results) + len(senders._answers) + but():
            assert time.monotonic() < deadline, "a request has no outcome"
            time.sleep(0.0005)

    def beat(self) -> None:
        """Let the heartbeat work, if it does and its time has come: each beat has its cost."""
        if self.beats and self.fence.age >= BEAT_SECONDS:
            self.fence.proved(self.now)

    def settle(self) -> None:
        """Step until there has been nothing to do for longer than anything is waited for."""
        quiet = 0
        for _ in range(MOST_STEPS):
            self.step()
            quiet = 0 if self.is_busy else quiet + 1
            if quiet == QUIET_STEPS:
                return
        raise AssertionError(f"it never comes to rest: {self.status()}")

    @property
    def is_busy(self) -> bool:
        """Is there something to read, or on its way?"""
        intake = self.shipper.intake
        waiting = intake.has_unread or intake.artifacts.unfinished > 0
        return waiting or not self.shipper.delivery.is_empty

    def pass_time(self, seconds: float, *, each: float = 1.0) -> None:
        """Let time pass in large steps, and settle."""
        until = self.now + seconds
        while self.now < until:
            self.step(each)
        self.settle()

    def restart(self, *, clean: bool = True) -> int | None:
        """End this life and begin another over the same volume and state.

        After a drain, which gives its exit status; or, not `clean`, as after SIGKILL.
        """
        status = self.stop(clean=clean)
        self.start()
        return status

    def stop(self, *, clean: bool = True) -> int | None:
        """Only the end of this life: what happens to the volume next is unseen until `start`."""
        status = self._drained() if clean else None
        self._die()
        return status

    def start(self) -> None:
        """A new sidecar on the same state; it has not looked at anything yet."""
        self._begin()

    def messages(self, stream: str, group: str = GROUP) -> list[str]:
        """What CloudWatch shows of a stream, what is on its way included."""
        self.await_answers()
        return self.fake.messages(group, stream)

    def streams(self, group: str = GROUP) -> list[str]:
        """The streams that exist, sorted."""
        return self.fake.streams(group)

    def manifests(self, name: str) -> list[dict[str, Any]]:
        """The manifest events of an artifact, parsed; those on their way included."""
        self.await_answers()
        return [json.loads(message) for message in self.fake.messages(ARTIFACTS, name)]

    def status(self) -> dict[str, Any]:
        """The document of /status as the last step published it."""
        return self.board.read(0.0)

    def source(self, name: str) -> Source:
        """The one living source whose path ends with `name`."""
        sources = self.shipper.intake.catalogue.sources.values()
        found = [each for each in sources if each.path.endswith(name) and not each.over]
        assert len(found) == 1, [(each.path, each.over) for each in sources]
        return found[0]

    def open_files(self) -> list[str]:
        """What this process holds open below the logs, by path; deleted files say so."""
        paths = []
        for descriptor in Path("/proc/self/fd").iterdir():
            try:
                path = str(descriptor.readlink())
            except OSError:
                continue
            if path.startswith(str(self.logs)):
                paths.append(path)
        return paths

    def _begin(self) -> None:
        self._is_over = False
        self.totals = Totals()
        self.vitals = Vitals(self.now)
        self.wake = _Impatient()
        self.board = StatusBoard(self.wake.set)
        self.member = Member.join(self.settings.state_dir, self.task)
        # Whatever happens in a life, it begins later than the one before it.
        self.now += STEP_SECONDS
        self.fence = Fence(lambda: self.now)
        most = self._descriptors or bootstrap.MOST_DESCRIPTORS
        with (
            mock.patch.object(bootstrap, "_most_descriptors", return_value=most),
            mock.patch("sidecar.bootstrap.time.monotonic", return_value=self.now),
        ):
            self.shipper = bootstrap.build(
                self.settings,
                member=self.member,
                where=Surroundings(self.task, family="", revision="", az="", hostname="host"),
                destination=self.destination,
                board=self.board,
                vitals=self.vitals,
                totals=self.totals,
                wake=self.wake,
                fence=self.fence,
            )
        if not self._hears:
            self.shipper.intake.watch = cast(Watch, Deaf())

    def _drained(self) -> int:
        with mock.patch.object(self.shipper, "_clock", self._tick):
            status = self.shipper.drain()
        self.member.hand_over()
        return status

    def _tick(self) -> float:
        self.now += STEP_SECONDS / 2
        self.beat()
        return self.now

    def _die(self) -> None:
        """What the kernel does for a process that is gone: files closed, the lock let go."""
        if self._is_over:
            return
        self._is_over = True
        self.shipper.intake.watch.close()
        self.shipper.delivery._senders.close()
        self.shipper.intake.catalogue.close()
        self.shipper.checkpoints.let_go()
        self.wake.close()
        self.member.leave()


def _settings(volume: Path, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "state_dir": str(volume / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{volume}/logs/**/*.log"], "partial": "1s"} | entry],
        "poll": {"hot": "100ms", "cold": "500ms", "budget": 100_000},
        "delivery": {"linger": "10ms"},
        "drain": {"quiet": "200ms"},
    }


def lines(prefix: str, count: int, first: int = 0) -> list[str]:
    """Messages that no two calls with different prefixes share."""
    return [f"{prefix} {number:06d}" for number in range(first, first + count)]


def text(messages: Iterable[str]) -> str:
    """The messages as a file's content, each with its line feed."""
    return "".join(f"{message}\n" for message in messages)


def append(path: Path, content: str | bytes | list[str]) -> None:
    """Append as a writer does, making the directories; a list is lines."""
    if isinstance(content, list):
        content = text(content)
    data = content.encode() if isinstance(content, str) else content
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(data)


def everything_is_settled(status: dict[str, Any], size: int) -> None:
    """Every byte of `size` has one of the five fates, and none is still in the backlog."""
    totals = status["totals"]
    fates = ("bytes_acknowledged", "bytes_rejected", "bytes_filtered", "bytes_gone")
    assert status["backlog"]["bytes"] == 0, status
    assert sum(totals[fate] for fate in fates) == size, totals

"""H01, the reading half: random programs over real files, against a model of what they hold.

READING_PROGRAMS sets how many programs are tried; `make chaos` tries as many as asked.
"""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.properties.log_files import LogFiles
from tests.support.shipping import Shipping

PROGRAMS = int(os.environ.get("READING_PROGRAMS", "200"))
STEPS = 14

PATHS = ("a.log", "sub/b.log")
KEEP = 4
"""Generations that a rotation keeps; older ones are deleted."""

paths = st.sampled_from(PATHS)
counts = st.integers(1, 4)
widths = st.sampled_from([0, 40, 600])


class ReadingMachine(RuleBasedStateMachine):
    """A writer, a rotation and a sidecar, in any order.

    What was written is delivered once, in its file's order. What a deletion took may be missing.
    After a kill, as much may be twice as was counted.
    """

    tally: ClassVar[Counter[str]] = Counter()
    """What came of all programs, for a report."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        volume = Path(self._folder.name)
        (volume / "logs").mkdir()
        self.files = self.writer(volume / "logs")
        self.sidecar = self.shipping(volume)
        self.is_down = False
        self.gone = self.events = self.lost = self.twice = 0

    def writer(self, logs: Path) -> LogFiles:
        return LogFiles(logs)

    def shipping(self, volume: Path) -> Shipping:
        return Shipping(volume, entry={"timestamp": "arrival"})

    @initialize()
    def first_look(self) -> None:
        self.sidecar.settle()

    @rule(name=paths, count=counts, width=widths)
    def append(self, name: str, count: int, width: int) -> None:
        self.files.append(self.path(name), count, width)

    @rule(name=paths)
    def append_partial(self, name: str) -> None:
        self.files.append(self.path(name), 1, 10, ended=False)

    @rule(name=paths)
    def finish_partial(self, name: str) -> None:
        if self.path(name) in self.files.held:
            self.files.end_line(self.path(name))

    @rule(name=paths)
    def write_at_own_offset(self, name: str) -> None:
        self.files.hold_open(self.path(name))

    @rule(name=paths, again=counts)
    def rotate(self, name: str, again: int) -> None:
        """Rename NAME to NAME.1; and write to the new file."""
        path = self.path(name)
        if path in self.files.held:
            self.files.shift(path, KEEP)
            self.files.rename(path, path.with_name(path.name + ".1"))
            self.files.append(path, again, 30)

    @rule(name=paths)
    def rotate_by_time(self, name: str) -> None:
        path = self.path(name)
        if path in self.files.held:
            self.files.rename(path, self.files.stamped(path))

    @rule(name=paths, stamped=st.booleans(), between=st.sampled_from([0, 0, 2]))
    def copytruncate(self, name: str, stamped: bool, between: int) -> None:
        path = self.path(name)
        if path not in self.files.held:
            return
        if stamped:
            to = self.files.stamped(path)
        else:
            self.files.shift(path, KEEP)
            to = path.with_name(path.name + ".1")
        self.files.copy_and_truncate(path, to, between=between)

    @rule(name=paths, which=st.integers(0, 5), steps=st.integers(0, 3))
    def compress(self, name: str, which: int, steps: int) -> None:
        """Compress a rotated file, with so many steps of the sidecar while it is being done."""
        path = self.path(name)
        rotated = sorted(
            each
            for each in self.files.held
            if each.parent == path.parent
            and each.name.startswith(path.name)
            and each != path
            and each.suffix != ".gz"
        )
        if not rotated:
            return
        chosen = rotated[which % len(rotated)]
        to = self.files.begin_compressing(chosen)
        self.step(steps)
        self.files.finish_compressing(chosen, to)

    @rule(name=paths)
    def delete(self, name: str) -> None:
        if self.path(name) in self.files.held:
            self.files.delete(self.path(name))

    @rule(name=paths)
    def move_to_another_directory(self, name: str) -> None:
        path = self.path(name)
        to = path.with_name("other") / path.name
        if path in self.files.held and to not in self.files.held:
            to.parent.mkdir(exist_ok=True)
            self.files.rename(path, to)

    @rule(count=st.integers(1, 8))
    def step(self, count: int) -> None:
        if not self.is_down:
            for _ in range(count):
                self.sidecar.step()

    @rule(seconds=st.sampled_from([2, 12]))
    def pass_time(self, seconds: int) -> None:
        if not self.is_down:
            self.sidecar.pass_time(seconds)

    @rule(clean=st.booleans())
    @precondition(lambda self: not self.is_down)
    def stop(self, clean: bool) -> None:
        self.sidecar.stop(clean=clean)
        self.note_counts()
        self.is_down = True

    @rule()
    @precondition(lambda self: self.is_down)
    def start(self) -> None:
        self.sidecar.start()
        self.gone -= self.sidecar.totals.bytes_gone
        self.is_down = False

    @rule(clean=st.booleans())
    @precondition(lambda self: not self.is_down)
    def restart(self, clean: bool) -> None:
        self.stop(clean)
        self.start()

    @rule()
    def everything_arrives(self) -> None:
        if self.is_down:
            self.start()
        for path in list(self.files.held):
            if path.name in ("a.log", "b.log"):
                self.files.end_line(path)
        self.sidecar.pass_time(12)
        self.check()

    def check(self) -> None:
        """Conservation, order, and nothing twice."""
        arrived = self.arrived()
        stored, written = Counter(arrived), Counter()
        for content in self.files.contents:
            written.update(content.messages)
        written |= Counter(dict.fromkeys(self.files.losable, 1))
        missing = written - stored - self.taken()
        lost = sorted(set(missing) - self.files.losable)
        twice = stored - written
        counted = self.sidecar.totals.possible_duplicates
        self.events, self.lost = len(arrived), len(lost)
        self.twice = max(0, twice.total() - counted)
        assert not lost, f"lost: {short(lost)}"
        unknown = sorted(set(stored) - set(written))
        assert not unknown, f"never written: {short(unknown)}"
        assert not self.twice, f"twice, and {counted} counted: {short(twice)}"
        gone = self.gone + self.sidecar.totals.bytes_gone
        undelivered = sum(len(message) + 1 for message in missing)
        assert gone <= undelivered, f"{gone} bytes counted as gone, {undelivered} not delivered"
        assert self.sidecar.status()["backlog"]["bytes"] == 0, self.sidecar.status()["sources"]
        if not twice and self.keeps_order:
            for content in self.files.contents:
                place = {message: number for number, message in enumerate(arrived)}
                order = [place[message] for message in content.lines if message in place]
                assert order == sorted(order), f"out of order: {short(content.lines)}"

    @property
    def keeps_order(self) -> bool:
        """Does nothing excuse another order than the file's?"""
        return True

    def arrived(self) -> list[str]:
        """Every message that is stored, stream by stream."""
        streams = self.sidecar.streams()
        return [message for name in streams for message in self.sidecar.messages(name)]

    def taken(self) -> Counter[str]:
        """Messages that were stored, and then deleted in CloudWatch: they may be there again."""
        return Counter()

    def teardown(self) -> None:
        try:
            self.everything_arrives()
        finally:
            self.files.close()
            self.sidecar.__exit__(None, None, None)
            self._folder.cleanup()
            self.report()

    def report(self) -> None:
        """Add this program to the tally."""
        counted = {"events": self.events, "lost": self.lost, "twice": self.twice}
        self.tally.update(counted | {"programs": 1})

    def note_counts(self) -> None:
        self.gone += self.sidecar.totals.bytes_gone

    def path(self, name: str) -> Path:
        return self.files.folder / name


def short(messages: object) -> list[str]:
    return [str(message).rstrip("x ") for message in messages]  # type: ignore[attr-defined]


@pytest.mark.timeout(600 + PROGRAMS)
def test_h01_random_programs_lose_and_double_nothing() -> None:
    """Whatever a writer, a rotation, a compression and restarts do, in whatever order, each line
    that still exists is delivered once, and the others are counted where they were seen.

    Catches: taking a copy for a new file; reading a truncated file on; passing over an archive.
    """
    run_state_machine_as_test(
        ReadingMachine,
        settings=settings(
            max_examples=PROGRAMS,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )

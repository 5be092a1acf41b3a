"""M01-M04: random programs of several sidecars on one volume, against a model of what was written.

Each member has a clock of its own, which moves with its steps alone: who is not stepped is frozen.
MEMBER_PROGRAMS sets how many programs are tried; `make chaos` tries as many as asked.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from sidecar.model.journal import GONE, REPLACED
from sidecar.registry.heartbeat import FENCE_SECONDS
from sidecar.registry.members import MembershipLostError
from sidecar.registry.membership import RING_SECONDS
from tests.properties.log_files import Content, LogFiles
from tests.properties.test_reading_machine import ReadingMachine
from tests.support.fake_destination import FakeDestination
from tests.support.shipping import Shipping

PROGRAMS = int(os.environ.get("MEMBER_PROGRAMS", "100"))
STEPS = 16

TASKS = ("red", "green", "blue")
PATHS = ("shared/a.log", "shared/b.log", "red/app.log", "green/app.log")
KEEP = 9
"""Generations that a rotation keeps: more than a program makes, so that none is deleted."""

QUIET_ROUNDS = 16
MOST_ROUNDS = 600

tasks = st.sampled_from(TASKS)
paths = st.sampled_from(PATHS)
counts = st.integers(1, 3)


class MembersMachine(RuleBasedStateMachine):
    """Writers, rotations, and three tasks' sidecars that come, go, freeze and are cut off.

    Every line is stored once, in its file's order and in one stream; and no file has two owners.
    """

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.volume = Path(self._folder.name)
        (self.volume / "logs").mkdir()
        self.files = LogFiles(self.volume / "logs")
        self.cloudwatch = FakeDestination(lambda: int(time.time() * 1000))
        self.members: dict[str, Shipping] = {}
        self.frozen: set[str] = set()
        self.cut_off: set[str] = set()

    @initialize()
    def first_members(self) -> None:
        for task in TASKS:
            self.start(task)

    @rule(name=paths, count=counts)
    def append(self, name: str, count: int) -> None:
        self.files.append(self.path(name), count, 20)

    @rule(name=paths, again=st.integers(0, 2))
    def rotate(self, name: str, again: int) -> None:
        path = self.path(name)
        if path in self.files.held:
            self.files.shift(path, KEEP)
            self.files.rename(path, path.with_name(path.name + ".1"))
            if again:
                self.files.append(path, again, 20)

    @rule(name=paths)
    def move_to_another_directory(self, name: str) -> None:
        path = self.path(name)
        to = path.with_name("old") / path.name
        if path in self.files.held and to not in self.files.held:
            to.parent.mkdir(exist_ok=True)
            self.files.rename(path, to)

    @rule(task=tasks)
    def start(self, task: str) -> None:
        if task not in self.members:
            self.members[task] = Shipping(self.volume, self.cloudwatch, task=task)

    @rule(task=tasks, clean=st.booleans())
    def end(self, task: str, clean: bool) -> None:
        """A clean stop hands over at once; a kill, of a frozen one too, leaves its lock free."""
        if task not in self.members:
            return
        if clean and task not in self.frozen | self.cut_off:
            assert self.members[task].stop() == 0
        else:
            self.members[task].stop(clean=False)
        self.forget(task)

    @rule(task=tasks)
    def freeze(self, task: str) -> None:
        if task in self.members:
            self.frozen.add(task)

    @rule(task=tasks)
    def cut(self, task: str) -> None:
        """Its lease is over: the server has given its lock away, and it cannot know yet."""
        if task in self.members and task not in self.cut_off:
            self.frozen.add(task)
            self.cut_off.add(task)
            self.members[task].member.leave()

    @rule(task=tasks)
    def go_on(self, task: str) -> None:
        """Whoever was frozen goes on after more than the fence. One that was cut off sends nothing
        before its heartbeat has failed; then it joins anew."""
        if task not in self.frozen:
            return
        self.frozen.discard(task)
        member = self.members[task]
        member.now += FENCE_SECONDS + 1
        if task not in self.cut_off:
            return
        before = self.cloudwatch.acts["put"]
        member.beats = False
        member.step()
        assert self.cloudwatch.acts["put"] == before, "it sent behind a shut fence"
        member.fence.lose("the lock is lost")
        with pytest.raises(MembershipLostError):
            member.step()
        member.stop(clean=False)
        self.forget(task)
        self.start(task)

    @rule(task=tasks, count=st.integers(1, 4))
    def step(self, task: str, count: int) -> None:
        if task in self.members and task not in self.frozen:
            for _ in range(count):
                self.members[task].step()

    @rule()
    def time_passes(self) -> None:
        """Enough for a dead member to be found, by those that are not frozen."""
        for _ in range(int(RING_SECONDS) + 2):
            self.step_all(1.0)

    @invariant()
    def no_file_has_two_owners(self) -> None:
        owned: Counter[tuple[str, int]] = Counter()
        for task in self.members.keys() - self.cut_off:
            claims = [each.claim for each in self.ledger(task).sources.values()]
            held = {(claim.root, claim.inode) for claim in claims}
            owned.update(each for each in held if each[1] not in (GONE, REPLACED))
        assert all(count == 1 for count in owned.values()), owned

    @rule()
    def everything_arrives(self) -> None:
        for task in sorted(self.frozen):
            self.go_on(task)
        if not self.members:
            self.start("blue")
        quiet = rounds = 0
        while quiet < QUIET_ROUNDS:
            self.step_all(0.5)
            busy = any(member.is_busy for member in self.members.values())
            quiet = 0 if busy or self.missing() else quiet + 1
            rounds += 1
            assert rounds < MOST_ROUNDS, f"lost: {sorted(self.missing())}"
        self.check()

    def check(self) -> None:
        """Once each, in order, in one stream."""
        written = Counter(line for content in self.files.contents for line in content.lines)
        assert Counter(self.stored()) == written
        for content in self.files.contents:
            assert self.streams_of(content) <= 1, "a file's lines in two streams"
            place = {line: number for number, line in enumerate(self.stored())}
            order = [place[line] for line in content.lines]
            assert order == sorted(order), f"out of order: {content.lines}"
        counted = {task: each.totals.possible_duplicates for task, each in self.members.items()}
        assert not any(counted.values()), counted

    def teardown(self) -> None:
        try:
            self.everything_arrives()
        finally:
            self.files.close()
            for member in self.members.values():
                member.stop(clean=False)
            self._folder.cleanup()
            ReadingMachine.tally.update({"programs": 1, "events": len(self.stored())})

    def step_all(self, seconds: float) -> None:
        for task, member in self.members.items():
            if task not in self.frozen:
                member.step(seconds)

    def forget(self, task: str) -> None:
        del self.members[task]
        self.frozen.discard(task)
        self.cut_off.discard(task)

    def ledger(self, task: str):  # type: ignore[no-untyped-def]
        return self.members[task].shipper.checkpoints.ledger

    def stored(self) -> list[str]:
        fake = self.cloudwatch
        names = fake.streams("/ecs/reports")
        return [line for name in names for line in fake.messages("/ecs/reports", name)]

    def missing(self) -> set[str]:
        written = {line for content in self.files.contents for line in content.lines}
        return written - set(self.stored())

    def streams_of(self, content: Content) -> int:
        fake = self.cloudwatch
        streams = [set(fake.messages("/ecs/reports", n)) for n in fake.streams("/ecs/reports")]
        return sum(bool(stream & set(content.lines)) for stream in streams)

    def path(self, name: str) -> Path:
        return self.files.folder / name


@pytest.mark.timeout(600 + PROGRAMS)
def test_m01_random_programs_of_several_members_lose_and_double_nothing() -> None:
    """Whoever is killed, frozen, cut off or replaced meanwhile, and whatever is rotated and moved.

    Catches: a fence that does not shut; a take-over that forgets a name it had left to the dead;
    a claim that two members take for theirs.
    """
    run_state_machine_as_test(
        MembersMachine,
        settings=settings(
            max_examples=PROGRAMS,
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )

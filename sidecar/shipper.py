"""The main path: start, run, drain.

One thread, the pump, steps `run_once` and owns every structure. Each step settles what came back,
finds and reads what is new, sends what is ready, and writes down what must survive.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from sidecar import status
from sidecar.delivery.delivery import Delivery
from sidecar.delivery.sender import LONGEST_CREATION
from sidecar.health import Degradation, Vitals
from sidecar.model.batch import StreamKey
from sidecar.registry.checkpoints import Checkpoints
from sidecar.sharing import Sharing
from sidecar.sources.intake import Intake
from sidecar.sources.poll import Budget, Rate
from sidecar.telemetry import Progress, Totals
from sidecar.wake import Wake
from sidecar.web.status_board import StatusBoard

log = structlog.get_logger(__name__)

LONGEST_STEP_WAIT = 1.0
"""Seconds between steps at most: health wants a sign of life, the journal its fsync."""

FENCED_STEP_WAIT = 0.2
"""The same while nothing may be sent."""

DRAINED, BACKLOG_LEFT = 0, 3
"""Exit statuses (contract)."""


class Shipper:
    """Everything wired together; `bootstrap` builds it."""

    def __init__(
        self,
        *,
        member: str,
        intake: Intake,
        delivery: Delivery,
        checkpoints: Checkpoints,
        sharing: Sharing,
        board: StatusBoard,
        vitals: Vitals,
        totals: Totals,
        budget: Budget,
        wake: Wake,
        memory: int,
        drain_deadline: float,
        drain_quiet: float,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.intake = intake
        self.delivery = delivery
        self.checkpoints = checkpoints
        self.sharing = sharing
        self._member = member
        self._board = board
        self._vitals = vitals
        self._totals = totals
        self._budget = budget
        self._wake = wake
        self._memory = memory
        self._drain_deadline = drain_deadline
        self._drain_quiet = drain_quiet
        self._clock = clock
        self._wall_clock = wall_clock
        self._rate = Rate(clock())
        self._progress = Progress(totals, clock())
        self._state = "running"

    def run(self, should_stop: Callable[[], bool], reload: Callable[[], None]) -> int:
        """Ship until told to stop, then drain; gives the exit status. Raises MembershipLostError.

        `reload` is called between steps, to take in a new configuration if one was asked for.
        """
        while not should_stop():
            reload()
            self._wake.wait(self.run_once(self._clock()))
        return self.drain()

    def close(self) -> None:
        """Let go of what is open on the volume, without another word to it."""
        self.intake.close()
        self.checkpoints.let_go()

    def run_once(self, now: float) -> float:
        """One step; gives the seconds to sleep unless something wakes the pump."""
        now_ms = int(self._wall_clock() * 1000)
        self._vitals.beat(now)
        self.delivery.settle(now, now_ms)
        self.sharing.step(now, now_ms)
        self.intake.discover(now, now_ms)
        self.sharing.make_durable(now, now_ms)
        self._vitals.first_scan_done()
        self.intake.wake(now)
        for key, portion in self.intake.read(now, now_ms, self._has_room):
            self.delivery.add(key, portion)
            self._send(now, now_ms)
        if not self.intake.reach.hung:
            for notice in self.intake.artifacts.step(now, now_ms, has_room=self._has_room()):
                self.delivery.add_manifest(notice.key, notice.message, notice.version, now_ms)
        self._send(now, now_ms)
        if not self.intake.reach.hung:
            self.intake.removal.step(now, now_ms)
        self.checkpoints.flush(now)
        self.checkpoints.sync(now, now_ms)
        self._tell(now)
        return self._until_next_step(now)

    def drain(self) -> int:
        """Read on until the files are quiet and everything is delivered, or the deadline comes."""
        began = self._clock()
        deadline = began + self._drain_deadline
        self._state = "draining"
        self._vitals.drain_began()
        log.info("drain_began", deadline_seconds=self._drain_deadline)
        self.intake.look_at_everything(began, self._now_ms())
        looked_at = began
        while (now := self._clock()) < deadline:
            pause = self.run_once(now)
            quiet_since = max(began, self.intake.last_growth)
            if now - quiet_since >= self._drain_quiet and self._is_settled():
                if looked_at > quiet_since:
                    break
                # One more look for what no event told: another host's writes, a late rotation.
                self.intake.look_at_everything(now, self._now_ms())
                looked_at = now
                continue
            until_quiet = quiet_since + self._drain_quiet - now
            pause = min(pause, max(0.01, until_quiet), deadline - now)
            self._wake.wait(pause)
        return self._end()

    def _end(self) -> int:
        now = self._clock()
        self.delivery.settle(now, self._now_ms())
        left = status.backlog(self.intake, now)
        artifacts = self.intake.artifacts.left()
        hung = self.intake.reach.hung
        unsettled = left["bytes"] or artifacts or hung or not self.delivery.is_empty
        self.sharing.end(now)
        self.checkpoints.close(now, self._now_ms())
        self._state = "stopped"
        self._tell(now, at_once=True)
        if unsettled:
            files = [
                f"{source.path} ({source.backlog} bytes)"
                for source in self.intake.catalogue.sources.values()
                if source.backlog > 0
            ]
            files += [f"{path} (an artifact)" for path in artifacts]
            files += [f"what is below {mount} (it does not answer)" for mount in hung]
            log.error(
                "backlog_left",
                bytes=left["bytes"],
                files=files[:20],
                more_files=max(0, len(files) - 20),
                remedy="the next run resumes here",
            )
            return BACKLOG_LEFT
        log.info("drained", events=self._totals.events_delivered)
        return DRAINED

    def _send(self, now: float, now_ms: int) -> None:
        """Cut and send what may go; the intents are on the volume before the requests start."""
        self.delivery.cut(now, now_ms)
        if not self.sharing.fence.is_open or self._intents_wait(now) > 0.0:
            return
        batches = self.delivery.startable(now)
        if batches:
            began = self._clock()
            self.delivery.intend(batches, now_ms)
            self.checkpoints.commit(now)
            if (took := self._clock() - began) > LONGEST_CREATION:
                # Who reads the journal must be able to believe when they were sent.
                self.delivery.intend(batches, self._now_ms(), later=took)
                self.checkpoints.flush(now)
            self.delivery.send(batches)

    def _intents_wait(self, now: float) -> float:
        """Seconds for which what is ready waits for company, where an fsync goes before it."""
        wait = self.checkpoints.intents_wait(now)
        return 0.0 if wait <= 0.0 or self.delivery.fills_senders else wait

    def _has_room(self, key: StreamKey | None = None) -> bool:
        """May more be read, for this stream or for any?

        A stream that gets nothing through must not take the others' room: each holds at most its
        share, and a quarter is for streams that hold nothing yet.
        """
        taken = self.delivery.memory
        if taken and taken + self.delivery.largest_portion > self._memory:
            return False
        held = self.delivery.held(key) if key is not None else 0
        share = self._memory / max(1, self.delivery.busy)
        return not held or (held < share and taken < self._memory * 0.75)

    def _is_settled(self) -> bool:
        """Has everything that is to be shipped been shipped?"""
        artifacts = self.intake.artifacts
        if self.intake.has_unread or not self.delivery.is_empty or self.intake.reach.hung:
            return False
        if artifacts.unfinished or artifacts.unsettled():
            return False
        return all(source.backlog <= 0 for source in self.intake.catalogue.sources.values())

    def _until_next_step(self, now: float) -> float:
        if self.intake.rounds.reads_again or (self.intake.has_unread and self._has_room()):
            return 0.0
        if not self.sharing.fence.is_open:
            return FENCED_STEP_WAIT  # the heartbeat wakes the pump
        # Looks that are due wait for the budget, not for the processor; batches for neither.
        looks = max(self.intake.next_due() - now, self._budget.wait(now))
        sends = max(self.delivery.next_due(now), self._intents_wait(now))
        return max(0.0, min(looks, sends, LONGEST_STEP_WAIT))

    def _tell(self, now: float, *, at_once: bool = False) -> None:
        degradations = tuple(self._degradations(now))
        self._vitals.degrade(degradations)
        self._totals.metadata_operations = self._budget.spent
        self._rate.mark(now, self._budget.spent)
        self._progress.tell(
            now, lambda: status.backlog(self.intake, now), len(degradations), last=at_once
        )
        if not (self._board.wanted or at_once):
            return
        self._board.publish(
            status.status(
                member=self._member,
                members=self.sharing.members(now),
                state=self._state,
                degradations=degradations,
                intake=self.intake,
                delivery=self.delivery,
                totals=self._totals,
                operations_per_second=self._rate.per_second(now, self._budget.spent),
                budget=self._budget.rate,
                now=now,
            )
        )

    def _degradations(self, now: float) -> list[Degradation]:
        found = [
            *self.delivery.degradations(now),
            *self.intake.artifacts.degradations(),
            *self.intake.removal.degradations(),
            *self.sharing.degradations(),
        ]
        for mount in self.intake.reach.hung:
            text = f"the volume at {mount} does not answer; its files wait, the others go on"
            found.append(Degradation("hung", text))
        if self.checkpoints.problem is not None:
            found.append(Degradation("journal", self.checkpoints.problem))
        catalogue = self.intake.catalogue
        stuck = {each.path: each.problem for each in catalogue.sources.values() if each.problem}
        unreadable = {
            "matching files": catalogue.unreadable | stuck,
            "directories": self.intake.discovery.unreadable,
        }
        for what, problems in unreadable.items():
            if problems:
                path, problem = next(iter(problems.items()))
                text = f"{len(problems)} {what} cannot be read, {path} first: {problem}"
                found.append(Degradation("unreadable", text))
        return found

    def _now_ms(self) -> int:
        return int(self._wall_clock() * 1000)

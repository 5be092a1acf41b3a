"""Random programs, seed after seed: the state machines of `tests/properties`, and their report.

`python -m tests.chaos.programs SEED MINUTES` goes on for so long.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from dataclasses import dataclass, field

import hypothesis
import structlog
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from tests.properties.test_delivery_machine import DeliveryMachine, TimedDeliveryMachine
from tests.properties.test_members_machine import MembersMachine
from tests.properties.test_reading_machine import ReadingMachine

MACHINES: tuple[type[RuleBasedStateMachine], ...] = (
    DeliveryMachine,
    TimedDeliveryMachine,
    MembersMachine,
    ReadingMachine,
)
ROUND = 50
"""Programs that share a seed."""
STEPS = 20


@dataclass
class Programs:
    """What so many rounds came to; `failures` are the shortest programs that failed, in steps."""

    first_seed: int
    rounds: int = 0
    tally: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not self.failures

    def described(self) -> str:
        """The report."""
        found = self.tally
        faults = {
            name.removeprefix("fault: "): hits
            for name, hits in sorted(found.items())
            if name.startswith("fault: ")
        }
        last = self.first_seed + max(0, self.rounds - 1)
        return (
            f"programs: seeds {self.first_seed} to {last}, {found['programs']} programs, "
            f"{found['events']} events, {found['kills']} kills, "
            f"{found['unknown outcomes']} unknown outcomes, lost {found['lost']}, "
            f"twice {found['twice']} beyond those counted, {len(self.failures)} failed\n"
            f"  faults: {faults}"
        )


def run(seed: int, *, count: int | None = None, until: float = float("inf")) -> Programs:
    """So many programs, or as many as begin before `until` on the monotonic clock."""
    report = Programs(seed)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    ReadingMachine.tally.clear()
    while time.monotonic() < until and (count is None or report.rounds * ROUND < count):
        number = seed + report.rounds
        machine = MACHINES[report.rounds % len(MACHINES)]
        report.rounds += 1
        try:
            run_state_machine_as_test(
                hypothesis.seed(number)(type(machine.__name__, (machine,), {})),
                settings=settings(
                    max_examples=ROUND if count is None else min(ROUND, count),
                    stateful_step_count=STEPS,
                    deadline=None,
                    database=None,
                    phases=(Phase.generate, Phase.shrink),
                    suppress_health_check=list(HealthCheck),
                ),
            )
        except Exception as failure:  # noqa: BLE001 - whatever it is, it is reported
            each = failure.exceptions if isinstance(failure, ExceptionGroup) else [failure]
            where = f"seed {number}, {machine.__name__}"
            report.failures += [f"{where}: {told(one)}" for one in each]
            print(*report.failures[-len(each) :], sep="\n", flush=True)
    report.tally += ReadingMachine.tally
    return report


def told(failure: Exception) -> str:
    """The failure, and the steps that lead to it."""
    return "\n".join([f"{type(failure).__name__}: {failure}", *getattr(failure, "__notes__", [])])


if __name__ == "__main__":
    seed, minutes = int(sys.argv[1]), float(sys.argv[2])
    report = run(seed, until=time.monotonic() + 60.0 * minutes)
    print(report.described(), flush=True)
    sys.exit(0 if report.is_clean else 1)

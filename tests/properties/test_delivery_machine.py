"""H01, the delivering half: the reading half's programs, while CloudWatch fails and processes die.

DELIVERY_PROGRAMS sets how many programs are tried; `make chaos` tries as many as asked.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from sidecar.delivery.destination import Denied, Throttled
from tests.properties.fickle_destination import RECONCILE_WAIT, Fate, FickleDestination, Showing
from tests.properties.log_files import LogFiles
from tests.properties.sudden_death import Killed, killed_in_call
from tests.properties.test_reading_machine import PATHS, ReadingMachine, counts, paths
from tests.support.shipping import GROUP, Shipping

PROGRAMS = int(os.environ.get("DELIVERY_PROGRAMS", "60"))
STEPS = 20

EXPIRED = Denied("ExpiredTokenException", "the credentials expired", "renew them")
FORBIDDEN = Denied("AccessDeniedException", "it may not", "allow it")

few = st.integers(1, 7)
calls = st.integers(0, 12)
fates = st.sampled_from(["stored", "lost", "late"])
showings = st.sampled_from(["at once", "late", "in pieces", "off and on"])


class DeliveryMachine(ReadingMachine):
    """What the reading half holds, with every fault: and nothing is twice even so.

    Only where asking cannot prove anything, reading being denied or the stream deleted, may as
    much be twice as was counted.
    """

    timestamp = "arrival"

    def __init__(self) -> None:
        self.cloudwatch = FickleDestination(lambda: int(time.time() * 1000))
        super().__init__()
        self.cloudwatch.clock = lambda: self.sidecar.now
        self.may_double = False
        self.kills = 0

    def shipping(self, volume: Path) -> Shipping:
        sidecar = Shipping(
            volume,
            self.cloudwatch,
            entry={"timestamp": self.timestamp},
            delivery={"linger": "10ms", "reconcile_wait": f"{RECONCILE_WAIT:g}s"},
            drain={"quiet": "200ms", "deadline": "5s"},
        )
        sidecar.fake = self.cloudwatch
        return sidecar

    @initialize(first=few)
    def begin(self, first: int) -> None:
        for name in PATHS:
            self.write(name, first)

    @rule(name=paths, fate=fates, times=counts, count=few)
    def lose_answers(self, name: str, fate: Fate, times: int, count: int) -> None:
        """The next answers are lost, whatever became of the batches."""
        self.cloudwatch.unknown += [fate] * times
        self.write(name, count)

    @rule(name=paths, times=counts, count=few)
    def throttle(self, name: str, times: int, count: int) -> None:
        self.cloudwatch.script(name, *[Throttled("Rate exceeded")] * times)
        self.write(name, count)

    @rule(times=counts)
    def throttle_reads(self, times: int) -> None:
        self.cloudwatch.throttled_reads += times

    @rule(name=paths, showing=showings, count=few)
    def show(self, name: str, showing: Showing, count: int) -> None:
        self.cloudwatch.showing = showing
        self.write(name, count)

    @rule(name=paths, what=st.sampled_from(["down", "expired", "denied"]), count=few)
    def trouble(self, name: str, what: str, count: int) -> None:
        """An outage, or credentials that are no good, until `recover`."""
        self.cloudwatch.down = what == "down"
        self.cloudwatch.denied = EXPIRED if what == "expired" else None
        self.cloudwatch.refusal = FORBIDDEN if what == "denied" else None
        self.write(name, count)

    @rule()
    def deny_reads(self) -> None:
        self.cloudwatch.reading_refusal = FORBIDDEN
        self.may_double = True

    @rule(name=paths, count=few)
    def recover(self, name: str, count: int) -> None:
        self.mend()
        self.write(name, count)

    @rule(name=paths, count=few)
    def delete_stream(self, name: str, count: int) -> None:
        if name in self.cloudwatch.streams(GROUP):
            self.cloudwatch.delete_stream(GROUP, name)
            self.may_double = True
            self.write(name, count)

    @rule()
    def delete_group(self) -> None:
        if self.cloudwatch.streams(GROUP):
            self.cloudwatch.delete_group(GROUP)
            self.may_double = True

    @rule(seconds=st.sampled_from([2, 12]))
    def pass_time(self, seconds: int) -> None:
        """With an outage it does not come to rest."""
        for _ in range(2 * seconds if not self.is_down else 0):
            self.sidecar.step(0.5)

    @rule(name=paths, fate=fates, count=few)
    @precondition(lambda self: not self.is_down)
    def die_in_a_request(self, name: str, fate: Fate, count: int) -> None:
        """SIGKILL while requests are under way that are never answered."""
        self.cloudwatch.silent = fate
        self.append(name, count, 40)
        for _ in range(4):
            if not self.cloudwatch.unanswered:
                self.sidecar.step()
        self.kill()
        self.cloudwatch.speak()

    @rule(name=paths, count=few, call=calls, torn=st.booleans(), draining=st.booleans())
    @precondition(lambda self: not self.is_down)
    def die_in_a_call(self, name: str, count: int, call: int, torn: bool, draining: bool) -> None:
        """SIGKILL in the middle of writing state, on the way or in a drain."""
        self.append(name, count, 40)
        with suppress(Killed), killed_in_call(call, torn=torn):
            if draining:
                self.sidecar.stop()
            else:
                self.step(6)
        self.kill()

    @rule(clean=st.booleans())
    @precondition(lambda self: not self.is_down)
    def stop(self, clean: bool) -> None:
        if not clean:
            self.kill()
            return
        self.sidecar.stop()
        self.note_counts()
        self.is_down = True

    @rule()
    def everything_arrives(self) -> None:
        self.mend()
        super().everything_arrives()

    def write(self, name: str, count: int) -> None:
        """Something for the faults to meet."""
        self.append(name, count, 40)
        self.step(1)

    def mend(self) -> None:
        """What asks for somebody to act is mended."""
        self.cloudwatch.down = False
        self.cloudwatch.denied = self.cloudwatch.refusal = self.cloudwatch.reading_refusal = None

    def kill(self) -> None:
        """SIGKILL. A dead process sends nothing: what it handed over has had its fate."""
        self.kills += 1
        self.sidecar.await_answers(but=lambda: self.cloudwatch.unanswered)
        self.sidecar.stop(clean=False)
        self.note_counts()
        self.is_down = True

    def check(self) -> None:
        self.cloudwatch.catch_up()
        super().check()
        if not self.may_double:
            counted = self.sidecar.totals.possible_duplicates
            assert counted == 0, f"{counted} events were sent again unproved"

    @property
    def keeps_order(self) -> bool:
        """What a killed process had not got through may have a later time of arrival."""
        was_killed = self.kills > 0 and self.timestamp == "arrival"
        return not self.may_double and not was_killed

    def taken(self) -> Counter[str]:
        return Counter(self.cloudwatch.deleted)

    def report(self) -> None:
        super().report()
        self.tally["kills"] += self.kills
        self.tally["unknown outcomes"] += self.sidecar.totals.outcomes_unknown
        self.tally.update({f"fault: {name}": hits for name, hits in self.cloudwatch.hits.items()})


class StampedFiles(LogFiles):
    """Three lines share a millisecond, in the order they are written."""

    began = int(time.time() * 1000) - 3_600_000

    def line(self, content: int, number: int, width: int) -> str:
        at = self.began + number // 3
        moment = datetime.fromtimestamp(at // 1000, UTC)
        stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}Z"
        return f"{stamp} {super().line(content, number, width)}"


class TimedDeliveryMachine(DeliveryMachine):
    """The same for lines that have times of their own."""

    timestamp = "auto"

    def writer(self, logs: Path) -> LogFiles:
        return StampedFiles(logs)


@pytest.mark.parametrize("machine", [DeliveryMachine, TimedDeliveryMachine])
@pytest.mark.timeout(600 + 2 * PROGRAMS)
def test_h01_random_programs_under_faults(machine: type[DeliveryMachine]) -> None:
    """Whatever a writer, a rotation, CloudWatch and a killer do, in whatever order, each line that
    still exists is stored once, in order, unless nothing could be asked.

    Catches: a lost answer that is taken for a refusal; a result that closes the wrong intent; a
    stream that sends the times of an unresolved batch.
    """
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, PROGRAMS // 2),
            stateful_step_count=STEPS,
            suppress_health_check=list(HealthCheck),
        ),
    )

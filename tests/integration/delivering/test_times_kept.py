"""C02: what has no time of its own keeps the time it was sent with, until CloudWatch has it."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from sidecar.delivery.destination import Outcome, Throttled
from tests.integration.delivering.asking import Asked
from tests.integration.delivering.stepped import GROUP, Stepped, append, settings_for, stepping
from tests.integration.delivering.test_after_a_crash import killed_under_way, shipped_before


class Busy(Asked):
    """It has no time for batches that contain `busy_for`, and says so when it has taken what comes
    with them, `meanwhile`."""

    def __init__(self) -> None:
        super().__init__()
        self.busy_for: str | None = None
        self.meanwhile: str | None = None
        self._taken = threading.Event()

    def put(self, group: str, stream: str, body: bytes, count: int) -> Outcome:
        text = body.decode()
        if self.busy_for is not None and self.busy_for in text:
            if self.meanwhile is not None:
                assert self._taken.wait(30.0), f"{self.meanwhile} was not sent beside it"
            return Throttled("Rate exceeded")
        outcome = super().put(group, stream, body, count)
        if self.meanwhile is not None and self.meanwhile in text:
            self._taken.set()
        return outcome


def at_rest(life: Stepped) -> None:
    """Step until the outcome of every request is written down."""
    life.until(lambda: not life.shipper.delivery.under_way)


LOGS = {"timestamp": "arrival", "partial": "1s"}


@pytest.mark.parametrize("end", [Stepped.die, Stepped.end])
@pytest.mark.parametrize("how", ["request", "half"])
def test_c02_what_was_found_missing_keeps_its_time_over_another_kill(
    tmp_path: Path, how: str, end: object
) -> None:
    """Killed once more, or ended, before what a kill left unsent could be sent again: the stream
    shows it before what followed, once.

    Catches: a closed intent whose times are forgotten.
    """
    assert callable(end)
    destination = Busy()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path, logs=[{"include": [f"{tmp_path}/logs/*.log"], **LOGS}])
    shipped_before(settings, destination, path, "before\n")
    lines = [f"unknown {number}" for number in range(6)]
    write = "".join(f"{line}\n" for line in lines)
    killed_under_way(settings, destination, how, lambda: append(path, write))
    append(path, "after\n")
    life = Stepped(settings, destination)
    destination.busy_for = "unknown"
    life.until(lambda: "after" in destination.messages(GROUP, "a.log"))
    life.until(lambda: life.totals.outcomes_resolved)
    life.pass_time(2.0)
    at_rest(life)
    end(life)
    destination.busy_for = None
    append(path, "last\n")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    stored = destination.messages(GROUP, "a.log")
    assert sorted(stored) == sorted(["before", *lines, "after", "last"])
    assert (stored[0], stored[-2:]) == ("before", ["after", "last"])


def test_c02_what_was_throttled_keeps_its_time_over_a_kill(tmp_path: Path) -> None:
    """What CloudWatch had no time for is sent by the next life with its time: the stream shows it
    before what was sent beside it and taken.

    Catches: a time that only an intent keeps, and only as long as it is open.
    """
    destination = Busy()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path, logs=[{"include": [f"{tmp_path}/logs/*.log"], **LOGS}])
    shipped_before(settings, destination, path, "before\n")
    destination.busy_for, destination.meanwhile = "first", "second"
    life = Stepped(settings, destination)
    append(path, "zeroth\n")
    life.until(lambda: "zeroth" in destination.messages(GROUP, "a.log"))
    at_rest(life)
    append(path, "first\n")
    life.until(lambda: life.shipper.delivery.under_way)
    append(path, "second\n")
    at_rest(life)
    life.die()
    destination.busy_for = None
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == ["before", "zeroth", "first", "second"]


def test_c02_what_is_sent_again_unproved_keeps_its_time(tmp_path: Path) -> None:
    """Nothing can be asked after the kill: what may be stored or not is sent again, is counted, and
    stands before what followed it.

    Catches: a new time of arrival for an intent that is given up.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    logs = [{"include": [f"{tmp_path}/logs/*.log"], **LOGS}]
    settings = settings_for(tmp_path, logs=logs)
    shipped_before(settings, destination, path, "before\n")
    life = Stepped(settings, destination)
    destination.lose("request")
    append(path, "unknown\n")
    life.until(lambda: life.shipper.delivery.unresolved)
    append(path, "after\n")
    life.until(lambda: "after" in destination.messages(GROUP, "a.log"))
    at_rest(life)
    life.die()
    asks_nothing = settings_for(tmp_path, logs=logs, delivery={"reconcile": False})
    with stepping(asks_nothing, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 1

    assert destination.messages(GROUP, "a.log") == ["before", "unknown", "after"]

"""M05: a mount that hangs the pump: health says so, the status is the last one, a drain ends."""

from unittest import mock

from sidecar import bootstrap
from sidecar.health import PUMP_STALLED_SECONDS, Vitals
from sidecar.settings import Settings
from sidecar.signals import Signals
from sidecar.sources.poll import Budget
from sidecar.web.status_board import StatusBoard

SETTINGS = Settings.model_validate(
    {"log_group": "/g", "logs": [{"include": ["/v/*"]}], "drain": {"deadline": "7s"}}
)


def test_m05_a_drain_that_hangs_is_ended() -> None:
    """A stop whose pump hangs in the file system ends with status 3, 2 s after the deadline.

    Catches: a deadline that only the pump itself looks at.
    """
    process = bootstrap._Process(SETTINGS, lambda: SETTINGS, Signals())
    process._stopping.set()
    with (
        mock.patch("sidecar.bootstrap.time.sleep") as slept,
        mock.patch("sidecar.bootstrap.os._exit") as ended,
    ):
        process._guard_deadline()
    slept.assert_called_once_with(7.0 + bootstrap.DEADLINE_GRACE_SECONDS)
    ended.assert_called_once_with(3)


def test_m05_status_answers_while_the_pump_hangs() -> None:
    """A status that the pump does not publish is the last one, with its age.

    Catches: waiting for the pump without a bound.
    """
    board = StatusBoard(fresh_for=0.0)
    board.publish({"state": "running"})
    status = board.read(0.0)
    assert status["state"] == "running"
    assert "stale_seconds" in status


def test_a_long_first_scan_is_no_hang() -> None:
    """Each metadata operation is a sign of life: ten thousand opens over NFS, in one step, leave
    the sidecar healthy; one that does not come back makes it unhealthy.

    Catches: counting operations without telling health.
    """
    now = [0.0]
    vitals = Vitals(now[0])
    vitals.beat(now[0])
    budget = Budget(50, 0.0, alive=lambda: vitals.beat(now[0]))
    for _ in range(100):
        now[0] += 1.0
        budget.spend(2)
    assert vitals.verdict(now[0]).healthy
    assert not vitals.verdict(now[0] + PUMP_STALLED_SECONDS + 1).healthy

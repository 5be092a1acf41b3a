"""What counts as sick, what only as degraded, and when the sidecar is ready."""

from sidecar.health import (
    PUMP_STALLED_SECONDS,
    REQUEST_OVERDUE_SECONDS,
    START_SECONDS,
    Degradation,
    Vitals,
)


def test_a_pump_that_beats_is_healthy() -> None:
    """Up to the limit since the last beat there is no reason to restart."""
    vitals = Vitals(started=0.0)
    vitals.beat(100.0)
    assert vitals.verdict(100.0 + PUMP_STALLED_SECONDS).healthy


def test_a_stalled_pump_is_sick_until_it_beats_again() -> None:
    """Past the limit the reason says for how long; one beat cures it."""
    vitals = Vitals(started=0.0)
    vitals.beat(100.0)
    verdict = vitals.verdict(100.0 + PUMP_STALLED_SECONDS + 1)
    assert not verdict.healthy
    assert verdict.reasons == ("the pump has not stepped for 31 s",)
    vitals.beat(140.0)
    assert vitals.verdict(141.0).healthy


def test_a_start_may_take_longer_than_a_step() -> None:
    """Before the first beat the longer limit of a start holds, and then that one is over too."""
    vitals = Vitals(started=10.0)
    assert vitals.verdict(10.0 + START_SECONDS).healthy
    assert not vitals.verdict(10.0 + START_SECONDS + 1).healthy


def test_w11_an_overdue_request_turns_health_red() -> None:
    """A request that never answers is a reason to restart past its deadline, and not before.

    Mutant: in `verdict`, compare with `REQUEST_OVERDUE_SECONDS * 1000`.
    """
    vitals = Vitals(started=0.0)
    token = vitals.request_started(0.0)
    other = vitals.request_started(50.0)
    now = REQUEST_OVERDUE_SECONDS + 1
    vitals.beat(now)
    assert vitals.verdict(now).reasons == (
        "1 request(s) to AWS past their deadline, the longest for 61 s",
    )
    vitals.request_finished(token)
    assert vitals.verdict(now).healthy
    vitals.request_finished(other)


def test_finishing_a_request_twice_does_no_harm() -> None:
    """A token that is not open any more is ignored."""
    vitals = Vitals(started=0.0)
    token = vitals.request_started(0.0)
    vitals.request_finished(token)
    vitals.request_finished(token)
    vitals.beat(1000.0)
    assert vitals.verdict(1000.0).healthy


def test_w07_degradation_is_not_sickness() -> None:
    """What a restart would not cure leaves the verdict alone, and goes when it is replaced.

    Mutant: let `verdict` add the degradations to its reasons.
    """
    vitals = Vitals(started=0.0)
    vitals.beat(1.0)
    vitals.degrade((Degradation("denied", "PutLogEvents is not allowed; add it to the role"),))
    assert vitals.verdict(1.0).healthy
    assert [str(each) for each in vitals.degradations] == [
        "denied: PutLogEvents is not allowed; add it to the role"
    ]
    vitals.degrade(())
    assert vitals.degradations == ()


def test_ready_from_the_first_scan_until_the_drain() -> None:
    """Starting and draining are the two ways not to be ready."""
    vitals = Vitals(started=0.0)
    assert vitals.unready == "starting: the first scan is not done"
    vitals.first_scan_done()
    assert vitals.unready is None
    vitals.drain_began()
    assert vitals.unready == "draining"

"""What is said of failures, and how often."""

from structlog.testing import capture_logs

from sidecar.delivery.destination import Denied, Throttled, Unreachable
from sidecar.delivery.troubles import WORTH_A_WORD, Troubles
from sidecar.model.batch import StreamKey

STREAMS = [StreamKey("/g", str(number)) for number in range(100)]
DOWN = Unreachable("no route")


def said(logs: list[dict[str, object]]) -> list[object]:
    return [line["event"] for line in logs]  # type: ignore[misc]


def test_w07_one_trouble_of_many_streams_is_said_once() -> None:
    """However many streams fail, and however often: one line when it begins, one when it is over.

    Catches: a warning for each stream.
    """
    troubles = Troubles()
    with capture_logs() as logs:
        for now in (0.0, 3.0, 9.0):
            for key in STREAMS:
                troubles.note(key, DOWN, now)
        for key in STREAMS:
            troubles.over(key, WORTH_A_WORD + 1)
    assert said(logs) == ["delivery_failing", "delivery_resumed"]
    assert logs[1]["after"] == "unreachable"
    assert not list(troubles.degradations())


def test_w07_another_refusal_is_another_trouble() -> None:
    """What asks for another act is said too, and an outage that becomes a denial.

    Catches: one kind of word for all denials.
    """
    troubles = Troubles()
    first, second = STREAMS[:2]
    with capture_logs() as logs:
        troubles.note(first, DOWN, 0.0)
        troubles.note(first, Denied("AccessDenied", "no", "allow it on /g"), 20.0)
        troubles.note(second, Denied("AccessDenied", "no", "allow it on /h"), 20.0)
    kinds = [line["kind"] for line in logs if line["event"] == "delivery_failing"]
    assert kinds == ["unreachable", "denied", "denied"]
    assert said(logs).count("delivery_resumed") == 1
    assert [each.kind for each in troubles.degradations()] == ["denied"]


def test_w04_a_trouble_that_the_next_try_ends_is_said_only_as_it_begins() -> None:
    """Throttling now and then makes one line each time, not two. Catches: a word at each end."""
    troubles = Troubles()
    with capture_logs() as logs:
        troubles.note(STREAMS[0], Throttled("Rate exceeded"), 0.0)
        troubles.over(STREAMS[0], 1.0)
    assert said(logs) == ["delivery_failing"]

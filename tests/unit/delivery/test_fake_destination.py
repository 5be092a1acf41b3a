"""The fake's own doors: scripts, outages, what is hidden, and what it does not put up with."""

from __future__ import annotations

import pytest

from sidecar.delivery import encode
from sidecar.delivery.destination import (
    Accepted,
    Invalid,
    Outcome,
    Page,
    StoredEvent,
    Throttled,
    Unknown,
    Unreachable,
)
from tests.support.fake_destination import FakeDestination, LostReply, LostRequest

NOW = 1_700_000_000_000


@pytest.fixture
def fake() -> FakeDestination:
    fake = FakeDestination(now_ms=lambda: NOW)
    fake.make("g", "s")
    return fake


def put(fake: FakeDestination, *messages: str, times: list[int] | None = None) -> Outcome:
    times = times or [NOW] * len(messages)
    return fake.put("g", "s", encode.body("g", "s", times, messages), len(messages))


def test_a_script_is_played_once(fake: FakeDestination) -> None:
    """Scripted outcomes come in order, and say truly whether the batch is stored."""
    fake.script("s", Throttled("wait"), LostRequest(), LostReply(), Accepted(0, 1))

    kinds = [type(put(fake, str(at))) for at in range(5)]

    assert kinds == [Throttled, Unknown, Unknown, Accepted, Accepted]
    assert fake.messages("g", "s") == ["2", "3", "4"]
    assert [each.outcome for each in fake.puts][3:] == [Accepted(0, 1)] * 2


def test_an_outage_leaves_the_script_alone(fake: FakeDestination) -> None:
    """While it is down every act is unreachable; the script goes on afterwards."""
    fake.script("s", Throttled("wait"))
    fake.down = True
    assert type(put(fake, "x")) is Unreachable
    assert type(fake.create("g", "t", "stream")) is Unreachable
    assert type(fake.read("g", "s", 0, NOW)) is Unreachable
    fake.down = False
    assert type(put(fake, "x")) is Throttled


def test_what_is_hidden_is_stored(fake: FakeDestination) -> None:
    """Hidden batches cannot be read before they are shown."""
    put(fake, "a")
    fake.hiding = True
    put(fake, "b")
    page = fake.read("g", "s", 0, NOW)
    assert isinstance(page, Page)
    assert page.events == [StoredEvent(NOW, "a")]
    assert fake.messages("g", "s") == ["a", "b"]
    fake.show()
    page = fake.read("g", "s", 0, NOW)
    assert isinstance(page, Page)
    assert [event.message for event in page.events] == ["a", "b"]


def test_a_poisoned_batch_is_invalid(fake: FakeDestination) -> None:
    """One event with the marker has the whole batch refused."""
    fake.poison = "bad"
    assert type(put(fake, "good", "bad")) is Invalid
    assert put(fake, "good") == Accepted(0, 1)


@pytest.mark.parametrize(
    ("messages", "times"),
    [
        (["a", "b"], [NOW, NOW - 1]),
        (["a", "b"], [NOW, NOW + encode.MAX_SPAN_MS + 1]),
        (["a", ""], [NOW, NOW]),
        (["x" * encode.MAX_MESSAGE_BYTES, "y"], [NOW, NOW]),
        (["x"] * 10_001, [NOW] * 10_001),
        (["a"], [-1]),
    ],
    ids=["order", "span", "empty", "bytes", "count", "negative"],
)
def test_an_unlawful_batch_is_a_bug(
    fake: FakeDestination, messages: list[str], times: list[int]
) -> None:
    """What the service would refuse for its shape stops the test there and then."""
    with pytest.raises(AssertionError):
        put(fake, *messages, times=times)


@pytest.mark.parametrize(
    ("group", "stream"), [("a b", "s"), ("aws/x", "s"), ("g", "a:b"), ("g", "")]
)
def test_an_unlawful_name_is_a_bug(fake: FakeDestination, group: str, stream: str) -> None:
    """So does a name that CloudWatch does not accept."""
    with pytest.raises(AssertionError):
        fake.create(group, stream, "group")


def test_a_wrong_count_is_a_bug(fake: FakeDestination) -> None:
    """The count is the body's."""
    with pytest.raises(AssertionError):
        fake.put("g", "s", encode.body("g", "s", [NOW], ["a"]), 2)

"""One contract for every destination: CloudWatch by boto3 on two witnesses, and the fake."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sidecar.delivery import encode
from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from sidecar.delivery.destination import (
    Accepted,
    Created,
    Denied,
    Destination,
    MissingTarget,
    Page,
    StoredEvent,
)
from sidecar.settings import Create
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.fake_destination import FakeDestination

HOUR = 60 * 60 * 1000
DAY = 24 * HOUR
NOW = time.time_ns() // 1_000_000
_numbers = count()


@dataclass(frozen=True)
class Subject:
    """A destination, and a look at what it stored that goes past it."""

    destination: Destination
    without_groups: Destination
    stored: Callable[[str, str], Sequence[tuple[int, str]]]
    group: str
    compressed: Destination

    def put(
        self,
        events: list[tuple[int, str]],
        stream: str = "s",
        through: Destination | None = None,
    ) -> object:
        times, messages = [t for t, _ in events], [m for _, m in events]
        body = encode.body(self.group, stream, times, messages)
        return (through or self.destination).put(self.group, stream, body, len(events))


def cloudwatch(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Iterator[Client]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    client = Client(connections=8, read_seconds=10)
    yield client
    client.close()


def through_boto3(
    client: Client, stored: Callable[[str, str], Sequence[tuple[int, str]]]
) -> Iterator[Subject]:
    yield Subject(
        destination=CloudWatchDestination(client, create=Create()),
        without_groups=CloudWatchDestination(client, create=Create(groups=False)),
        compressed=CloudWatchDestination(client, create=Create(), compression="gzip"),
        stored=stored,
        group=f"/contract/{next(_numbers)}",
    )


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[Subject]:
    with StrictCloudWatch() as double:
        for client in cloudwatch(monkeypatch, double.environment()):
            yield from through_boto3(client, lambda g, s: list(double.events(g, s)))
        assert double.violations == []


@pytest.fixture
def moto(monkeypatch: pytest.MonkeyPatch, moto_url: str) -> Iterator[Subject]:
    environment = {
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": moto_url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }

    def stored(group: str, stream: str) -> list[tuple[int, str]]:
        reader = boto3.client("logs", region_name="us-east-1", endpoint_url=moto_url)
        answer = reader.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)
        return [(event["timestamp"], event["message"]) for event in answer["events"]]

    for client in cloudwatch(monkeypatch, environment):
        yield from through_boto3(client, stored)


@pytest.fixture
def fake() -> Subject:
    destination = FakeDestination(now_ms=lambda: NOW)
    return Subject(
        destination=destination,
        without_groups=FakeDestination(now_ms=lambda: NOW, may_create_groups=False),
        compressed=destination,
        stored=lambda g, s: list(destination.events(g, s)),
        group="/contract/fake",
    )


@pytest.fixture(params=["strict", "moto", "fake"])
def subject(request: pytest.FixtureRequest) -> Subject:
    found: Subject = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["strict", "fake"])
def judging(request: pytest.FixtureRequest) -> Subject:
    """Those that say rightly which events are too old or too new; moto's indexes are wrong."""
    found: Subject = request.getfixturevalue(request.param)
    return found


def test_what_is_missing_is_named_made_and_then_used(subject: Subject) -> None:
    """Without the group it is the group that is missing; create makes it and the stream in it."""
    events = [(NOW, "one"), (NOW, "two")]

    assert subject.put(events) == MissingTarget("group")
    assert subject.destination.create(subject.group, "s", "group") == Created()
    assert subject.put(events) == Accepted(0, 2)
    assert subject.stored(subject.group, "s") == events


def test_w06_a_missing_stream_is_made_in_its_group(subject: Subject) -> None:
    """W06: a second stream of a group is missing by itself, and made by itself.

    Catches: answering MissingTarget("group") for every ResourceNotFoundException.
    """
    subject.destination.create(subject.group, "s", "group")

    assert subject.put([(NOW, "x")], "t") == MissingTarget("stream")
    assert subject.destination.create(subject.group, "t", "stream") == Created()
    assert subject.put([(NOW, "x")], "t") == Accepted(0, 1)
    assert subject.stored(subject.group, "s") == []


def test_w06_what_somebody_else_made_meanwhile_is_a_success(subject: Subject) -> None:
    """W06: create of what is there already changes nothing and succeeds.

    Catches: not treating ResourceAlreadyExistsException as made.
    """
    subject.destination.create(subject.group, "s", "group")
    subject.put([(NOW, "kept")])

    assert subject.destination.create(subject.group, "s", "group") == Created()
    assert subject.destination.create(subject.group, "s", "stream") == Created()
    assert subject.stored(subject.group, "s") == [(NOW, "kept")]


def test_w06_a_stream_in_a_group_that_is_gone(subject: Subject) -> None:
    """W06: making a stream where the group was deleted too says that it is the group.

    Catches: answering MissingTarget("stream") from create, which would go round for ever.
    """
    assert subject.destination.create(subject.group, "s", "stream") == MissingTarget("group")


def test_w06_a_group_that_may_not_be_made(subject: Subject) -> None:
    """W06: with create.groups false a missing group is somebody's to make, and says so.

    Catches: ignoring create.groups.
    """
    outcome = subject.without_groups.create("/contract/forbidden", "s", "group")

    assert isinstance(outcome, Denied)
    assert outcome.code == "GroupMissing"
    assert "create" in outcome.remedy


def test_messages_are_stored_as_they_are(subject: Subject) -> None:
    """Order, repeats, quotes, controls, all planes of Unicode: what was put is what is stored."""
    messages = [" ", "b", "a", "b", 'a","b', "\\n\n\t\x00\x1b", "é漢\U0001f600\u2028", '{"k": "v"}']
    events = [(NOW + at // 2, message) for at, message in enumerate(messages)]
    subject.destination.create(subject.group, "s", "group")

    assert subject.put(events) == Accepted(0, len(events))
    assert subject.stored(subject.group, "s") == events


def test_a_compressed_body_is_the_same_body(subject: Subject) -> None:
    """With gzip the same events are stored."""
    events = [(NOW, "é" * 1000), (NOW + 1, "x")]
    subject.destination.create(subject.group, "s", "group")

    assert subject.put(events, through=subject.compressed) == Accepted(0, 2)
    assert subject.stored(subject.group, "s") == events


def test_w01_the_largest_batches(subject: Subject) -> None:
    """W01: 10,000 events, and 1,048,576 bytes by the service's count, are accepted.

    Catches: an EVENT_OVERHEAD of 27, or MAX_EVENTS of 10,001 where the service counts.
    """
    subject.destination.create(subject.group, "s", "group")
    many = [(NOW, "x")] * encode.MAX_EVENTS
    large = [(NOW, "é" * (encode.MAX_MESSAGE_BYTES // 2))]

    assert subject.put(many) == Accepted(0, encode.MAX_EVENTS)
    assert subject.put(large) == Accepted(0, 1)


def test_a_span_of_exactly_24_hours(subject: Subject) -> None:
    """W02: 24 hours from the first event to the last are within the limit."""
    subject.destination.create(subject.group, "s", "group")

    assert subject.put([(NOW - encode.MAX_SPAN_MS, "a"), (NOW, "b")]) == Accepted(0, 2)


def test_reading_back_is_paged_and_bounded_on_both_sides(subject: Subject) -> None:
    """read gives the events of [least, greatest], both included, and ends by saying so."""
    subject.destination.create(subject.group, "s", "group")
    subject.put([(NOW + at, f"m{at}") for at in range(6)])
    found: list[StoredEvent] = []
    token: str | None = None
    for _ in range(10):
        page = subject.destination.read(subject.group, "s", NOW + 1, NOW + 4, token)
        assert isinstance(page, Page)
        found += page.events
        token = page.token
        if page.end:
            break
    else:
        pytest.fail("reading does not end")

    assert found == [(NOW + at, f"m{at}") for at in range(1, 5)]


def test_reading_what_is_not_there(subject: Subject) -> None:
    """A missing group or stream is missing for read as well; an empty stream is an empty page."""
    read = subject.destination.read

    assert read(subject.group, "s", 0, NOW) == MissingTarget("group")
    subject.destination.create(subject.group, "s", "group")
    # moto says "log group" here, whichever is missing.
    assert isinstance(read(subject.group, "t", 0, NOW), MissingTarget)
    page = read(subject.group, "s", 0, NOW)
    assert isinstance(page, Page)
    assert page.events == []


def test_many_threads_put_at_once(subject: Subject) -> None:
    """Batches of several threads and streams are each stored once, in their own stream."""
    subject.destination.create(subject.group, "s0", "group")
    for number in range(1, 4):
        subject.destination.create(subject.group, f"s{number}", "stream")

    def put(at: int) -> object:
        return subject.put([(NOW, f"{at}-{n}") for n in range(50)], f"s{at % 4}")

    with ThreadPoolExecutor(8) as senders:
        outcomes = list(senders.map(put, range(24)))

    assert set(outcomes) == {Accepted(0, 50)}
    for number in range(4):
        expected = sorted(f"{at}-{n}" for at in range(number, 24, 4) for n in range(50))
        assert sorted(m for _, m in subject.stored(subject.group, f"s{number}")) == expected


AGES = [
    pytest.param([-337 * HOUR, -337 * HOUR, -335 * HOUR], Accepted(2, 3, too_old=2), id="old"),
    pytest.param([0, HOUR, 3 * HOUR], Accepted(0, 2, too_new=1), id="new"),
    pytest.param([3 * HOUR, 4 * HOUR], Accepted(0, 0, too_new=2), id="all new"),
    pytest.param([-16 * DAY, -15.5 * DAY], Accepted(2, 2, too_old=2), id="all old"),
    pytest.param([-14 * DAY + HOUR, -13.5 * DAY], Accepted(0, 2), id="none"),
]


@pytest.mark.parametrize(("ages", "expected"), AGES)
def test_w03_events_refused_for_their_age(
    judging: Subject, ages: list[float], expected: Accepted
) -> None:
    """W03: the exact events that are too old or too new are named, and the others are stored.

    Catches: taking tooOldLogEventEndIndex for inclusive, or tooNewLogEventStartIndex for exclusive.
    """
    judging.destination.create(judging.group, "s", "group")
    events = [(NOW + int(age), str(at)) for at, age in enumerate(ages)]

    assert judging.put(events) == expected
    assert judging.stored(judging.group, "s") == events[expected.first : expected.last]

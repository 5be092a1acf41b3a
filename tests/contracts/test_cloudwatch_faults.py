"""What goes wrong between boto3 and CloudWatch, and that each outcome says what is stored."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from sidecar.delivery import carrier, encode
from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from sidecar.delivery.destination import (
    Accepted,
    Created,
    Denied,
    Invalid,
    MissingTarget,
    Outcome,
    Throttled,
    Unknown,
    Unreachable,
)
from sidecar.settings import Create
from tests.support.cloudwatch import StrictCloudWatch

DAY = 24 * 60 * 60 * 1000
GROUP, STREAM = "/ecs/reports", "web.log"


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictCloudWatch]:
    with StrictCloudWatch() as double:
        double.create(GROUP, STREAM)
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def client(double: StrictCloudWatch, clock: Clock) -> Iterator[Client]:
    client = Client(read_seconds=0.5, clock=clock)
    yield client
    client.close()


@pytest.fixture
def destination(client: Client) -> CloudWatchDestination:
    return CloudWatchDestination(client, create=Create(retention_days=7, tags={"team": "x"}))


def put(destination: CloudWatchDestination, *messages: str, at: int | None = None) -> Outcome:
    now = time.time_ns() // 1_000_000 if at is None else at
    body = encode.body(GROUP, STREAM, [now] * len(messages), list(messages))
    return destination.put(GROUP, STREAM, body, len(messages))


CERTAINLY_NOT_STORED = [
    ("throttle", {}, Throttled),
    ("access_denied", {}, Denied),
    ("expired_token", {}, Denied),
    ("unrecognized", {}, Denied),
    ("down", {"mode": "refuse"}, Unreachable),
]
NOBODY_KNOWS = [
    ("server_error", {"status": 500}, 0),
    ("server_error", {"status": 503}, 0),
    ("server_error", {"status": 500, "stored": True}, 1),
    ("server_error", {"status": 503, "stored": True}, 1),
    ("reset_before", {}, 0),
    ("reset_after", {}, 1),
    ("cut_reply", {}, 1),
    ("no_answer", {"seconds": 5}, 0),
    ("no_answer", {"seconds": 5, "stored": True}, 1),
    ("slow", {"seconds": 1.5}, 1),
    ("down", {"mode": "reset"}, 0),
]


@pytest.mark.parametrize(("kind", "options", "expected"), CERTAINLY_NOT_STORED)
def test_w04_w07_what_is_certain_stores_nothing(
    double: StrictCloudWatch,
    destination: CloudWatchDestination,
    clock: Clock,
    kind: str,
    options: dict[str, object],
    expected: type[Outcome],
) -> None:
    """W04, W07: refusals and refused connections store nothing, and the next try goes through.

    Catches: ThrottlingException (not in the service's model) falling through to Denied.
    """
    fault = double.faults.add(kind, **options)
    outcome = put(destination, "once")

    assert type(outcome) is expected
    assert outcome.text
    assert double.messages(GROUP, STREAM) == []
    double.faults.clear(fault)
    clock.now += 60
    assert put(destination, "once") == Accepted(0, 1)
    assert double.messages(GROUP, STREAM) == ["once"]


@pytest.mark.parametrize(("kind", "options", "stored"), NOBODY_KNOWS)
def test_w05_a_lost_answer_is_unknown_and_sent_once(
    double: StrictCloudWatch,
    destination: CloudWatchDestination,
    kind: str,
    options: dict[str, object],
    stored: int,
) -> None:
    """W05: 5xx, resets, cut and missing answers: one request, and nobody claims to know.

    Catches: `total_max_attempts` of 2, by which botocore stores the batch twice, unseen.
    """
    fault = double.faults.add(kind, **options)
    outcome = put(destination, "x")
    double.faults.clear(fault)

    assert type(outcome) is Unknown
    assert double.wait_until(lambda: double.count(GROUP, STREAM) >= stored)
    double.stop()
    assert double.messages(GROUP, STREAM) == ["x"] * stored
    assert double.requests["PutLogEvents"] <= 1


def test_w11_a_request_that_never_answers_ends(
    double: StrictCloudWatch, destination: CloudWatchDestination
) -> None:
    """W11: silence ends with the read time-out, while another thread's request goes through.

    Catches: a read time-out that is not given to botocore, whose own is 60 s.
    """
    double.create(GROUP, "other")
    silence = double.faults.add("no_answer", stream=STREAM, seconds=60)
    outcomes: list[Outcome] = []
    stuck = threading.Thread(target=lambda: outcomes.append(put(destination, "x")))
    stuck.start()
    body = encode.body(GROUP, "other", [time.time_ns() // 1_000_000], ["y"])
    assert destination.put(GROUP, "other", body, 1) == Accepted(0, 1)
    stuck.join(30)

    assert silence.fired == 1
    assert [type(outcome) for outcome in outcomes] == [Unknown]


def test_w08_a_poisoned_batch_is_invalid(
    double: StrictCloudWatch, destination: CloudWatchDestination
) -> None:
    """W08: a batch refused for one of its events is Invalid, and none of it is stored.

    Catches: InvalidParameterException taken for Denied, which is tried again for ever.
    """
    double.faults.add("poison", marker="bad")

    assert type(put(destination, "good", "bad")) is Invalid
    assert put(destination, "good") == Accepted(0, 1)
    assert double.messages(GROUP, STREAM) == ["good"]


def test_w09_a_name_that_is_refused_costs_no_event(destination: CloudWatchDestination) -> None:
    """W09: a refused group name is somebody's to correct; the events are not at fault.

    Catches: every InvalidParameterException taken for Invalid, which gives up all events.
    """
    body = encode.body("no such*name", STREAM, [time.time_ns() // 1_000_000], ["x"])
    outcome = destination.put("no such*name", STREAM, body, 1)

    assert isinstance(outcome, Denied)
    assert "log_group" in outcome.remedy


def test_w03_expired_by_the_retention_of_the_group(
    double: StrictCloudWatch, destination: CloudWatchDestination
) -> None:
    """W03: events past the group's retention are counted apart from those that are too old.

    Catches: not reading expiredLogEventEndIndex, which acknowledges them as stored.
    """
    double.store.group(GROUP).retention_days = 1
    now = double.clock.freeze()
    times = [now - DAY - 2, now - DAY - 1, now - 1000]
    body = encode.body(GROUP, STREAM, times, ["a", "b", "c"])

    assert destination.put(GROUP, STREAM, body, 3) == Accepted(2, 3, expired=2)
    assert double.messages(GROUP, STREAM) == ["c"]


def test_w07_denied_says_what_to_allow(
    double: StrictCloudWatch, destination: CloudWatchDestination
) -> None:
    """W07: the remedy names the action and the group to allow.

    Catches: one remedy for all that is denied.
    """
    double.faults.add("access_denied")
    outcome = put(destination, "x")

    assert isinstance(outcome, Denied)
    assert outcome.code == "AccessDeniedException"
    assert "logs:PutLogEvents" in outcome.remedy
    assert GROUP in outcome.remedy


def test_w07_no_credentials_yet(
    double: StrictCloudWatch,
    destination: CloudWatchDestination,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """W07: without credentials nothing is sent; once they are there it goes on, without a restart.

    Catches: keeping the client, since boto3 remembers that it found none.
    """
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    first = put(destination, "x")
    assert isinstance(first, Denied)
    assert first.code == "NoCredentials"
    assert double.requests.total() == 0

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", double.identity.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", double.identity.secret_key)
    clock.now += 3
    put(destination, "x")
    assert put(destination, "x") == Accepted(0, 1)


def test_w07_expired_credentials_are_looked_for_again(
    double: StrictCloudWatch,
    destination: CloudWatchDestination,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """W07: credentials that expired are replaced by those that are there by now.

    Catches: ExpiredTokenException not counted among what a new session cures.
    """

    def use(seconds: float) -> None:
        for name, value in double.environment(double.identities.issue(seconds)).items():
            monkeypatch.setenv(name, value)

    use(60)
    assert put(destination, "a") == Accepted(0, 1)
    double.clock.advance(61)
    use(60)
    clock.now += 61
    outcome = put(destination, "b")
    assert isinstance(outcome, Denied)
    assert outcome.code == "ExpiredTokenException"
    assert put(destination, "b") == Accepted(0, 1)


def test_w07_no_region_yet(
    destination: CloudWatchDestination, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W07: a missing region is an outcome with a remedy, not a crash at the start, and heals.

    Catches: making the boto3 client in the constructor.
    """
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    outcome = put(destination, "x")
    assert outcome == Denied("NoRegion", "no AWS region is configured", "set AWS_REGION")

    monkeypatch.setenv("AWS_REGION", "us-east-1")
    clock.now += 3
    assert put(destination, "x") == Accepted(0, 1)


@pytest.mark.parametrize("url", ["not a url", "http://", "localhost:80"])
def test_w07_an_endpoint_that_is_none(
    destination: CloudWatchDestination, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """W07: a malformed endpoint is an outcome with a remedy that names the endpoint.

    Catches: letting botocore's ValueError out of the port.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", url)
    outcome = put(destination, "x")

    assert isinstance(outcome, Denied)
    assert "endpoint" in outcome.remedy


def test_w07_a_role_is_assumed_and_its_credentials_are_refreshed(
    double: StrictCloudWatch,
) -> None:
    """W07: with role_arn the requests carry the role's keys, taken from STS once for many.

    Catches: signing with the task's own credentials although a role is configured.
    """
    client = Client(role_arn="arn:aws:iam::123456789012:role/logs", read_seconds=5)
    destination = CloudWatchDestination(client, create=Create())
    assert put(destination, "a") == Accepted(0, 1)
    double.identities.remove(double.identity.access_key)
    assert put(destination, "b") == Accepted(0, 1)

    assert double.requests["AssumeRole"] == 1
    assert double.messages(GROUP, STREAM) == ["a", "b"]
    client.close()


def test_w07_a_role_that_is_refused(double: StrictCloudWatch) -> None:
    """W07: what STS refuses is denied with the role's name; nothing was sent to CloudWatch.

    Catches: an STS failure told as an unknown outcome, which would be reconciled for nothing.
    """
    role = "arn:aws:iam::123456789012:role/logs"
    now = [0.0]
    client = Client(role_arn=role, clock=lambda: now[0])
    destination = CloudWatchDestination(client, create=Create())
    double.identities.remove(double.identity.access_key)
    outcome = put(destination, "x")
    assert isinstance(outcome, Denied)
    assert role in outcome.message
    assert double.requests["PutLogEvents"] == 0

    double.identities.add(double.identity)
    now[0] += 3
    put(destination, "x")
    assert put(destination, "x") == Accepted(0, 1)
    client.close()


def test_w06_a_new_group_is_made_as_configured(
    double: StrictCloudWatch, destination: CloudWatchDestination
) -> None:
    """W06: retention and tags are those of the configuration; a group of others keeps its own.

    Catches: PutRetentionPolicy for a group that was there already.
    """
    assert destination.create("/new", STREAM, "group") == Created()
    assert destination.create(GROUP, STREAM, "group") == Created()

    assert double.store.group("/new").retention_days == 7
    assert double.store.group("/new").tags == {"team": "x"}
    assert double.store.group(GROUP).retention_days is None


@pytest.mark.parametrize("kind", ["reset_after", "no_answer"])
def test_w06_a_group_whose_making_was_not_answered_gets_its_retention(
    double: StrictCloudWatch, destination: CloudWatchDestination, kind: str
) -> None:
    """W06: a lost answer to CreateLogGroup does not cost the group its retention.

    Catches: forgetting that the group that is there by now was asked for by us.
    """
    options = {"stored": True} if kind == "no_answer" else {}
    double.faults.add(kind, operation="CreateLogGroup", times=1, seconds=5, **options)

    assert type(destination.create("/new", STREAM, "group")) is Unreachable
    assert double.wait_until(lambda: "/new" in double.store.groups)
    assert destination.create("/new", STREAM, "group") == Created()
    assert double.store.group("/new").retention_days == 7


def test_w06_the_retention_is_refused(
    double: StrictCloudWatch, destination: CloudWatchDestination
) -> None:
    """W06: without the permission to set the retention the logs are shipped, and it is said.

    Catches: taking the refusal for a failure of create, which would stop the stream for ever.
    """
    double.faults.add("access_denied", operation="PutRetentionPolicy")
    outcome = destination.create("/new", STREAM, "group")

    assert isinstance(outcome, Created)
    assert "logs:PutRetentionPolicy" in outcome.note
    assert ("/new", STREAM) in double.streams()


def test_w06_a_group_that_is_refused_costs_no_event(double: StrictCloudWatch) -> None:
    """W06: what CloudWatch refuses in making a group is Denied, and never taken for the batch's.

    Catches: handing out Invalid from create, by which a sender would give up events.
    """
    client = Client()
    unlawful = Create.model_construct(tags={"aws:reserved": "x"})
    destination = CloudWatchDestination(client, create=unlawful)
    outcome = destination.create("/new", STREAM, "group")

    assert isinstance(outcome, Denied)
    assert "create" in outcome.remedy
    client.close()


def test_w06_deleted_while_running(
    double: StrictCloudWatch, destination: CloudWatchDestination
) -> None:
    """W06: a stream, then the whole group, deleted under a running sender are missing by name.

    Catches: caching that a stream was created.
    """
    assert put(destination, "a") == Accepted(0, 1)
    double.store.delete_stream(GROUP, STREAM)
    assert put(destination, "b") == MissingTarget("stream")
    double.store.delete_group(GROUP)
    assert put(destination, "b") == MissingTarget("group")
    assert destination.create(GROUP, STREAM, "group") == Created()
    assert put(destination, "b") == Accepted(0, 1)


def test_w05_an_idle_connection_is_not_used_again(
    double: StrictCloudWatch, destination: CloudWatchDestination, clock: Clock
) -> None:
    """W05: after 4 s of idleness a new connection is opened, before CloudWatch closes the old one.

    Catches: an IDLE_SECONDS beyond the 6 s of the service.
    """
    ports: list[int] = []
    with Relay(double.port, ports) as relay, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", relay.url)
        for pause in (0, 1, 3, 5, 1):
            clock.now += pause
            assert put(destination, "x") == Accepted(0, 1)

    assert len(ports) == 2


def test_a_placeholder_that_was_sent_acknowledges_nothing(
    double: StrictCloudWatch,
    destination: CloudWatchDestination,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Were boto3 ever to send its own body, no event is stored and no batch acknowledged."""
    monkeypatch.setattr(carrier, "attach", lambda events: None)
    outcome = put(destination, "x")

    assert isinstance(outcome, Denied)
    assert outcome.code == "BodyNotPlaced"
    assert double.requests["PutLogEvents"] == 1
    assert double.count() == 0


def test_an_answer_of_somebody_else_acknowledges_nothing(
    destination: CloudWatchDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy's page with status 200 is not CloudWatch's word, so the outcome is unknown."""
    page = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", url)

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(page)
                connection.shutdown(socket.SHUT_WR)
                # The client closes without waiting for what nobody has read.
                with suppress(ConnectionResetError):
                    while connection.recv(65536):
                        pass

        proxy = threading.Thread(target=answer)
        proxy.start()
        outcome = put(destination, "x")
        proxy.join(5)

    assert type(outcome) is Unknown


class Relay:
    """A port that passes bytes on to another and counts the connections made to it."""

    def __init__(self, port: int, opened: list[int]) -> None:
        self._to = port
        self._opened = opened
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Relay:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for opened in self._sockets:
            try:
                opened.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        for thread in self._threads:
            thread.join(5)
        for opened in self._sockets:
            opened.close()

    def _run(self, task: object, *given: socket.socket) -> None:
        thread = threading.Thread(target=task, args=given, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, address = self._listener.accept()
            except OSError:
                return
            self._opened.append(address[1])
            far = socket.create_connection(("127.0.0.1", self._to))
            self._sockets += [near, far]
            self._run(self._pass, near, far)
            self._run(self._pass, far, near)

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return

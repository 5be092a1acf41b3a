"""Each fault: what the client sees, and what was really stored."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    HTTPClientError,
    ReadTimeoutError,
)

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.cloudwatch.faults import KINDS

from .conftest import GROUP, STREAM, Get, Put, Refused

PLAIN = {
    "throttle": "ThrottlingException",
    "access_denied": "AccessDeniedException",
    "expired_token": "ExpiredTokenException",
    "unrecognized": "UnrecognizedClientException",
    "not_found": "ResourceNotFoundException",
    "aborted": "OperationAbortedException",
    "limit_exceeded": "LimitExceededException",
}


@pytest.mark.parametrize("kind", PLAIN)
def test_plain_refusals(
    cloudwatch: StrictCloudWatch, put: Put, refused: Refused, kind: str
) -> None:
    """The code the service uses, HTTP 400, nothing stored, no violation."""
    now_ms = cloudwatch.clock.now_ms()
    fault = cloudwatch.faults.add(kind, times=1)
    assert refused(put, (now_ms, "a")) == PLAIN[kind]
    assert cloudwatch.calls[-1].status == 400
    assert cloudwatch.calls[-1].fault == kind
    put((now_ms, "b"))
    assert cloudwatch.messages(GROUP, STREAM) == ["b"]
    assert fault.fired == 1
    assert cloudwatch.violations == []


@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalFailure"), (503, "ServiceUnavailableException")]
)
@pytest.mark.parametrize("stored", [False, True])
def test_server_error(
    cloudwatch: StrictCloudWatch, put: Put, status: int, code: str, stored: bool
) -> None:
    """A 5xx says nothing about what was stored."""
    cloudwatch.faults.add("server_error", status=status, stored=stored, times=1)
    with pytest.raises(ClientError) as caught:
        put((cloudwatch.clock.now_ms(), "a"))
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert cloudwatch.messages(GROUP, STREAM) == (["a"] if stored else [])


@pytest.mark.parametrize(("kind", "stored"), [("reset_before", []), ("reset_after", ["a"])])
def test_resets(cloudwatch: StrictCloudWatch, put: Put, kind: str, stored: list[str]) -> None:
    """The connection breaks without a reply, before or after the batch was stored."""
    cloudwatch.faults.add(kind, times=1)
    with pytest.raises(ConnectionClosedError) as caught:
        put((cloudwatch.clock.now_ms(), "a"))
    assert "reset by peer" in str(caught.value.__context__)
    assert cloudwatch.messages(GROUP, STREAM) == stored
    put((cloudwatch.clock.now_ms(), "b"))
    assert cloudwatch.messages(GROUP, STREAM) == [*stored, "b"]


def test_cut_reply(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """Half the reply arrives, and boto3 makes an empty success of it: refusals stay unseen.

    A client that believes in a 200 must find `nextSequenceToken` in it, as the service always
    sends it.
    """
    now_ms = cloudwatch.clock.now_ms()
    whole = put((now_ms, "a"))
    cloudwatch.faults.add("cut_reply", times=1)
    cut = put((now_ms, "b"), (now_ms + 8_000_000, "too new"))
    assert cloudwatch.messages(GROUP, STREAM) == ["a", "b"]
    assert "nextSequenceToken" in whole
    assert "nextSequenceToken" not in cut
    assert "rejectedLogEventsInfo" not in cut


@pytest.mark.parametrize("stored", [False, True])
def test_no_answer(cloudwatch: StrictCloudWatch, stored: bool) -> None:
    """Silence until the client gives up; whether it was stored it cannot know."""
    fault = cloudwatch.faults.add("no_answer", stored=stored, times=1)
    client = cloudwatch.client(read_timeout=0.1)
    event: Any = {"timestamp": cloudwatch.clock.now_ms(), "message": "a"}
    with pytest.raises(ReadTimeoutError):
        client.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=[event])
    client.close()
    assert cloudwatch.messages(GROUP, STREAM) == (["a"] if stored else [])
    assert not fault.cleared.is_set()


def test_slow_ends_when_cleared(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """A slow request is executed late, and at once when the fault is cleared."""
    fault = cloudwatch.faults.add("slow", seconds=60)
    thread = threading.Thread(target=put, args=((cloudwatch.clock.now_ms(), "a"),))
    thread.start()
    assert cloudwatch.wait_until(lambda: fault.fired == 1)
    assert cloudwatch.count() == 0
    assert cloudwatch.requests["PutLogEvents"] == 1
    cloudwatch.faults.clear(fault)
    thread.join()
    assert cloudwatch.messages(GROUP, STREAM) == ["a"]


def test_delayed(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """The client sees a broken connection; its request is executed 20 s later, and counts."""
    now_ms = cloudwatch.clock.now_ms()
    cloudwatch.faults.add("delayed", seconds=20, exact=True, times=1)
    with pytest.raises(ConnectionClosedError):
        put((now_ms, "first"))
    put((now_ms, "second"))
    cloudwatch.clock.advance(19.999)
    cloudwatch.deferred.run_due()
    assert cloudwatch.messages(GROUP, STREAM) == ["second"]
    assert cloudwatch.deferred.pending == 1
    cloudwatch.clock.advance(0.001)
    assert cloudwatch.wait_until(lambda: cloudwatch.count() == 2)
    assert cloudwatch.messages(GROUP, STREAM) == ["second", "first"]


def test_delayed_at_a_random_moment(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """Without `exact` the moment is drawn, within the bound, from the seed."""
    for _ in range(8):
        cloudwatch.faults.add("delayed", seconds=20, times=1, seed=3)
        with pytest.raises(ConnectionClosedError):
            put((cloudwatch.clock.now_ms(), "a"))
    assert cloudwatch.deferred.pending == 8
    cloudwatch.clock.advance(20)
    assert cloudwatch.wait_until(lambda: cloudwatch.count() == 8)


def test_delayed_into_silence(cloudwatch: StrictCloudWatch) -> None:
    """With `hang` the client waits for nothing, and its request is executed all the same."""
    fault = cloudwatch.faults.add("delayed", seconds=5, exact=True, hang=True)
    client = cloudwatch.client(read_timeout=0.1)
    event: Any = {"timestamp": cloudwatch.clock.now_ms(), "message": "a"}
    with pytest.raises(ReadTimeoutError):
        client.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=[event])
    client.close()
    assert cloudwatch.count() == 0
    cloudwatch.faults.clear(fault)
    cloudwatch.deferred.run_due(everything=True)
    assert cloudwatch.messages(GROUP, STREAM) == ["a"]


def test_delayed_and_refused(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """What has become unlawful or impossible meanwhile is stored nowhere."""
    cloudwatch.faults.add("delayed", seconds=5)
    with pytest.raises(ConnectionClosedError):
        put((cloudwatch.clock.now_ms(), "a"))
    with pytest.raises(ConnectionClosedError):
        put((2, "b"), (1, "c"))
    cloudwatch.store.delete_stream(GROUP, STREAM)
    cloudwatch.deferred.run_due(everything=True)
    assert cloudwatch.count() == 0
    assert [violation.stream for violation in cloudwatch.violations] == [STREAM]


def test_poison(cloudwatch: StrictCloudWatch, put: Put, refused: Refused) -> None:
    """One message with the marker refuses its whole call, for ever."""
    now_ms = cloudwatch.clock.now_ms()
    cloudwatch.faults.add("poison", marker="☠")
    assert refused(put, (now_ms, "a"), (now_ms, "b☠")) == "InvalidParameterException"
    assert refused(put, (now_ms, "b☠")) == "InvalidParameterException"
    put((now_ms, "a"))
    assert cloudwatch.messages(GROUP, STREAM) == ["a"]
    assert cloudwatch.violations == []


def test_poison_and_throttle_combine(
    cloudwatch: StrictCloudWatch, put: Put, refused: Refused
) -> None:
    """The poison waits behind the other fault."""
    cloudwatch.faults.add("poison", marker="x")
    cloudwatch.faults.add("throttle", times=1)
    event = (cloudwatch.clock.now_ms(), "x")
    assert refused(put, event) == "ThrottlingException"
    assert refused(put, event) == "InvalidParameterException"


def test_lag(cloudwatch: StrictCloudWatch, put: Put, get: Get) -> None:
    """Accepted events are stored at once and readable later."""
    event = (cloudwatch.clock.now_ms(), "a")
    cloudwatch.faults.add("lag", seconds=5)
    put(event)
    assert cloudwatch.events(GROUP, STREAM) == [event]
    assert get() == []
    cloudwatch.clock.advance(4.999)
    assert get() == []
    cloudwatch.clock.advance(0.001)
    assert get() == [event]


def test_partial(cloudwatch: StrictCloudWatch, put: Put, get: Get) -> None:
    """A batch appears piece by piece, not from its head, and whole in the end."""
    now_ms = cloudwatch.clock.now_ms()
    events = [(now_ms, str(i)) for i in range(12)]
    cloudwatch.faults.add("partial", seconds=4, pieces=4, seed=1)
    put(*events)
    seen = [get()]
    for _ in range(4):
        cloudwatch.clock.advance(1)
        seen.append(get())
    assert [len(found) for found in seen] == [0, 3, 6, 9, 12]
    assert seen[1] != events[:3]
    assert seen[-1] == events
    assert all(set(less) < set(more) for less, more in pairwise(seen))


def test_flicker(cloudwatch: StrictCloudWatch, put: Put, get: Get) -> None:
    """Readable, gone, readable again, gone again, and then for good."""
    event = (cloudwatch.clock.now_ms(), "a")
    cloudwatch.faults.add("flicker", after=1, seconds=2, cycles=2)
    put(event)
    seen = []
    for _ in range(7):
        seen.append(len(get()))
        cloudwatch.clock.advance(1)
    assert seen == [1, 0, 0, 1, 0, 0, 1]
    assert cloudwatch.events(GROUP, STREAM) == [event]


def test_flicker_begins_when_the_lag_is_over(
    cloudwatch: StrictCloudWatch, put: Put, get: Get
) -> None:
    """Lag, partial and flicker add up."""
    put((cloudwatch.clock.now_ms(), "before"))
    cloudwatch.faults.add("lag", seconds=1)
    cloudwatch.faults.add("flicker", after=1, seconds=1)
    cloudwatch.faults.add("partial", seconds=1, pieces=1)
    put((cloudwatch.clock.now_ms(), "a"))
    seen = []
    for _ in range(4):
        seen.append(len(get()))
        cloudwatch.clock.advance(1)
    assert seen == [1, 1, 1, 2]


def test_blind(cloudwatch: StrictCloudWatch, client: Any, put: Put, get: Get) -> None:
    """Reads find nothing, and their tokens still lead to everything afterwards."""
    event = (cloudwatch.clock.now_ms(), "a")
    put(event)
    fault = cloudwatch.faults.add("blind")
    head = {"logGroupName": GROUP, "logStreamName": STREAM, "startFromHead": True}
    page = client.get_log_events(**head)
    assert page["events"] == []
    assert client.filter_log_events(logGroupName=GROUP)["events"] == []
    cloudwatch.faults.clear(fault)
    page = client.get_log_events(**head, nextToken=page["nextForwardToken"])
    assert [found["message"] for found in page["events"]] == ["a"]


def test_empty_page(cloudwatch: StrictCloudWatch, put: Put, get: Get) -> None:
    """An empty page whose token has changed is not the end."""
    now_ms = cloudwatch.clock.now_ms()
    put(*[(now_ms + i, str(i)) for i in range(4)])
    fault = cloudwatch.faults.add("empty_page", times=2, skip=1)
    assert [message for _, message in get(limit=2)] == ["0", "1", "2", "3"]
    assert fault.fired == 2


def test_empty_page_at_the_end(cloudwatch: StrictCloudWatch, client: Any) -> None:
    """Its token too repeats once there really is nothing more."""
    cloudwatch.faults.add("empty_page", times=1)
    head: Any = {"logGroupName": GROUP, "logStreamName": STREAM, "startFromHead": True}
    token = client.get_log_events(**head)["nextForwardToken"]
    assert client.get_log_events(**head, nextToken=token)["nextForwardToken"] == token


def test_down_refusing(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """Nobody listens, and later somebody does, on the same port."""
    event = (cloudwatch.clock.now_ms(), "a")
    put(event)
    port = cloudwatch.port
    fault = cloudwatch.faults.add("down")
    for _ in range(2):
        with pytest.raises(EndpointConnectionError):
            put(event)
    assert cloudwatch.count() == 1
    cloudwatch.faults.clear(fault)
    put(event)
    assert cloudwatch.count() == 2
    assert cloudwatch.port == port


def test_down_resetting(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """Connections are accepted and reset."""
    event = (cloudwatch.clock.now_ms(), "a")
    put(event)
    with_down = cloudwatch.faults.add("down", mode="reset")
    for _ in range(2):
        with pytest.raises(ConnectionClosedError):
            put(event)
    cloudwatch.faults.clear(with_down)
    put(event)
    assert cloudwatch.count() == 2


@pytest.mark.parametrize("mode", ["refuse", "reset"])
def test_down_cuts_open_requests(cloudwatch: StrictCloudWatch, mode: str) -> None:
    """A request that was under way gets no reply either."""
    slow = cloudwatch.faults.add("slow", seconds=60)
    client = cloudwatch.client()
    failures: list[Exception] = []

    def put() -> None:
        event: Any = {"timestamp": cloudwatch.clock.now_ms(), "message": "a"}
        try:
            client.put_log_events(logGroupName=GROUP, logStreamName=STREAM, logEvents=[event])
        except HTTPClientError as error:
            failures.append(error)

    thread = threading.Thread(target=put)
    thread.start()
    assert cloudwatch.wait_until(lambda: slow.fired == 1)
    cloudwatch.faults.add("down", mode=mode)
    cloudwatch.faults.clear(slow)
    thread.join()
    client.close()
    assert len(failures) == 1


def test_down_for_a_while(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """With `seconds` it comes back by itself."""
    fault = cloudwatch.faults.add("down", seconds=0.1)
    assert fault.cleared.wait(5)
    assert cloudwatch.wait_until(lambda: cloudwatch.faults.active() == [])
    put((cloudwatch.clock.now_ms(), "a"))
    assert cloudwatch.count() == 1


def test_scope(cloudwatch: StrictCloudWatch, put: Put, client: Any, refused: Refused) -> None:
    """A fault hits the operation, group and stream it names, by glob, and no other."""
    event = (cloudwatch.clock.now_ms(), "a")
    cloudwatch.create(GROUP, "other")
    cloudwatch.create("second", STREAM)
    cloudwatch.faults.add("throttle", operation="Put*", group="/ecs/*", stream="task/*")
    assert refused(put, event) == "ThrottlingException"
    put(event, stream="other")
    put(event, group="second")
    client.describe_log_streams(logGroupName=GROUP)
    client.get_log_events(logGroupName=GROUP, logStreamName=STREAM)


def test_skip_and_times(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """The first `skip` requests pass, the next `times` are hit, the rest pass."""
    cloudwatch.faults.add("throttle", skip=2, times=2)
    fates = ""
    for _ in range(6):
        try:
            put((cloudwatch.clock.now_ms(), "a"))
            fates += "+"
        except ClientError:
            fates += "-"
    assert fates == "++--++"


def test_probability_is_repeatable() -> None:
    """The same seed hits the same requests; about the share that was asked for."""
    draws = []
    for _ in range(2):
        with StrictCloudWatch() as cloudwatch:
            cloudwatch.faults.add("throttle", probability=0.3, seed=11)
            plan = cloudwatch.faults.plan
            draws.append([bool(plan("PutLogEvents", "g", "s")) for _ in range(500)])
    assert draws[0] == draws[1]
    assert 100 < sum(draws[0]) < 200


def test_the_first_of_two_faults_decides(
    cloudwatch: StrictCloudWatch, put: Put, refused: Refused
) -> None:
    """The second is not used up by a request the first one hit."""
    cloudwatch.faults.add("access_denied", times=1)
    second = cloudwatch.faults.add("throttle", times=1)
    assert refused(put, (1, "a")) == "AccessDeniedException"
    assert second.fired == 0
    assert refused(put, (1, "a")) == "ThrottlingException"


def test_lasts(cloudwatch: StrictCloudWatch) -> None:
    """A fault may clear itself."""
    fault = cloudwatch.faults.add("throttle", lasts=0.01)
    assert fault.cleared.wait(5)
    assert cloudwatch.faults.plan("PutLogEvents", "g", "s") == []


def test_unknown_faults(cloudwatch: StrictCloudWatch) -> None:
    """A kind, mode or option nobody knows is an error, and puts nothing in force."""
    with pytest.raises(ValueError, match="unknown fault 'thunder'; known: throttle"):
        cloudwatch.faults.add("thunder")
    with pytest.raises(ValueError, match="unknown mode"):
        cloudwatch.faults.add("down", mode="sideways")
    with pytest.raises(ValueError, match="tims"):
        cloudwatch.faults.add("throttle", tims=3)
    assert cloudwatch.faults.active() == []


def test_every_kind_is_proved_here() -> None:
    """Each documented kind has a test in this file."""
    from pathlib import Path

    text = Path(__file__).read_text()
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []


def test_stopping_ends_every_wait() -> None:
    """The double stops while requests hang and executions are pending: no thread of it goes on."""
    before = set(threading.enumerate())
    with StrictCloudWatch() as cloudwatch:
        cloudwatch.create(GROUP, STREAM)
        cloudwatch.faults.add("delayed", times=1)
        cloudwatch.faults.add("no_answer")
        client = cloudwatch.client()
        event: Any = {"timestamp": cloudwatch.clock.now_ms(), "message": "a"}
        where: Any = {"logGroupName": GROUP, "logStreamName": STREAM}
        with pytest.raises(ConnectionClosedError):
            client.put_log_events(**where, logEvents=[event])
        failed = threading.Event()

        def put() -> None:
            with pytest.raises(HTTPClientError):
                client.put_log_events(**where, logEvents=[event])
            failed.set()

        thread = threading.Thread(target=put)
        thread.start()
        assert cloudwatch.wait_until(lambda: cloudwatch.requests["PutLogEvents"] == 2)
    thread.join()
    client.close()
    assert failed.is_set()
    # One that has let go of its connection may be about to end.
    left = [thread for thread in threading.enumerate() if thread not in before]
    for each in left:
        each.join(10)
    assert [each.name for each in left if each.is_alive()] == []

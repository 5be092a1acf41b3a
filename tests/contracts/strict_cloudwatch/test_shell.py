"""The double as a process of its own, driven through its control interface."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import orjson
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

GROUP = "/ecs/reports"
COMMAND = [sys.executable, "-m", "tests.support.cloudwatch"]


def environment_of(line: str) -> dict[str, str]:
    """What a shell would export after reading the line."""
    words = shlex.split(line, comments=True)
    assert words[0] == "export"
    return dict(word.split("=", 1) for word in words[1:])


@contextmanager
def running(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The process and the environment it prints."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, environment_of(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


@contextmanager
def client_of(environment: dict[str, str]) -> Iterator[Any]:
    """A client with nothing but that environment."""
    opened = boto3.client(
        "logs",
        endpoint_url=environment["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    yield opened
    opened.close()


Control = Callable[..., list[Any]]


def control(environment: dict[str, str], method: str, path: str, value: Any = None) -> list[Any]:
    """One control call; the JSON lines of its reply."""
    address = environment["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"] + "/_control/" + path
    body = None if value is None else orjson.dumps(value)
    request = urllib.request.Request(address, data=body, method=method)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return [orjson.loads(line) for line in reply.read().splitlines()]


def put(client: Any, stream: str, *messages: str) -> None:
    """Puts messages of this moment."""
    now_ms = time.time_ns() // 1_000_000
    events = [{"timestamp": now_ms, "message": message} for message in messages]
    client.put_log_events(logGroupName=GROUP, logStreamName=stream, logEvents=events)


def test_a_session_from_the_shell() -> None:
    """Start, export, ship, drive, question, stop.

    1. It prints one line of environment, with which a client is let in.
    2. The fault of the command line hits once.
    3. Events, streams, requests and calls can be asked for.
    4. Faults can be added and deleted; control calls go through a `down`.
    5. SIGTERM ends it with status 1, since a violation was seen, and names it.
    """
    arguments = ("--group", GROUP, "--fault", "throttle:times=1,operation=CreateLogStream")
    with running(*arguments) as (process, environment), client_of(environment) as client:
        with pytest.raises(ClientError, match="Rate exceeded"):
            client.create_log_stream(logGroupName=GROUP, logStreamName="a")
        for name in "ab":
            client.create_log_stream(logGroupName=GROUP, logStreamName=name)
        put(client, "a", "one", "twö")
        put(client, "b", "three")

        events = control(environment, "GET", "events")
        assert [(e["stream"], e["message"]) for e in events] == [
            ("a", "one"),
            ("a", "twö"),
            ("b", "three"),
        ]
        narrow = control(environment, "GET", "events?group=%2Fecs%2Freports&stream=b")
        assert narrow == events[2:]
        assert control(environment, "GET", "events?group=none") == []
        address = environment["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"] + "/_control/text?stream=a"
        with urllib.request.urlopen(address, timeout=10) as reply:
            assert reply.read().decode() == "one\ntwö\n"
        assert control(environment, "GET", "streams") == [
            {"group": GROUP, "stream": "a", "events": 2},
            {"group": GROUP, "stream": "b", "events": 1},
        ]
        assert control(environment, "GET", "requests") == [
            {"CreateLogStream": 3, "PutLogEvents": 2}
        ]
        assert len(control(environment, "GET", "calls")) == 5

        [lag] = control(environment, "POST", "faults", {"kind": "lag", "seconds": 60})
        [down] = control(environment, "POST", "faults", {"kind": "down", "mode": "reset"})
        with pytest.raises(ConnectionClosedError):
            put(client, "b", "four")
        control(environment, "DELETE", f"faults?number={down['number']}")
        put(client, "b", "four")
        where = {"logGroupName": GROUP, "logStreamName": "b", "startFromHead": True}
        assert len(client.get_log_events(**where)["events"]) == 1
        control(environment, "POST", "clock", {"advance": 60})
        assert len(client.get_log_events(**where)["events"]) == 2
        numbers = [fault["number"] for fault in control(environment, "GET", "faults")]
        assert numbers == [1, lag["number"]]
        control(environment, "DELETE", "faults")
        assert control(environment, "GET", "faults") == []

        assert control(environment, "GET", "violations") == []
        with pytest.raises(ClientError):
            put(client, "b", "")
        [violation] = control(environment, "GET", "violations")
        assert violation["code"] == "InvalidParameterException"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 1
        assert errors.startswith("violation: PutLogEvents")


def test_a_refusing_down_comes_back() -> None:
    """From outside it needs an end, since it closes the control interface too."""
    with running() as (_, environment), client_of(environment) as client:
        with pytest.raises(urllib.error.HTTPError) as caught:
            control(environment, "POST", "faults", {"kind": "down"})
        with caught.value as reply:
            assert b"seconds" in reply.read()
        control(environment, "POST", "faults", {"kind": "down", "seconds": 0.2})
        refusals = 0
        while True:
            try:
                control(environment, "GET", "faults")
                break
            except urllib.error.URLError:
                refusals += 1
                time.sleep(0.02)
        assert refusals > 0
        assert client.describe_log_groups()["logGroups"] == []


@pytest.mark.parametrize(
    ("method", "path", "value", "status"),
    [
        ("GET", "nothing", None, 404),
        ("POST", "faults", {"kind": "thunder"}, 400),
        ("POST", "faults", {}, 400),
        ("POST", "clock", {"advance": "far"}, 400),
        ("DELETE", "faults?number=x", None, 400),
    ],
)
def test_wrong_control_calls(method: str, path: str, value: Any, status: int) -> None:
    """An error with a text, in process as from outside."""
    from tests.support.cloudwatch import StrictCloudWatch

    with StrictCloudWatch() as cloudwatch:
        with pytest.raises(urllib.error.HTTPError) as caught:
            control(cloudwatch.environment(), method, path, value)
        with caught.value as reply:
            assert reply.code == status
            assert orjson.loads(reply.read())["error"]
        assert cloudwatch.requests.total() == 0


def test_seconds_and_interrupt() -> None:
    """It ends by itself, or on Ctrl-C, with status 0."""
    with running("--seconds", "0.01") as (process, _):
        assert process.wait(10) == 0
    with running() as (process, _):
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(10) == 0


def test_busy_port_and_unknown_fault() -> None:
    """One clear line and status 2."""
    with running() as (_, environment):
        port = environment["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"].rpartition(":")[2]
        done = subprocess.run(
            [*COMMAND, "--port", port], capture_output=True, text=True, timeout=20
        )
        assert done.returncode == 2
        assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    done = subprocess.run(
        [*COMMAND, "--fault", "thunder"], capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 2
    assert "unknown fault 'thunder'" in done.stderr

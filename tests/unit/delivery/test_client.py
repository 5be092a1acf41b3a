"""The shared client: made late, made anew, and its credentials found in a session of its own."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import NoRegionError

from sidecar.delivery import client as module
from sidecar.delivery.client import IDLE_SECONDS, RENEW_SECONDS, Client
from sidecar.delivery.credentials import open_session


class Made:
    """Stands in for boto3's client: counts how often its connections were closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Made]:
    """Every client that was made."""
    clients: list[Made] = []

    def make(_: Client) -> Made:
        clients.append(Made())
        return clients[-1]

    monkeypatch.setattr(module.Client, "_make", make)
    return clients


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_building_one_makes_no_client(made: list[Made]) -> None:
    """What is wrong with region or credentials is not a matter of the start."""
    client = Client()
    client.close()
    assert made == []


def test_threads_share_one_client(made: list[Made]) -> None:
    """However many threads begin at once, one client is made."""
    client = Client()
    together = threading.Barrier(8)

    def use() -> None:
        together.wait()
        with client.lend():
            pass

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1


def test_a_client_is_renewed_no_more_often_than_is_sane(made: list[Made]) -> None:
    """Eight senders that are all denied make one new client, not eight."""
    clock = Clock()
    client = Client(clock=clock)
    with client.lend():
        pass
    clock.now += RENEW_SECONDS
    for _ in range(8):
        client.renew()
        with client.lend():
            pass
    assert len(made) == 2


def test_what_cannot_be_made_is_tried_again_after_a_while(
    made: list[Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same problem is told for two seconds, then it is looked at anew."""
    attempts = []

    def fail(_: Client) -> Made:
        attempts.append(1)
        raise NoRegionError

    clock = Clock()
    client = Client(clock=clock)
    with monkeypatch.context() as patch:
        patch.setattr(module.Client, "_make", fail)
        for _ in range(5):
            with pytest.raises(NoRegionError), client.lend():
                pass
    assert len(attempts) == 1
    clock.now += RENEW_SECONDS
    with client.lend():
        pass
    assert len(made) == 1


def test_idle_connections_are_retired_only_when_nobody_uses_them(made: list[Made]) -> None:
    """After a pause connections are closed, but never under a request that is under way."""
    clock = Clock()
    client = Client(clock=clock)
    with client.lend():
        clock.now += IDLE_SECONDS + 1
        with client.lend():
            pass
    assert made[0].closed == 0
    with client.lend():
        pass
    assert made[0].closed == 0
    clock.now += IDLE_SECONDS + 1
    with client.lend():
        pass
    assert made[0].closed == 1


def test_a_request_ends_within_30_seconds() -> None:
    """Connecting, sending and the wait for an answer have bounds that add up to less."""
    assert 2 * module.CONNECT_SECONDS + module.READ_SECONDS <= 30
    assert IDLE_SECONDS < 6


@pytest.mark.parametrize(
    ("region", "environ", "expected"),
    [
        ("eu-west-1", {"AWS_REGION": "us-east-2"}, "eu-west-1"),
        (None, {"AWS_REGION": "us-east-2"}, "us-east-2"),
        (None, {"AWS_REGION": ""}, "sa-east-1"),
        (None, {}, "sa-east-1"),
    ],
)
@pytest.mark.parametrize("role", [None, "arn:aws:iam::123456789012:role/x"])
def test_the_region_of_a_session(
    region: str | None,
    environ: dict[str, str],
    expected: str,
    role: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Given, else AWS_REGION, which boto3 does not read, else what boto3 finds by itself."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "sa-east-1")
    assert open_session(region, role, environ).region_name == expected

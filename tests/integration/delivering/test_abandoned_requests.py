"""W05, M03: a request that was given up is not delivered later by the kernel."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.delivery import encode
from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from sidecar.delivery.destination import Outcome, Unknown
from sidecar.settings import Settings
from tests.support.running_sidecar import wait_for

BODY_BYTES = 900_000
"""More than both ends' buffers hold of what nobody reads."""


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """An endpoint that accepts connections, and reads nothing until the test does."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(20)
        port = listener.getsockname()[1]
        monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH_LOGS", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        yield listener


def test_m03_a_request_that_was_given_up_does_not_arrive_when_the_link_is_back(
    deaf: socket.socket,
) -> None:
    """What waited in the kernel is gone with the connection, whoever reads it in the end.

    Catches: a close that leaves the rest of a request to the kernel, which goes on sending it.
    """
    assert isinstance(put(connect_seconds=0.5, read_seconds=0.5), Unknown)

    connection, _ = deaf.accept()
    connection.settimeout(20)
    received = bytearray()
    with connection, pytest.raises(ConnectionResetError):
        _read_to_the_end(connection, received)
    assert len(received) < BODY_BYTES


def test_m03_what_a_frozen_process_was_sending_does_not_arrive_when_the_link_is_back(
    deaf: socket.socket,
) -> None:
    """The kernel lets go of it by itself, in time for those who ask whether it was stored.

    Catches: leaving it to the process to close what the network does not take.
    """
    sending = (
        "from tests.integration.delivering.test_abandoned_requests import put;"
        "put(connect_seconds=1, read_seconds=1)"
    )
    with subprocess.Popen([sys.executable, "-c", sending]) as process:
        try:
            connection, (_, port) = deaf.accept()
            connection.settimeout(20)
            received = bytearray()
            wait_for(lambda: _sending(port))
            process.send_signal(signal.SIGSTOP)
            wait_for(lambda: _sending(port) is None)
            with connection, pytest.raises(ConnectionResetError):
                _read_to_the_end(connection, received)
            assert len(received) < BODY_BYTES
        finally:
            process.kill()


def put(**seconds: float) -> Outcome:
    """Send more than the endpoint takes."""
    settings = Settings.model_validate({"log_group": "/g", "logs": [{"include": ["/v/*"]}]})
    destination = CloudWatchDestination(Client(**seconds), create=settings.create)
    body = encode.body("/g", "stream", [1], ["x" * BODY_BYTES])
    return destination.put("/g", "stream", body, 1)


def _sending(port: int) -> int | None:
    """How many bytes of the connection from this port the network has not taken; None where there
    is none any more."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, _, queues, *_ = line.split()
        if local.endswith(f":{port:04X}"):
            return int(queues.partition(":")[0], 16)
    return None


def _read_to_the_end(connection: socket.socket, received: bytearray) -> None:
    while part := connection.recv(65536):
        received += part

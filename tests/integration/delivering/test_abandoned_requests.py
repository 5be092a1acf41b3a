"""W05, M03: a request that was given up is not delivered later by the kernel."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from sidecar.delivery import encode
from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from sidecar.delivery.destination import Unknown
from sidecar.settings import Settings

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
    settings = Settings.model_validate({"log_group": "/g", "logs": [{"include": ["/v/*"]}]})
    client = Client(connect_seconds=0.5, read_seconds=0.5)
    destination = CloudWatchDestination(client, create=settings.create)
    body = encode.body("/g", "stream", [1], ["x" * BODY_BYTES])
    outcome = destination.put("/g", "stream", body, 1)
    assert isinstance(outcome, Unknown)

    connection, _ = deaf.accept()
    connection.settimeout(20)
    received = bytearray()
    with connection, pytest.raises(ConnectionResetError):
        _read_to_the_end(connection, received)
    assert len(received) < BODY_BYTES


def _read_to_the_end(connection: socket.socket, received: bytearray) -> None:
    while part := connection.recv(65536):
        received += part

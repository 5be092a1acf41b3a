"""The transport: ports that cannot be had, connections kept, cut and bounded."""

import http.client
import socket
import threading

import pytest

from sidecar.errors import ConfigurationError
from sidecar.health import Vitals
from sidecar.telemetry import Totals
from sidecar.web import server as web_server
from sidecar.web.server import CONNECTIONS, Server
from sidecar.web.status_board import StatusBoard
from tests.unit.web.sample import Sidecar


def server(host: str, port: int) -> Server:
    return Server(host, port, StatusBoard(), Totals(), Vitals(0.0), lambda: None)


def test_a_busy_port_is_the_users_to_solve(sidecar: Sidecar) -> None:
    """The error names the key, the port and what to do."""
    with pytest.raises(ConfigurationError, match=r"http\.port.*taken.*SIDECAR_HTTP_PORT"):
        server("127.0.0.1", sidecar.server.port).start()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "x" * 64])
def test_a_host_that_is_not_ours_is_named(host: str) -> None:
    """An address of another machine, an unknown name and no name at all are http.host's."""
    with pytest.raises(ConfigurationError, match=r"http\.host"):
        server(host, 0).start()


def test_stopping_frees_the_port() -> None:
    """Another server can have it at once, and a second stop does no harm."""
    first = server("127.0.0.1", 0)
    first.start()
    port = first.port
    first.stop()
    first.stop()
    second = server("127.0.0.1", port)
    second.start()
    assert second.url == f"http://127.0.0.1:{port}"
    second.stop()


def test_the_url_of_all_interfaces_is_one_that_can_be_opened() -> None:
    """0.0.0.0 is an address to listen on, not to go to."""
    assert server("0.0.0.0", 9464).url == "http://127.0.0.1:9464"
    assert server("::1", 9464).url == "http://[::1]:9464"


def test_one_connection_serves_many_requests(sidecar: Sidecar) -> None:
    """HTTP/1.1: a scraper keeps its connection, also after a body nobody needed."""
    connection = http.client.HTTPConnection("127.0.0.1", sidecar.server.port, timeout=30)
    connection.request("POST", "/reload", body=b"x" * 1000)
    connection.getresponse().read()
    kept = connection.sock
    connection.request("GET", "/healthz")
    assert connection.getresponse().read()
    assert connection.sock is kept
    connection.close()


def test_a_body_that_is_too_large_ends_the_connection(sidecar: Sidecar) -> None:
    """It is not read, so nothing that follows on the connection could be told from it."""
    connection = http.client.HTTPConnection("127.0.0.1", sidecar.server.port, timeout=30)
    connection.putrequest("POST", "/reload")
    connection.putheader("Content-Length", str(10**9))
    connection.endheaders()
    reply = connection.getresponse()
    assert (reply.status, reply.headers["Connection"]) == (202, "close")
    connection.close()


def test_a_reply_to_head_leaves_nothing_behind(sidecar: Sidecar) -> None:
    """A body after it would be taken for the next reply on the connection."""
    with socket.create_connection(("127.0.0.1", sidecar.server.port), timeout=30) as connection:
        connection.sendall(b"HEAD /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 200 ")
    assert reply.endswith(b"\r\n\r\n")


def test_sleepy_clients_cannot_keep_a_probe_out(
    sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every place taken by silent connections the oldest gives way to the newcomer.

    Without a time-out of its own, so that giving way is what ended it.
    """
    monkeypatch.setattr(web_server._Connection, "timeout", None)
    sleepers = [
        socket.create_connection(("127.0.0.1", sidecar.server.port)) for _ in range(CONNECTIONS)
    ]
    sidecar.vitals.first_scan_done()
    for _ in range(3):
        assert sidecar.ask("/readyz").status == 200
    sleepers[0].settimeout(30)
    assert sleepers[0].recv(1) == b""
    for each in sleepers:
        each.close()


def test_threads_are_bounded_whatever_they_wait_for(
    sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When even those that were cut cannot end, a newcomer is closed at once."""
    monkeypatch.setattr(web_server._Connection, "timeout", None)
    begun, released = threading.Semaphore(0), threading.Event()

    def never_ends() -> None:
        begun.release()
        released.wait(60)

    sidecar.on_reload = never_ends
    address = ("127.0.0.1", sidecar.server.port)
    waiting = []
    for _ in range(2 * CONNECTIONS):
        waiting.append(socket.create_connection(address))
        waiting[-1].sendall(b"POST /reload HTTP/1.1\r\nHost: x\r\n\r\n")
        assert begun.acquire(timeout=30)
    with socket.create_connection(address, timeout=30) as newcomer:
        assert newcomer.recv(1) == b""
    released.set()
    for each in waiting:
        each.close()


def test_a_client_that_goes_away_is_no_error(
    sidecar: Sidecar, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a traceback nor a log line, and the next request is answered."""
    with socket.create_connection(("127.0.0.1", sidecar.server.port)) as rude:
        rude.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        rude.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\n\r\n")
    assert sidecar.ask("/healthz").status == 200
    assert "Traceback" not in capsys.readouterr().err

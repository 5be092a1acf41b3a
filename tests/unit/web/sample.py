"""A status as the pump publishes it, and a server around it, for the tests of this folder."""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sidecar.health import Vitals
from sidecar.telemetry import Totals
from sidecar.web.server import Server
from sidecar.web.status_board import Status, StatusBoard


def source(name: str, lag: int = 0, state: str = "active") -> dict[str, Any]:
    return {
        "path": f"/mnt/efs/logs/{name}",
        "group": "/ecs/reports",
        "stream": name,
        "size": 1000 + lag,
        "acknowledged": 1000,
        "lag_bytes": lag,
        "lag_seconds": lag / 100,
        "state": state,
        "owner": "m1",
    }


def status(*sources: dict[str, Any], degraded: tuple[str, ...] = ()) -> Status:
    return {
        "member": "m1",
        "state": "running",
        "degraded": list(degraded),
        "backlog": {"bytes": 12, "oldest_seconds": 1.5, "files": 1},
        "totals": Totals().numbers(),
        "sources": list(sources),
        "members": [{"id": "m1", "alive": True, "sources": len(sources)}],
        "poll": {"operations_per_second": 2.5},
    }


class Reply:
    """What came back, read whole."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.text = response.read().decode()

    @property
    def json(self) -> Any:
        return json.loads(self.text)


class Sidecar:
    """A real server on loopback around a board that the test publishes on."""

    def __init__(self) -> None:
        self.board = StatusBoard()
        self.totals = Totals()
        self.vitals = Vitals(started=time.monotonic())
        self.reloads = 0
        self.on_reload: Callable[[], None] = lambda: None
        self.server = Server(
            "127.0.0.1", 0, self.board, self.totals, self.vitals, self._count_reload
        )

    def _count_reload(self) -> None:
        self.reloads += 1
        self.on_reload()

    def ask(
        self, path: str, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            return Reply(connection.getresponse())
        finally:
            connection.close()


@contextmanager
def running() -> Iterator[Sidecar]:
    sidecar = Sidecar()
    sidecar.server.start()
    try:
        yield sidecar
    finally:
        sidecar.server.stop()

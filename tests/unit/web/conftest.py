"""A running server for each test that wants one."""

from collections.abc import Iterator

import pytest

from sidecar.web import routes, server
from tests.unit.web.sample import Sidecar, running


@pytest.fixture
def sidecar(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sidecar]:
    """A server on a port the system chose, stopped at the end.

    Its two waits are shortened: no pump answers in most of these tests.
    """
    monkeypatch.setattr(routes, "STATUS_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(server, "STOP_POLL_SECONDS", 0.01)
    with running() as started:
        yield started

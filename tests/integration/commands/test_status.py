"""`sidecar status`, in a process of its own."""

import json
from typing import Any

import pytest

from tests.integration.commands.shell import sidecar
from tests.integration.commands.web import answering, free_port


def document() -> dict[str, Any]:
    """A status as the contract has it."""
    return {
        "member": "m1",
        "state": "running",
        "degraded": ["outage: CloudWatch cannot be reached"],
        "backlog": {"bytes": 2048, "oldest_seconds": 3.5, "files": 1},
        "totals": {"events_delivered": 12345, "bytes_acknowledged": 10, "retries": 2},
        "sources": [
            {
                "path": "/v/logs/a\x1b[2Jb.log",
                "group": "/g",
                "stream": "a.log",
                "size": 4096,
                "acknowledged": 2048,
                "lag_bytes": 2048,
                "lag_seconds": 3.5,
                "state": "active",
                "owner": "m1",
            }
        ],
        "members": [{"id": "m1", "alive": True, "sources": 1}],
        "poll": {"operations_per_second": 0.5},
    }


def test_table_tells_all_that_matters() -> None:
    """State, degradation, backlog, totals, sources with their lag, and members are shown."""
    with answering({"/status": (200, document())}) as port:
        result = sidecar("status", "--url", f"http://127.0.0.1:{port}")

    assert result.returncode == 0
    for words in (
        "running", "CloudWatch cannot be reached", "2.0 KiB in 1 files", "12,345", "/g", "a.log",
        "3.5 s", "active", "m1", "yes",
    ):  # fmt: skip
        assert words in result.stdout
    assert "\x1b" not in result.stdout


def test_json_is_the_document_itself() -> None:
    """`--json` prints what the sidecar answered."""
    with answering({"/status": (200, document())}) as port:
        result = sidecar("status", "--json", "--url", f"http://127.0.0.1:{port}")

    assert result.returncode == 0
    assert json.loads(result.stdout) == document()


def test_nothing_answers() -> None:
    """A refused connection is status 1 and one line."""
    result = sidecar("status", "--url", f"http://127.0.0.1:{free_port()}")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith("sidecar: nothing answers at ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("answer", [(200, b"<html>"), (200, {}), (200, []), (404, {}), (500, b"")])
def test_something_else_answers(answer: tuple[int, Any]) -> None:
    """What is no sidecar is named as such, with status 1 and no traceback."""
    with answering({"/status": answer}) as port:
        result = sidecar("status", "--url", f"http://127.0.0.1:{port}")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1

"""The canonical line of a request that goes wrong."""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from starlette.types import Message, Receive, Scope, Send

from app.log_lines import configure, render
from app.request_log import RequestLog


@pytest.fixture
def lines() -> Iterator[list[bytes]]:
    """Everything logged meanwhile; the process's own logging is put back afterwards."""
    found: list[bytes] = []
    handlers, level, hook = logging.root.handlers, logging.root.level, threading.excepthook
    configure("info", found.append)
    yield found
    structlog.reset_defaults()
    logging.captureWarnings(False)
    logging.root.handlers, threading.excepthook = handlers, hook
    logging.root.setLevel(level)


async def call(app: Any, headers: list[tuple[bytes, bytes]]) -> list[Message]:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/x\n\ud800", "headers": headers}
    await RequestLog(app)(scope, receive, send)
    return sent


def test_an_exception_is_one_line_with_its_stack_in_one_field(lines: list[bytes]) -> None:
    """The whole stack, chained, is inside one JSON field of the request's only line."""
    import asyncio

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None:
        try:
            raise KeyError("inner")
        except KeyError as inner:
            raise RuntimeError("outer\nof two lines") from inner

    asyncio.run(call(app, [(b"x-request-id", b"abc")]))
    (line,) = lines
    assert line.count(b"\n") == 1
    told = json.loads(line)
    assert (told["event"], told["level"], told["status"]) == ("request", "error", 500)
    assert told["request_id"] == "abc"
    assert "KeyError: 'inner'" in told["exception"]
    assert "RuntimeError: outer\nof two lines" in told["exception"]


def test_what_libraries_log_is_the_same_kind_of_line(lines: list[bytes]) -> None:
    """A record of the standard library, its stack included; broken formats cost nothing."""
    try:
        raise ValueError("x")
    except ValueError:
        logging.getLogger("uvicorn.error").exception("went %s", "wrong")
    # Straight to our handler: pytest's own would stumble over such a record.
    broken = {"name": "other", "levelno": 30, "msg": "two %s of one", "args": ("x", "y")}
    logging.root.handlers[0].handle(logging.makeLogRecord(broken))
    first, second = (json.loads(line) for line in lines)
    assert (first["event"], first["logger"], first["level"]) == (
        "went wrong",
        "uvicorn.error",
        "error",
    )
    assert first["exception"].startswith("Traceback")
    assert second["level"] == "warning"


def test_nothing_that_can_be_logged_breaks_the_line() -> None:
    """Surrogates, huge integers, bytes and objects: still one line of JSON."""
    line = render("x", {"a": "\ud800\n", "b": 2**70, "c": b"\xff", "d": object(), 5: {1}})
    assert line.count(b"\n") == 1
    assert json.loads(line)["event"] == "x"

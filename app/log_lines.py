"""structlog as JSON lines, for this program's events and for what libraries log.

Event names are fixed strings; everything else is a key. One line is one JSON object, a stack
included, so that nothing downstream has to join lines.
"""

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
import structlog

# A stack of a deep recursion can run to megabytes; its end says what happened.
LONGEST_STACK = 100_000
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}

Event = MutableMapping[str, Any]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def now() -> str:
    """UTC with milliseconds: `2026-11-23T09:05:00.123Z`."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def render(event: str, keys: Mapping[str, Any]) -> bytes:
    """One line: timestamp, level and event first, then the keys."""
    line = {"timestamp": now(), "level": keys.get("level", "info"), "event": event, **keys}
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS) + b"\n"
    except TypeError:
        # orjson refuses lone surrogates and integers over 64 bits; the standard library does not.
        return json.dumps(line, default=str).encode() + b"\n"


def _stack(_logger: Any, _method: str, event: Event) -> Event:
    found = event.pop("exc_info", None)
    if isinstance(found, BaseException):
        found = (type(found), found, found.__traceback__)
    elif found is True:
        found = sys.exc_info()
    if found and found[0] is not None:
        event["error"] = f"{found[0].__name__}: {found[1]}"[:1000]
        event["exception"] = "".join(traceback.format_exception(*found))[-LONGEST_STACK:]
    return event


def _to_line(_logger: Any, method: str, event: Event) -> bytes:
    name = str(event.pop("event", ""))
    level = "error" if method == "exception" else method
    return render(name, {"level": level, "process": os.getpid(), **event})


class LineLogger:
    """What structlog writes to: every level is the same call."""

    def __init__(self, append: Callable[[bytes], None]) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = append
        self.exception = self.log = append


class _Foreign(logging.Handler):
    """Brings what uvicorn, asyncio and others log into the same lines."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a library's broken format string is its own
            message = f"{record.msg!r} ({error})"
        structlog.get_logger().log(
            record.levelno, message, logger=record.name, exc_info=record.exc_info
        )


def configure(level: str, append: Callable[[bytes], None]) -> None:
    """Send every log line of the process to `append`."""
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, _stack, _to_line],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: LineLogger(append),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_Foreign()]
    logging.root.setLevel(LEVELS[level])
    logging.captureWarnings(True)
    threading.excepthook = _thread_died


def _thread_died(died: threading.ExceptHookArgs) -> None:
    name = died.thread.name if died.thread else "?"
    structlog.get_logger().error("thread_died", thread=name, exc_info=died.exc_value)

"""JSON lines on stderr.

Names of log events are fixed strings; all else is a key. Tailed content is never logged.
"""

import contextlib
import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
import structlog

from sidecar.telemetry.log_spool import ByteSink, LogSpool

STANDARD_LIBRARY_LEVEL = logging.WARNING


class _SpoolLogger:
    """What structlog's filtering logger calls with a rendered line."""

    def __init__(self, spool: LogSpool) -> None:
        self._spool = spool

    def msg(self, line: bytes) -> None:
        self._spool.write(line)

    debug = info = warning = error = critical = exception = log = msg


class _StandardLibraryLines(logging.Handler):
    """Brings lines of boto3, watchdog and the like into the same form and stream."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        method = {"CRITICAL": log.critical, "ERROR": log.error}.get(record.levelname, log.warning)
        with contextlib.suppress(TypeError, ValueError):  # a library's own broken format string
            message = record.getMessage()
            method("library_message", logger=record.name, message=message, exc_info=record.exc_info)


class _Output:
    """The one stream of this process; structlog's configuration is global as well."""

    spool: LogSpool | None = None
    member: str | None = None


def configure(level: str, member: str | None = None, sink: ByteSink | None = None) -> None:
    """Log JSON lines to stderr from now on, at `level` (debug, info, warning, error) or above.

    May be called again. Other libraries' log lines follow from WARNING on, whatever the level:
    boto3's debugging output holds request bodies. Uncaught exceptions become one line too.
    """
    if _Output.spool is not None:
        _Output.spool.close(seconds=1.0)
    _Output.spool = spool = LogSpool(sink or _stderr(), _dropped_notice)
    _Output.member = member
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _add_identity,
            structlog.processors.format_exc_info,
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level.lower()),
        logger_factory=lambda *_: _SpoolLogger(spool),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(
        handlers=[_StandardLibraryLines()], level=STANDARD_LIBRARY_LEVEL, force=True
    )
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


def identify(member: str) -> None:
    """Add `member` to every line from now on, once the sidecar has joined."""
    _Output.member = member


def flush(seconds: float = 1.0) -> bool:
    """Wait for the lines logged so far; call it before the process ends, `os._exit` above all."""
    return _Output.spool is None or _Output.spool.flush(seconds)


def lines_dropped() -> int:
    """How many log lines a slow or broken stderr has cost so far."""
    return 0 if _Output.spool is None else _Output.spool.dropped


def _stderr() -> ByteSink:
    # Without the buffer: a daemon thread that holds the buffer's lock at exit aborts Python.
    buffer = sys.stderr.buffer
    raw: ByteSink = getattr(buffer, "raw", buffer)
    return raw


def _utc_now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _add_identity(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    event["timestamp"] = _utc_now()
    if _Output.member is not None:
        event.setdefault("member", _Output.member)
    return event


def _render(_: Any, __: str, event: structlog.typing.EventDict) -> bytes:
    return _json_line(
        {"timestamp": event.pop("timestamp"), "event": event.pop("event", ""), **event}
    )


def _json_line(event: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(event, default=str, option=orjson.OPT_APPEND_NEWLINE)
    except orjson.JSONEncodeError:  # lone surrogates, as in a path that is not UTF-8; huge integers
        plain = {str(key): ascii(value) for key, value in event.items()}
        return orjson.dumps(plain, option=orjson.OPT_APPEND_NEWLINE)


def _dropped_notice(count: int) -> bytes:
    event = {"event": "log_lines_dropped", "level": "warning", "count": count}
    return _render(None, "", _add_identity(None, "", event))


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    structlog.get_logger().critical("uncaught_exception", exc_info=(kind, error, trace))
    flush()


def _log_uncaught_in_thread(failure: threading.ExceptHookArgs) -> None:
    if failure.exc_value is None:
        return
    trace = (failure.exc_type, failure.exc_value, failure.exc_traceback)
    thread = failure.thread.name if failure.thread else ""
    structlog.get_logger().critical("uncaught_exception", thread=thread, exc_info=trace)

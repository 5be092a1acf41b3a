"""The control interface under `/_control/`, for whoever drives the double from another process.

GET    /_control/requests     counts by operation, a JSON object
GET    /_control/calls        the latest requests, JSON lines
GET    /_control/violations   JSON lines
GET    /_control/streams      JSON lines {"group", "stream", "events"}
GET    /_control/events       JSON lines {"group", "stream", "timestamp", "message"}, in order
                              of arrival; ?group= and &stream= narrow it
GET    /_control/text         the messages alone, each with a line feed, to compare with a file;
                              narrowed likewise
GET    /_control/faults       JSON lines
POST   /_control/faults       {"kind": …, options}; answers with the fault and its number
DELETE /_control/faults       all, or ?number=
POST   /_control/clock        {"advance": seconds}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import orjson

from .batch import Batch
from .server import Connection
from .service import Answer

if TYPE_CHECKING:
    from .double import StrictCloudWatch

LINES_TYPE = "application/x-ndjson"


class Control:
    """Answers control calls; they are neither signed nor counted nor hit by faults."""

    def __init__(self, double: StrictCloudWatch) -> None:
        self._double = double

    def answer(self, connection: Connection, method: str, body: bytes) -> Answer | None:
        """Answers one call; None when it was streamed."""
        parts = urlsplit(connection.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        what = f"{method} {parts.path.removeprefix('/_control/')}"
        double = self._double
        if what in ("GET events", "GET text"):
            form = _json_lines if what == "GET events" else _text_lines
            batches = self._batches(query.get("group"), query.get("stream"))
            _stream(connection, (form(*found) for found in batches))
            return None
        try:
            if what == "GET requests":
                return _json(dict(double.requests))
            if what == "GET calls":
                return _lines(asdict(call) for call in double.calls.copy())
            if what == "GET violations":
                return _lines(violation.described() for violation in double.violations.copy())
            if what == "GET streams":
                return _lines(
                    {"group": group.name, "stream": stream.name, "events": stream.count}
                    for group, stream in double.store.every_stream()
                )
            if what == "GET faults":
                return _lines(fault.described() for fault in double.faults.active())
            if what == "POST faults":
                return self._add_fault(body)
            if what == "DELETE faults":
                double.faults.clear(int(query["number"]) if "number" in query else None)
                return _json({})
            if what == "POST clock":
                double.clock.advance(float(orjson.loads(body)["advance"]))
                return _json({"now": double.clock.now_ms()})
        except (ValueError, KeyError, TypeError) as error:
            return _json({"error": str(error)}, 400)
        return _json({"error": f"unknown: {what}"}, 404)

    def _add_fault(self, body: bytes) -> Answer:
        options = orjson.loads(body)
        kind = options.pop("kind")
        refusing = kind == "down" and options.get("mode", "refuse") == "refuse"
        if refusing and options.get("seconds", options.get("lasts")) is None:
            raise ValueError(
                "down with mode=refuse closes this interface too: give seconds, or mode=reset"
            )
        return _json(self._double.faults.add(kind, **options).described())

    def _batches(self, group: str | None, stream: str | None) -> Iterator[tuple[str, str, Batch]]:
        for found, where in self._double.store.every_stream():
            if group in (None, found.name) and stream in (None, where.name):
                for batch in where.batches.copy():
                    yield found.name, where.name, batch


def _json_lines(group: str, stream: str, batch: Batch) -> bytes:
    key = {"group": group, "stream": stream}
    return b"".join(orjson.dumps(key | event._asdict()) + b"\n" for event in batch.events())


def _text_lines(_group: str, _stream: str, batch: Batch) -> bytes:
    return b"\n".join([*batch.messages(), b""])


def _json(value: object, status: int = 200) -> Answer:
    return Answer(status=status, body=orjson.dumps(value), content_type="application/json")


def _lines(values: Iterable[object]) -> Answer:
    body = b"".join(orjson.dumps(value) + b"\n" for value in values)
    return Answer(body=body, content_type=LINES_TYPE)


def _stream(connection: Connection, pieces: Iterable[bytes]) -> None:
    """Writes without a length, and ends with the connection."""
    connection.close_connection = True
    connection.wfile.write(
        f"HTTP/1.1 200 OK\r\nContent-Type: {LINES_TYPE}\r\nConnection: close\r\n\r\n".encode()
    )
    for piece in pieces:
        connection.wfile.write(piece)

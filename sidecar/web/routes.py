"""What each address answers; the transport is server.py's business."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sidecar.health import Vitals
from sidecar.model import json_text
from sidecar.telemetry import Totals
from sidecar.web import page
from sidecar.web.metrics import Exposition
from sidecar.web.status_board import StatusBoard, shortened

# Half of the second within which the contract promises an answer.
STATUS_WAIT_SECONDS = 0.5

Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response but for the headers the transport adds."""

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Routes:
    """The sidecar's addresses. `reload` is called from a web thread and must only set a flag."""

    def __init__(
        self,
        board: StatusBoard,
        totals: Totals,
        vitals: Vitals,
        reload: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._board = board
        self._vitals = vitals
        self._reload = reload
        self._clock = clock
        self._exposition = Exposition(totals, vitals, clock)
        self._get: dict[str, Callable[[Query], Answer]] = {
            "/": self._page,
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
            "/status": self._status,
        }
        self._post: dict[str, Callable[[Mapping[str, str]], Answer]] = {"/reload": self._reloaded}

    def answer(self, method: str, target: str, headers: Mapping[str, str]) -> Answer:
        """Answer one request; the headers' names are in lower case.

        Only `/status` has a use for a query, the others ignore theirs.
        """
        path, _, query = target.partition("?")
        if path in self._get:
            if method not in ("GET", "HEAD"):
                return _not_allowed("GET, HEAD")
            return self._get[path](dict(parse_qsl(query)))
        if path in self._post:
            return self._post[path](headers) if method == "POST" else _not_allowed("POST")
        known = [f"GET {each}" for each in self._get] + [f"POST {each}" for each in self._post]
        return _json(404, {"error": "there is no such address here", "addresses": known})

    def _healthz(self, _: Query) -> Answer:
        verdict = self._vitals.verdict(self._clock())
        return _json(
            200 if verdict.healthy else 503,
            {
                "healthy": verdict.healthy,
                "reasons": verdict.reasons,
                "degraded": [str(each) for each in self._vitals.degradations],
            },
        )

    def _readyz(self, _: Query) -> Answer:
        reason = self._vitals.unready
        if reason is None:
            return _json(200, {"ready": True})
        return _json(503, {"ready": False, "reason": reason})

    def _metrics(self, _: Query) -> Answer:
        text = self._exposition.render(self._board.read(STATUS_WAIT_SECONDS))
        return Answer(200, text, self._exposition.content_type)

    def _status(self, query: Query) -> Answer:
        """All of it, or with `limit` the sources furthest behind, of those that `match` a text."""
        status = self._board.read(STATUS_WAIT_SECONDS)
        limit = query.get("limit", "")
        if not (limit.isascii() and limit.isdecimal()):
            return _json(200, status)
        return _json(200, shortened(status, int(limit), query.get("match", "")))

    def _page(self, _: Query) -> Answer:
        body = page.render(self._board.read(STATUS_WAIT_SECONDS))
        headers = {"Content-Security-Policy": page.CONTENT_SECURITY_POLICY}
        return Answer(200, body, "text/html; charset=utf-8", headers)

    def _reloaded(self, headers: Mapping[str, str]) -> Answer:
        if _comes_from_another_site(headers):
            return _json(403, {"error": "reload is not taken from another site's page"})
        self._reload()
        return _json(202, {"reload": "asked for; the log and /status say what came of it"})


def _comes_from_another_site(headers: Mapping[str, str]) -> bool:
    """Browsers say where a request comes from; curl and the command line send neither header."""
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return True
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")


def _not_allowed(methods: str) -> Answer:
    body = json_text.shown({"error": f"this address takes {methods}"}) + b"\n"
    return Answer(405, body, headers={"Allow": methods})


def _json(status: int, document: dict[str, Any]) -> Answer:
    return Answer(status, json_text.shown(document) + b"\n")

"""One canonical log line a request, and the request's id on every line logged meanwhile."""

import asyncio
import re
import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

GIVEN_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
LONGEST_PATH = 1000
# nginx's number for "the client went away before the answer"; it never reaches a client.
CLIENT_CLOSED = 499

log = structlog.get_logger()


class RequestLog:
    """Outermost ASGI layer. An exception ends here: in the line, as a stack in one field."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        await _Exchange(scope, receive, send).run(self.app)


class _Exchange:
    """One request and its response, counted as they pass."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.status = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self.disconnected = False
        self.complete = False
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        self.id = given.decode() if GIVEN_ID.fullmatch(given) else uuid.uuid4().hex
        scope.setdefault("state", {})["request_id"] = self.id

    async def run(self, app: ASGIApp) -> None:
        started = time.perf_counter()
        error: BaseException | None = None
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=self.id)
        try:
            await app(self.scope, self.receive, self.send)
        except asyncio.CancelledError as cancelled:
            error = cancelled
            raise
        except Exception as raised:  # noqa: BLE001 - the boundary: logged once, here
            error = raised
        finally:
            self._log(time.perf_counter() - started, error)
            structlog.contextvars.clear_contextvars()

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.bytes_in += len(message.get("body", b""))
        elif message["type"] == "http.disconnect" and not self.complete:
            self.disconnected = True
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), (b"x-request-id", self.id.encode())]
            message = {**message, "headers": headers}
        elif message["type"] == "http.response.body":
            self.bytes_out += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        await self._send(message)

    def _log(self, seconds: float, error: BaseException | None) -> None:
        client = self.scope.get("client")
        keys = {
            "method": self.scope["method"],
            "path": self.scope["path"][:LONGEST_PATH],
            "status": self.status or (CLIENT_CLOSED if self.disconnected else 500),
            "duration_ms": round(seconds * 1000, 3),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "client": client[0] if client else None,
        }
        if self.disconnected:
            keys["disconnected"] = True
        if isinstance(error, asyncio.CancelledError):
            log.warning("request", cancelled=True, **keys)
        elif error is not None:
            log.error("request", exc_info=error, **keys)
        elif self.status >= 500:
            log.error("request", **keys)
        else:
            log.info("request", **keys)

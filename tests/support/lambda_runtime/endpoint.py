"""The runtime API, 2018-06-01: next, response, error; and a way to put invocations in."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

API = "/2018-06-01/runtime"
LONGEST = 60.0
"""Seconds for an invocation at most; the function's own time-out in the stack."""


@dataclass
class Invocation:
    """One event, and what came of it."""

    event: Any
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    done: threading.Event = field(default_factory=threading.Event)
    answer: Any = None
    error: dict[str, Any] | None = None


class RuntimeEndpoint:
    """Listens from `with` to its end, on the loopback unless told otherwise."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._waiting: queue.Queue[Invocation | None] = queue.Queue()
        self._under_way: dict[str, Invocation] = {}
        self.init_error: dict[str, Any] | None = None
        self._server = ThreadingHTTPServer((host, port), self._request_type())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def address(self) -> str:
        """For AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> RuntimeEndpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()

    def invoke(self, event: Any) -> Invocation:
        """Hand the event to the function, and wait for what comes of it."""
        invocation = Invocation(event)
        self._under_way[invocation.id] = invocation
        self._waiting.put(invocation)
        if not invocation.done.wait(LONGEST):
            invocation.error = {"errorType": "Timeout", "errorMessage": f"over {LONGEST} s"}
        return invocation

    def finish(self, path: str, found: Any) -> bool:
        """What the client posts when an invocation, or the function's start, has ended."""
        if path == f"{API}/init/error":
            self.init_error = found
            return True
        request, _, kind = path.removeprefix(f"{API}/invocation/").partition("/")
        invocation = self._under_way.pop(request, None)
        if invocation is None:
            return False
        if kind == "error":
            invocation.error = found
        else:
            invocation.answer = found
        invocation.done.set()
        return True

    def _request_type(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Request(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):  # the function was killed
                    super().handle()

            def log_message(self, *_: object) -> None:
                return

            def do_GET(self) -> None:
                if self.path != f"{API}/invocation/next":
                    return self.reply(404, {})
                invocation = endpoint._waiting.get()
                if invocation is None:  # the end; who asked is being killed
                    self.close_connection = True
                    return None
                deadline = int((time.time() + LONGEST) * 1000)
                return self.reply(
                    200,
                    invocation.event,
                    {
                        "Lambda-Runtime-Aws-Request-Id": invocation.id,
                        "Lambda-Runtime-Deadline-Ms": str(deadline),
                        "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:x:1:function:f",
                    },
                )

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                found = json.loads(content or b"null")
                if self.path == "/":  # as AWS's emulator: an invocation from outside
                    done = endpoint.invoke(found)
                    return self.reply(200, done.error or done.answer)
                return self.reply(202 if endpoint.finish(self.path, found) else 404, {})

            def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
                content = json.dumps(body).encode()
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Request

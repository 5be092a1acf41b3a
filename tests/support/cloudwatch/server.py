"""The sockets: HTTP/1.1 with keep-alive, one thread a connection, and connections that die."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from http.client import responses
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from uuid import uuid4

from .service import Answer

# The service closes a connection that was idle for about this long (measured by its users).
IDLE_SECONDS = 6.0
# On close, send RST instead of FIN: linger on, for zero seconds.
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Answering(Protocol):
    """What stands behind the sockets."""

    def __call__(self, connection: Connection, method: str, body: bytes) -> Answer | None:
        """The answer to send, or None when everything was written to `connection` already."""


class Connection(BaseHTTPRequestHandler):
    """One client's connection, request after request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Any
    connection: socket.socket

    def answer(self) -> None:
        """Reads the body, asks what is behind, and writes or breaks the reply."""
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:
            # The client died while it sent: nobody asked for anything.
            self.close_connection = True
            return
        if self.server.resets(self.path):
            self.reset()
            return
        answer = self.server.answer(self, self.command, body)
        if answer is None:
            return
        if answer.ending == "reset" or self.server.resets(self.path):
            self.reset()
            return
        self._send(answer)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def _send(self, answer: Answer) -> None:
        reason = responses.get(answer.status, "Unknown")
        lines = [
            f"HTTP/1.1 {answer.status} {reason}",
            f"x-amzn-RequestId: {uuid4()}",
            f"Content-Type: {answer.content_type}",
            f"Content-Length: {len(answer.body)}",
            f"Date: {self.date_time_string()}",
        ]
        if answer.status >= 400 and answer.code:
            lines.append(f"x-amzn-ErrorType: {answer.code}")
        wire = "\r\n".join([*lines, "", ""]).encode() + answer.body
        if answer.ending == "cut":
            wire = wire[: len(wire) - len(answer.body) // 2]
            self.close_connection = True
        self.wfile.write(wire)

    def reset(self) -> None:
        """Ends the connection with RST, as a client sees it: reset by peer."""
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.close_connection = True

    def handle(self) -> None:
        """A client that goes away in the middle is nothing to report."""
        with suppress(OSError):
            super().handle()

    def finish(self) -> None:
        """Closes what the connection was read and written through."""
        with suppress(OSError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        """Says nothing: `requests` and `violations` do."""


class Server:
    """Listens on one port; can stop listening and come back on the same port."""

    def __init__(self, host: str, port: int, answering: Answering, idle_seconds: float) -> None:
        self.host = host
        self.answering = answering
        self.idle_seconds = idle_seconds
        self.resetting = False
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._answering: set[threading.Thread] = set()
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        # Bound and never listening, this keeps the port ours while the server is down.
        self._reservation = _bound(host, port)
        self.port: int = self._reservation.getsockname()[1]

    def listen(self) -> None:
        """Begins to accept, if it does not already."""
        if self._listener is not None:
            return
        self._listener = _bound(self.host, self.port)
        self._listener.listen(256)
        self._accepting = threading.Thread(
            target=self._accept, args=(self._listener,), name="cloudwatch", daemon=True
        )
        self._accepting.start()

    def refuse(self) -> None:
        """Stops listening: new connections are refused, open ones are reset."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            if self._accepting is not None:
                self._accepting.join(5)
        self.reset_all()

    def reset_all(self) -> None:
        """Resets every open connection, also those in the middle of a request."""
        current = threading.current_thread()
        with self._lock:
            # The control call that asks for this still gets its reply.
            threads = {c: thread for c, thread in self._open.items() if thread is not current}
        for connection in threads:
            with suppress(OSError):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                # Wakes the thread that reads it, which then closes it.
                connection.shutdown(socket.SHUT_RD)
        for thread in threads.values():
            # Idle ones are gone when this returns; those at work notice when they are done.
            if thread not in self._answering:
                thread.join(1)

    def answer(self, connection: Connection, method: str, body: bytes) -> Answer | None:
        """Asks what is behind, and remembers that this thread is at it."""
        current = threading.current_thread()
        self._answering.add(current)
        try:
            return self.answering(connection, method, body)
        finally:
            self._answering.discard(current)

    def resets(self, path: str) -> bool:
        """Is a request to this path to be answered with a reset? Control calls never are."""
        down = self.resetting or self._listener is None
        return down and not path.startswith("/_control/")

    def stop(self) -> None:
        """Ends everything and gives the port back."""
        self.refuse()
        with self._lock:
            threads = list(self._open.values())
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(5)
        self._reservation.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except OSError:
                return
            thread = threading.Thread(
                target=self._serve, args=(connection, address), name="connection", daemon=True
            )
            with self._lock:
                self._open[connection] = thread
                thread.start()

    def _serve(self, connection: socket.socket, address: Any) -> None:
        try:
            # A pause longer than this closes the connection.
            connection.settimeout(self.idle_seconds)
            if self.resetting and _ends_at_once(connection):
                return
            Connection(connection, address, self)  # type: ignore[arg-type]
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.pop(connection, None)
            connection.close()


def _ends_at_once(connection: socket.socket) -> bool:
    """Looks at the first bytes and prepares a reset, but for control calls."""
    if b" /_control/" in connection.recv(64, socket.MSG_PEEK):
        return False
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    return True


def _bound(host: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened

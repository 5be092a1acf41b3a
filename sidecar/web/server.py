"""HTTP for probes, scrapers and people: a few threads of the standard library."""

import errno
import socket
import socketserver
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from sidecar.errors import ConfigurationError
from sidecar.health import Vitals
from sidecar.telemetry import Totals
from sidecar.web.routes import Answer, Routes
from sidecar.web.status_board import StatusBoard

# Beyond this many connections the oldest gives way, so that a probe always gets its answer,
# whatever a scraper or a sleepy client holds open.
CONNECTIONS = 32
CLIENT_TIMEOUT_SECONDS = 10.0
REQUEST_BODY_BYTES = 64 * 1024
# How often the listening thread looks whether it should stop.
STOP_POLL_SECONDS = 0.2

log = structlog.get_logger()


class Server:
    """Serves one sidecar's addresses until `stop`."""

    def __init__(
        self,
        host: str,
        port: int,
        board: StatusBoard,
        totals: Totals,
        vitals: Vitals,
        reload: Callable[[], None],
    ) -> None:
        self._host = host
        self._port = port
        self._routes = Routes(board, totals, vitals, reload)
        self._listener: _Listener | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Bind and serve from a daemon thread; a port that cannot be had is the user's to solve.

        Raises ConfigurationError, naming http.port or http.host.
        """
        try:
            self._listener = _Listener(self._host, self._port, self._routes)
        except (OSError, OverflowError, UnicodeError) as error:
            raise _configuration_error(self._host, self._port, error) from error
        self._thread = threading.Thread(
            target=self._listener.serve_forever,
            kwargs={"poll_interval": STOP_POLL_SECONDS},
            name="web",
            daemon=True,
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening, cut what is still open; harmless where it never started."""
        listener, self._listener = self._listener, None
        if listener is None or self._thread is None:
            return
        listener.shutdown()
        listener.server_close()
        listener.cut_all()
        self._thread.join()

    @property
    def port(self) -> int:
        """The port that is served, which with `port=0` the system chose."""
        return self._port if self._listener is None else self._listener.bound_port

    @property
    def url(self) -> str:
        """The base address for `--url`; an all-interfaces host is named by its loopback."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self._host, self._host)  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str, port: int, routes: Routes) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.routes = routes
        self._open: dict[socket.socket, None] = {}  # in order of arrival
        self._lock = threading.Lock()
        super().__init__((host, port), _Connection)

    def server_bind(self) -> None:
        """Bind without HTTPServer's look-up of the host's full name: a DNS query that may hang."""
        socketserver.TCPServer.server_bind(self)
        self.server_name = str(self.server_address[0])
        self.server_port = self.bound_port

    @property
    def bound_port(self) -> int:
        return int(self.socket.getsockname()[1])

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            excess = len(self._open) + 1 - CONNECTIONS
            oldest = list(self._open)[: max(0, excess)]
            if excess <= CONNECTIONS:
                self._open[request] = None
        for each in oldest:
            _cut(each)
        if excess <= CONNECTIONS:
            super().process_request(request, client_address)
        else:  # those cut earlier have not ended yet: no thread for the newcomer
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if not isinstance(error, OSError):  # a client that went away is none of our errors
            log.error("web_request_failed", exc_info=error)

    def cut_all(self) -> None:
        with self._lock:
            remaining = list(self._open)
        for each in remaining:
            _cut(each)


class _Connection(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    server_version = "sidecar"
    sys_version = ""
    timeout = CLIENT_TIMEOUT_SECONDS
    disable_nagle_algorithm = True  # headers and body are two writes

    def do_GET(self) -> None:
        self._answer()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = do_GET  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Keep probes, one every few seconds, out of the log."""

    def _answer(self) -> None:
        self._discard_body()
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = self.server.routes.answer(self.command, self.path, headers)
        except Exception as error:  # the boundary: one request fails, not the sidecar
            log.error("web_request_failed", path=self.path, exc_info=error)
            answer = Answer(500, b'{"error": "see the sidecar\'s log"}\n')
        self._send(answer)

    def _discard_body(self) -> None:
        """Read a small body and forget it; after any other the connection cannot be used again."""
        length = self.headers.get("Content-Length", "0")
        if length.isdecimal() and int(length) <= REQUEST_BODY_BYTES:
            self.rfile.read(int(length))
        else:
            self.close_connection = True
        if "Transfer-Encoding" in self.headers:
            self.close_connection = True

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _cut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # the other side was faster
        return


def _configuration_error(host: str, port: int, error: Exception) -> ConfigurationError:
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return ConfigurationError(
            "http.port",
            f"port {port} on {host} is taken by another program",
            "choose a free one (SIDECAR_HTTP_PORT), or 0 for any",
        )
    if number == errno.EACCES:
        return ConfigurationError(
            "http.port",
            f"port {port} is reserved for privileged users",
            "choose one from 1024 on (SIDECAR_HTTP_PORT)",
        )
    return ConfigurationError(
        "http.host",
        f"cannot listen on {host} port {port}: {getattr(error, 'strerror', None) or error}",
        "use an address of this machine (SIDECAR_HTTP_HOST), such as 127.0.0.1 or 0.0.0.0",
    )

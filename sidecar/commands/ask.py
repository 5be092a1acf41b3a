"""Asking a running sidecar over HTTP, with as few imports as will do.

On a quarter of a CPU each import counts fourfold, and a health check starts anew every few seconds:
http.client alone would double the time. The sidecar's own server is the only one spoken to, so a
plain HTTP/1.0 exchange is enough.
"""

import re
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = "9464"

_URL: Final = re.compile(
    r"(?:http://)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^/:\[\]?#@\s]+)(?::(?P<port>\d{1,5}))?(?P<path>/[^?#\s]*)?"
)
# A server that listens on every address is asked on the loopback one.
_EVERY_ADDRESS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


class NoAnswer(Exception):  # noqa: N818
    """Nothing usable came back; the text says from where and why."""


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    body: bytes


def base_address(url: str | None, config: Path | None, environ: Mapping[str, str]) -> str:
    """Where the sidecar answers: as asked for, else as the environment or its file says."""
    if url:
        return url
    host, port = environ.get("SIDECAR_HTTP_HOST", ""), environ.get("SIDECAR_HTTP_PORT", "")
    if not (host and port):
        file_host, file_port = _configured(config, environ)
        host, port = host or file_host, port or file_port
    host = _EVERY_ADDRESS.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _configured(config: Path | None, environ: Mapping[str, str]) -> tuple[str, str]:
    """Host and port of the file's http section; the defaults when it says nothing usable.

    The whole configuration is loaded only if the section refers to variables: reading the YAML is
    enough otherwise, and much quicker.
    """
    path = config or Path(environ.get("SIDECAR_CONFIG") or "/dev/null")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return DEFAULT_HOST, DEFAULT_PORT
    if not re.search(r"""^["']?http["']?\s*:|^\s*\{""", text, re.MULTILINE):
        return DEFAULT_HOST, DEFAULT_PORT
    import yaml

    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        return DEFAULT_HOST, DEFAULT_PORT
    section = document.get("http") if isinstance(document, dict) else None
    if not isinstance(section, dict):
        return DEFAULT_HOST, DEFAULT_PORT
    host, port = (str(section.get(key) or "") for key in ("host", "port"))
    if "${" in host + port:
        from sidecar.settings import load

        http = load(path, environ).http
        return http.host, str(http.port)
    return host or DEFAULT_HOST, port or DEFAULT_PORT


def ask(base: str, path: str, seconds: float) -> Answer:
    """GET `path` below the base address; raises NoAnswer when `seconds` pass without one."""
    found = _URL.fullmatch(base.strip())
    if found is None:
        raise NoAnswer(f"{base!r} is no address like http://127.0.0.1:9464")
    host = found["host"].strip("[]")
    target = (found["path"] or "").rstrip("/") + path
    request = f"GET {target} HTTP/1.0\r\nHost: {found['host']}\r\nAccept: application/json\r\n\r\n"
    deadline = time.monotonic() + seconds
    try:
        address = (host, int(found["port"] or 80))
        with socket.create_connection(address, timeout=seconds) as connection:
            connection.sendall(request.encode("ascii"))
            reply = _read_all(connection, deadline)
    except TimeoutError:
        raise NoAnswer(f"no answer from {base} within {seconds:g} s") from None
    except (OSError, ValueError, OverflowError) as error:
        why = getattr(error, "strerror", None) or error
        raise NoAnswer(f"nothing answers at {base}: {why}") from None
    head, gap, body = reply.partition(b"\r\n\r\n")
    status = re.match(rb"HTTP/1\.[01] (\d{3})", head)
    if not gap or status is None:
        raise NoAnswer(f"what answers at {base} does not speak HTTP")
    return Answer(int(status[1]), body)


def _read_all(connection: socket.socket, deadline: float) -> bytes:
    pieces: list[bytes] = []
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        piece = connection.recv(65536)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)

"""`python -m app`: a doorway. Settings come from the environment; `--help` lists them."""

import argparse
import os
import socket
import sys
from typing import TYPE_CHECKING

from app.errors import SettingsError

if TYPE_CHECKING:
    from app.settings import Settings

MISUSED = 2


def main() -> int:
    """Exit status: 0 stopped when asked, 1 stopped by force, 2 bad settings or a busy port."""
    from app.settings import Settings, load
    from app.volume import UMASK, Volume

    lines = [
        f"  APP_{name.upper():<16} {field.description} ({field.default or 'unset'})"
        for name, field in Settings.model_fields.items()
    ]
    argparse.ArgumentParser(
        prog="python -m app",
        description="The dataset service. It takes no arguments; its settings are:",
        epilog="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    try:
        settings = load()
        os.umask(UMASK)
        logs = Volume(settings.volume).prepare(settings.task)
        listener = listen(settings.host, settings.port)
    except SettingsError as error:
        print(f"app: {error}", file=sys.stderr)  # noqa: T201 - the one line a person reads
        return MISUSED
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    print(f"app: http://{shown}:{port} logs in {logs}", file=sys.stderr, flush=True)  # noqa: T201
    try:
        status = run(settings, listener)
    except OSError as error:
        print(f"app: the volume does not work: {error}", file=sys.stderr)  # noqa: T201
        return MISUSED
    if status:
        print(f"app: ended with status {status}; {logs} says why", file=sys.stderr)  # noqa: T201
    return status


def run(settings: "Settings", listener: socket.socket) -> int:
    """Serve in this process, or in several below it; the exit status."""
    if settings.workers == 1:
        from app.serve import serve

        return serve(settings, listener)
    from app.workers import supervise

    return supervise(settings, listener)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; raises SettingsError where the address or port cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise SettingsError(
            "APP_HOST", f"{host!r} is no address of this machine ({error.strerror})", "name another"
        ) from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise SettingsError(
            "APP_PORT",
            f"cannot listen on {host}:{port} ({error.strerror})",
            "stop the other process or choose another port or APP_HOST",
        ) from None
    listener.set_inheritable(True)
    return listener


if __name__ == "__main__":
    status = main()
    sys.stderr.flush()
    # A thread that hangs on the volume must not keep the process alive: all is written by now.
    os._exit(status)

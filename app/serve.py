"""One process that serves: its server, its signals, its end."""

import os
import signal
import socket
import threading
from types import FrameType

import structlog
import uvicorn

from app.log_writer import LogWriter
from app.main import create
from app.process_log import logging_to_volume
from app.settings import Settings
from app.volume import UMASK

# A client that keeps its connection for longer without a request gets a new one.
KEEP_ALIVE_SECONDS = 75

log = structlog.get_logger()


class Stop:
    """SIGTERM and SIGINT, from before the server exists until after it is gone.

    uvicorn raises the signal again when it is done; that must not end the process before its last
    log line is on the volume, and with the wrong status.
    """

    def __init__(self, server: uvicorn.Server, deadline: float, writer: LogWriter) -> None:
        self._server = server
        self._deadline = deadline
        self._writer = writer
        self._asked = False
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def ask(self) -> None:
        """Stop serving; end the process by force if that takes longer than the deadline."""
        self._server.should_exit = True
        if not self._asked:
            self._asked = True
            timer = threading.Timer(self._deadline, self._force)
            timer.daemon = True
            timer.start()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._server.should_exit = True

    def _force(self) -> None:
        log.error("stop_forced", seconds=self._deadline)
        self._writer.close(2.0)
        os._exit(1)


class _Server(uvicorn.Server):
    """uvicorn's server that also says when it was asked to stop."""

    stop: Stop

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.stop.ask()


def serve(settings: Settings, listener: socket.socket, *, parent: int | None = None) -> int:
    """Serve until asked to stop; the exit status. `parent`: its end is a reason to stop as well."""
    os.umask(UMASK)
    with logging_to_volume(settings) as writer:
        config = uvicorn.Config(
            create(settings, writer),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(settings.stop_grace)),
        )
        server = _Server(config)
        server.stop = Stop(server, settings.stop_deadline, writer)
        if parent is not None:
            threading.Thread(
                target=_stop_without, args=(parent, server.stop), name="parent", daemon=True
            ).start()
        server.run(sockets=[listener])
        return 0 if server.started else 1


def _stop_without(parent: int, stop: Stop) -> None:
    from multiprocessing.connection import wait

    wait([parent])
    stop.ask()

"""Several processes that share one listening socket, and the one that keeps them alive."""

import multiprocessing
import os
import signal
import socket
import sys
import time
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

import structlog

from app.process_log import logging_to_volume
from app.settings import Settings

# A process that dies at once is not started again more often than this.
RESTART_SECONDS = 1.0
# A process ends itself at its deadline; only one that cannot do even that is killed.
KILL_MARGIN = 2.0

log = structlog.get_logger()


def _work(settings: Settings, listener: socket.socket) -> None:
    # Here, so that the parent stays small: it neither serves nor profiles.
    from app.serve import serve

    parent = multiprocessing.parent_process()
    status = serve(settings, listener, parent=parent.sentinel if parent else None)
    sys.stderr.flush()
    os._exit(status)


def supervise(settings: Settings, listener: socket.socket) -> int:
    """Keep `settings.workers` processes serving until SIGTERM or SIGINT; the exit status."""
    spawn = multiprocessing.get_context("spawn")
    reader, waker = socket.socketpair()
    waker.setblocking(False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)

    def start() -> SpawnProcess:
        process = spawn.Process(target=_work, args=(settings, listener), name="app-worker")
        process.start()
        log.info("worker_started", worker_process=process.pid)
        return process

    with logging_to_volume(settings):
        processes = [start() for _ in range(settings.workers)]
        while reader not in wait([reader, *(process.sentinel for process in processes)]):
            processes = [process for process in processes if _alive(process)]
            if len(processes) < settings.workers:
                time.sleep(RESTART_SECONDS)
                processes += [start() for _ in range(settings.workers - len(processes))]
        return _stop(processes, settings.stop_deadline + KILL_MARGIN)


def _alive(process: SpawnProcess) -> bool:
    if process.is_alive():
        return True
    log.error("worker_died", worker_process=process.pid, exit_status=process.exitcode)
    return False


def _stop(processes: list[SpawnProcess], seconds: float) -> int:
    log.info("workers_stopping", count=len(processes))
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + seconds
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            log.error("worker_killed", worker_process=process.pid)
            process.kill()
            process.join()
    log.info("workers_stopped")
    return 0 if all(process.exitcode == 0 for process in processes) else 1

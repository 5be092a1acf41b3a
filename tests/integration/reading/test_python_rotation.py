"""R11: Python's own rotating handlers, stepped and against a real process."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from logging.handlers import RotatingFileHandler, TimedRotatingFileHandler
from pathlib import Path

import pytest

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for
from tests.support.shipping import GROUP, Shipping

Handlers = Callable[[Path], logging.Handler]


def by_size(path: Path) -> logging.Handler:
    """Rotates each few kilobytes and keeps more files than a test makes."""
    return RotatingFileHandler(path, maxBytes=4_000, backupCount=10_000, encoding="utf-8")


class EveryFew(TimedRotatingFileHandler):
    """The timed handler, whose intervals end after so many records instead of seconds.

    It rotates and names by the standard library's own code; the stamp is the moved clock's.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, when="S", interval=1, backupCount=10_000, utc=True)
        self._written = 0
        self._stamp = self.rolloverAt

    def shouldRollover(self, record: logging.LogRecord) -> int:  # noqa: N802 - the library's name
        self._written += 1
        return int(self._written % 50 == 0)

    def doRollover(self) -> None:  # noqa: N802 - the library's name
        # Two files of one second would have one name, and the library deletes the first.
        self._stamp += 1
        self.rolloverAt = self._stamp
        super().doRollover()


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("app", logging.INFO, "", 0, message, None, None)


def message(number: int) -> str:
    return f"record {number:06d} " + "x" * 60


@pytest.mark.parametrize("handler", [by_size, EveryFew], ids=["by size", "by time"])
@pytest.mark.parametrize("pause", [1, 40, 400], ids=lambda pause: f"a look each {pause}")
def test_r11_handlers_stepped(tmp_path: Path, handler: Handlers, pause: int) -> None:
    """A look after each record, after less than a file, or after several files: each record
    arrives once, in order, in one stream.

    Catches: knowing rotated names of one of the two kinds only; finding one generation a look.
    """
    (tmp_path / "logs").mkdir()
    writer = handler(tmp_path / "logs/app.log")
    with Shipping(tmp_path, entry={"timestamp": "arrival"}) as sidecar:
        sidecar.settle()
        for number in range(1_200):
            writer.emit(record(message(number)))
            if number % pause == 0:
                sidecar.step(0.6)
        writer.close()
        sidecar.pass_time(3)
        assert sorted(sidecar.messages("app.log")) == [message(number) for number in range(1_200)]
        assert len(list((tmp_path / "logs").iterdir())) > 10
        assert sidecar.streams() == ["app.log"]


@pytest.mark.parametrize("handler", [by_size, EveryFew], ids=["by size", "by time"])
@pytest.mark.parametrize("clean", [True, False])
def test_r11_handlers_over_restarts(tmp_path: Path, handler: Handlers, clean: bool) -> None:
    """The handlers rotate several times during each time the sidecar is down.

    Catches: taking up only the newest generation after a start.
    """
    (tmp_path / "logs").mkdir()
    writer = handler(tmp_path / "logs/app.log")
    with Shipping(tmp_path, entry={"timestamp": "arrival"}) as sidecar:
        for number in range(1_200):
            writer.emit(record(message(number)))
            if number % 200 == 100:
                sidecar.settle()
                sidecar.stop(clean=clean)
            if number % 200 == 199:
                sidecar.start()
        writer.close()
        sidecar.pass_time(3)
        assert sorted(sidecar.messages("app.log")) == [message(number) for number in range(1_200)]


def test_r11_rotating_handler_against_a_real_sidecar(tmp_path: Path) -> None:
    """Three writers rotate as fast as they can in front of a real process, which is killed once
    and drained at the end: nothing is lost, and what is twice was counted as possibly so.

    Catches: letting a renamed file's descriptor go before its end was read.
    """
    each, names = 4_000, ["a", "b", "c"]
    (tmp_path / "logs").mkdir()

    def write(name: str) -> None:
        writer = RotatingFileHandler(
            tmp_path / f"logs/{name}.log", maxBytes=100_000, backupCount=1_000
        )
        for number in range(each):
            writer.emit(record(message(number)))
            if number % 100 == 0:
                os.sched_yield()
        writer.close()

    settings = {
        "state_dir": str(tmp_path / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{tmp_path}/logs/*.log"], "timestamp": "arrival"}],
    }
    with (
        StrictCloudWatch() as cloudwatch,
        RunningSidecar(tmp_path, settings, cloudwatch.environment()) as sidecar,
    ):
        writers = [threading.Thread(target=write, args=(name,)) for name in names]
        for writer in writers:
            writer.start()
        wait_for(lambda: cloudwatch.count() > 1_000)
        sidecar.kill()
        sidecar.start()
        for writer in writers:
            writer.join()
        assert sidecar.terminate() == 0
        assert cloudwatch.violations == []
        for name in names:
            arrived = cloudwatch.messages(GROUP, f"{name}.log")
            assert set(arrived) == {message(number) for number in range(each)}
        assert len(cloudwatch.streams()) == len(names)


def test_c01_real_sidecar_stopped_and_started(tmp_path: Path) -> None:
    """A real process, stopped cleanly in the middle of writing and started again, five times: no
    line is lost and none comes twice; a partial line waits over the stop.

    Catches: ending a drain before the last acknowledgement is in the journal.
    """
    log = tmp_path / "logs/app.log"
    log.parent.mkdir()
    settings = {
        "state_dir": str(tmp_path / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{log.parent}/*.log"], "timestamp": "arrival"}],
        "drain": {"quiet": "100ms"},
    }
    with (
        StrictCloudWatch() as cloudwatch,
        RunningSidecar(tmp_path, settings, cloudwatch.environment()) as sidecar,
        log.open("a") as writer,
    ):
        written = []
        for turn in range(5):
            for number in range(turn * 1_000, (turn + 1) * 1_000):
                writer.write(message(number)[:9])
                if number % 100 == 50:
                    writer.flush()
                writer.write(message(number)[9:] + "\n")
                written.append(message(number))
            writer.write("begun, ")
            writer.flush()
            assert sidecar.terminate() == 0
            writer.write("ended\n")
            writer.flush()
            written.append("begun, ended")
            sidecar.start()
        wait_for(lambda: cloudwatch.count() >= len(written))
        assert cloudwatch.messages(GROUP, "app.log") == written
        assert sidecar.status()["totals"]["possible_duplicates"] == 0
        assert cloudwatch.violations == []


def test_d07_real_sidecar_with_few_descriptors(tmp_path: Path) -> None:
    """A real process that may open 160 files reads 400 that all grow, and the status says so.

    Catches: taking the pool's size without a look at the process's own limit.
    """
    logs = tmp_path / "logs"
    logs.mkdir()
    for number in range(400):
        (logs / f"{number}.log").write_text("first\n")
    settings = {
        "state_dir": str(tmp_path / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{logs}/*.log"]}],
        "poll": {"budget": 100_000},
    }
    with (
        StrictCloudWatch() as cloudwatch,
        RunningSidecar(tmp_path, settings, cloudwatch.environment(), descriptors=160) as sidecar,
    ):
        wait_for(lambda: cloudwatch.count() == 400)
        for number in range(400):
            with (logs / f"{number}.log").open("a") as file:
                file.write("second\n")
        wait_for(lambda: cloudwatch.count() == 800)
        assert sidecar.status()["degraded"] == []
        assert sidecar.terminate() == 0
        for number in range(400):
            assert cloudwatch.messages(GROUP, f"{number}.log") == ["first", "second"]

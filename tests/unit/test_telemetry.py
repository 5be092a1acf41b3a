"""Log lines that nobody waits for, and counters."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from sidecar import telemetry
from sidecar.telemetry import LagHistogram, Totals, log_lines
from sidecar.telemetry.log_spool import LogSpool


def notice(count: int) -> bytes:
    return f"{count} dropped\n".encode()


class Gate:
    """A sink that takes nothing until it is opened, as a full pipe does."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.entered = threading.Event()
        self.taken = b""

    def write(self, line: bytes, /) -> int:
        self.entered.set()
        assert self.open.wait(30)
        self.taken += line
        return len(line)


@pytest.fixture
def sink() -> Iterator[io.BytesIO]:
    """A sink, with the process's logging put back afterwards."""
    hooks = sys.excepthook, threading.excepthook
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configuration = structlog.get_config()
    sink = io.BytesIO()
    yield sink
    if log_lines._Output.spool is not None:
        log_lines._Output.spool.close(seconds=5)
    log_lines._Output.spool = log_lines._Output.member = None
    structlog.configure(**configuration)
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook = hooks


def lines(sink: io.BytesIO) -> list[dict[str, Any]]:
    assert telemetry.flush(30)
    return [json.loads(line) for line in sink.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_member(sink: io.BytesIO) -> None:
    """Times are UTC with milliseconds; the event's name is a value of its own."""
    telemetry.configure("info", member="m1", sink=sink)
    structlog.get_logger().info("batch_delivered", events=3)
    (line,) = lines(sink)
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "batch_delivered", "level": "info", "member": "m1", "events": 3}


def test_the_level_holds_back_what_is_below(sink: io.BytesIO) -> None:
    """At `warning`, info lines are not written."""
    telemetry.configure("WARNING", sink=sink)
    structlog.get_logger().info("batch_delivered")
    structlog.get_logger().warning("source_truncated")
    assert [line["event"] for line in lines(sink)] == ["source_truncated"]


def test_a_member_named_later_is_on_every_line(sink: io.BytesIO) -> None:
    """The id is known only once the sidecar has joined."""
    telemetry.configure("info", sink=sink)
    log = structlog.get_logger()
    log.info("starting")
    telemetry.identify("m2")
    log.info("joined")
    assert [line.get("member") for line in lines(sink)] == [None, "m2"]


def test_other_libraries_arrive_from_warning_on(sink: io.BytesIO) -> None:
    """Even at debug: boto3's debugging lines hold the bodies of requests."""
    telemetry.configure("debug", sink=sink)
    logging.getLogger("botocore.endpoint").debug("body: %s", "secret")
    logging.getLogger("watchdog").warning("watch of %s failed", "/mnt")
    logging.getLogger("watchdog").warning("broken %d", "format")
    (line,) = lines(sink)
    assert (line["event"], line["logger"]) == ("library_message", "watchdog")
    assert line["message"] == "watch of /mnt failed"


def test_an_exception_is_one_line(sink: io.BytesIO) -> None:
    """Its trace is one value of the line, and shows no values of variables."""
    telemetry.configure("info", sink=sink)
    tailed = "the tailed text"
    try:
        int("x" + str(len(tailed)))
    except ValueError:
        structlog.get_logger().exception("step_failed")
    (line,) = lines(sink)
    assert "ValueError" in line["exception"]
    assert tailed not in json.dumps(line)


def test_an_uncaught_exception_of_a_thread_is_one_line(sink: io.BytesIO) -> None:
    """A thread that dies says so in the log's own form."""
    telemetry.configure("info", sink=sink)
    thread = threading.Thread(target=lambda: 1 / 0, name="sender-1")
    thread.start()
    thread.join()
    (line,) = lines(sink)
    assert (line["event"], line["thread"]) == ("uncaught_exception", "sender-1")
    assert "ZeroDivisionError" in line["exception"]


def test_a_path_that_is_not_utf8_can_be_logged(sink: io.BytesIO) -> None:
    """Lone surrogates, which orjson refuses, are written as escapes."""
    telemetry.configure("info", sink=sink)
    structlog.get_logger().info("source_claimed", path="/logs/caf\udce9.log")
    (line,) = lines(sink)
    assert "\\udce9" in line["path"]


def test_a_full_stderr_blocks_nobody() -> None:
    """Lines beyond the capacity are dropped and counted; a line says so once there is room."""
    gate = Gate()
    spool = LogSpool(gate, notice, capacity=30)
    spool.write(b"first line\n")
    assert gate.entered.wait(30)
    spool.write(b"second line\n")
    spool.write(b"a third line for which there is no room\n")
    spool.write(b"nor for another as long as that one\n")
    assert spool.dropped == 2
    assert not spool.flush(0.0)
    gate.open.set()
    assert spool.flush(30)
    spool.close(30)
    first, said, second = gate.taken.splitlines()
    assert (first, second) == (b"first line", b"second line")
    assert said == b"2 dropped"


def test_the_notice_of_dropped_lines_is_a_line_like_any_other(sink: io.BytesIO) -> None:
    """It has the time, the level, the member and the count."""
    telemetry.configure("info", member="m1", sink=sink)
    line = json.loads(log_lines._dropped_notice(7))
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "log_lines_dropped", "level": "warning", "count": 7, "member": "m1"}


def test_a_broken_stderr_costs_its_lines_only() -> None:
    """A sink that fails is counted, and the thread lives on for the next line."""

    class Broken:
        def __init__(self) -> None:
            self.taken: list[bytes] = []

        def write(self, line: bytes, /) -> int:
            if b"first" in line:
                raise BrokenPipeError
            self.taken.append(line)
            return len(line)

    sink = Broken()
    spool = LogSpool(sink, notice)
    spool.write(b"first\n")
    assert spool.flush(30)
    spool.write(b"second\n")
    spool.close(30)
    assert spool.dropped == 1
    assert sink.taken[0].endswith(b"second\n")


def test_a_short_write_is_continued() -> None:
    """A raw stderr may take part of a line, or for a moment nothing of it."""

    class Narrow:
        def __init__(self) -> None:
            self.taken = b""
            self.refusals = 1

        def write(self, line: bytes, /) -> int | None:
            if self.refusals:
                self.refusals -= 1
                return None
            self.taken += line[:3]
            return len(line[:3])

    sink = Narrow()
    spool = LogSpool(sink, notice)
    spool.write(b"a whole line\n")
    spool.close(30)
    assert sink.taken == b"a whole line\n"


def test_totals_begin_with_the_contracts_names() -> None:
    """The plain numbers are the `totals` of /status, the contract's ten first."""
    numbers = Totals().numbers()
    assert list(numbers)[:10] == [
        "events_delivered",
        "bytes_acknowledged",
        "events_rejected",
        "bytes_rejected",
        "events_filtered",
        "bytes_filtered",
        "bytes_gone",
        "batches",
        "retries",
        "possible_duplicates",
    ]
    assert set(numbers.values()) == {0}


def test_counts_with_a_reason_keep_sum_and_parts_alike() -> None:
    """What is counted by reason is counted in all as well."""
    totals = Totals()
    totals.count_rejected("too_old", events=2, size=50)
    totals.count_rejected("too_old", events=1, size=7)
    totals.count_filtered("drop", events=4)
    totals.count_refusal("throttled")
    assert (totals.events_rejected, totals.bytes_rejected) == (3, 57)
    assert (totals.rejected, totals.filtered) == ({"too_old": 3}, {"drop": 4})
    assert totals.events_filtered == 4
    assert totals.refusals == {"throttled": 1}


@pytest.mark.parametrize(
    ("seconds", "place"), [(0.005, 0), (0.006, 1), (3600.0, 15), (3601.0, 16), (-1.0, 0)]
)
def test_a_lag_falls_into_the_bucket_it_does_not_exceed(seconds: float, place: int) -> None:
    """Bounds are inclusive, as Prometheus has them; clocks that disagree give no negative lag."""
    lag = LagHistogram()
    lag.observe(seconds)
    assert lag.counts.index(1) == place
    assert lag.sum_seconds == max(0.0, seconds)

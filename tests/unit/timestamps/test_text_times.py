"""G03: times at the beginning of a text line."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from sidecar.model.assembler import Assembler
from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.records import NO_TIME
from sidecar.model.timestamps import times_for
from tests.unit.timestamps.readings import NOW, ms, time_of

SECOND = "2026-11-23T08:58:49+00:00"
MILLISECOND = "2026-11-23T08:58:49.123+00:00"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        # ISO 8601 and RFC 3339
        ("2026-11-23T08:58:49Z x", SECOND),
        ("2026-11-23T08:58:49.123Z x", MILLISECOND),
        ("2026-11-23T08:58:49.123Z", MILLISECOND),
        ("2026-11-23t08:58:49.123z x", MILLISECOND),
        ("2026-11-23 08:58:49,123 INFO x", MILLISECOND),
        ("2026-11-23 08:58:49.1239 x", MILLISECOND),
        ("2026-11-23T08:58:49.1Z x", "2026-11-23T08:58:49.100+00:00"),
        ("2026-11-23T08:58:49.123456789Z x", MILLISECOND),
        ("2026-11-23T08:58:49.1234567891Z x", MILLISECOND),
        ("2026-11-23T09:58:49.123+01:00 x", MILLISECOND),
        ("2026-11-23T09:58:49.123+0100 x", MILLISECOND),
        ("2026-11-23T09:58:49.123+01 x", MILLISECOND),
        ("2026-11-23T03:28:49.123-05:30 x", MILLISECOND),
        ("2026-11-23 09:58:49.123 +0100 x", MILLISECOND),
        ("2026-11-23 08:58:49.123 UTC [7] LOG:  x", MILLISECOND),
        ("2026-11-23 08:58:49.123 - x", MILLISECOND),
        ("2026-11-23T08:58Z x", "2026-11-23T08:58:00+00:00"),
        ("20261123T085849Z x", SECOND),
        ("2026-11-23T08:58:49: x", SECOND),
        ("[2026-11-23 08:58:49] x", SECOND),
        ("[2026-11-23T08:58:49.123Z] x", MILLISECOND),
        ("2026-12-31T23:59:60Z leap", "2027-01-01T00:00:00+00:00"),
        ("\x1b[2m2026-11-23T08:58:49.123Z\x1b[0m x", MILLISECOND),
        ('time="2026-11-23T08:58:49Z" level=info', SECOND),
        ("ts=2026-11-23T08:58:49.123Z level=info", MILLISECOND),
        # nginx's error log and Go's log package
        ("2026/11/23 08:58:49 [error] 7#7: x", SECOND),
        ("2026/11/23 08:58:49.123456 x", MILLISECOND),
        # syslog, old and new
        ("Nov 23 08:58:49 host x", SECOND),
        ("<34>Nov 23 08:58:49 host x", SECOND),
        ("Nov  3 08:58:49 host x", "2026-11-03T08:58:49+00:00"),
        ("Nov 23 2025 08:58:49 host x", "2025-11-23T08:58:49+00:00"),
        ("<34>1 2026-11-23T08:58:49.123Z host app - - x", MILLISECOND),
        # Apache and nginx
        ('1.2.3.4 - - [23/Nov/2026:08:58:49 +0000] "GET / HTTP/1.1" 200 1', SECOND),
        ('::1 - a b [23/Nov/2026:09:58:49 +0100] "GET /"', SECOND),
        ('host:443 1.2.3.4 - x [23/Nov/2026:08:58:49 +0000] "GET /"', SECOND),
        ("[Mon Nov 23 08:58:49.123456 2026] [core:error] x", MILLISECOND),
        ("Mon Nov 23 08:58:49 2026 x", SECOND),
        # klog
        ("I1123 08:58:49.123456   12345 main.go:7] x", MILLISECOND),
        # seconds, milli-, micro- and nanoseconds since the epoch
        ("1795424329 x", SECOND),
        ("1795424329.123 x", MILLISECOND),
        ("1795424329.1 x", "2026-11-23T08:58:49.100+00:00"),
        ("[1795424329] x", SECOND),
        ("1795424329123 x", MILLISECOND),
        ("1795424329123456 x", MILLISECOND),
        ("1795424329123456789\tx", MILLISECOND),
    ],
)
def test_g03_a_time_at_the_beginning_of_a_line(line: str, expected: str) -> None:
    """Each form that programs write is read to the millisecond, further digits cut off.

    Caught: any form missing; a fraction of one digit read as milliseconds.
    """
    assert time_of(line) == ms(expected)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "no time",
        "at 2026-11-23T08:58:49Z in the middle",
        "2026-13-23T08:58:49Z no such month",
        "2026-02-30T08:58:49Z no such day",
        "2026-11-23T24:58:49Z no such hour",
        "2026-11-23T08:58:61Z no such second",
        "2026-11-23T08:58:49+16:00 no such zone",
        "1969-12-31T23:59:59Z before the epoch",
        "0000-01-01T00:00:00Z no such year",
        "2026-11-23 only a date",
        "2026-11-23T08:58:4 half a second",
        "2026-11-23T08:58:490 too many digits",
        "٢٠٢٦-11-23T08:58:49Z digits that are not ASCII",
        "Nov 31 08:58:49 no such day",
        "Foo 23 08:58:49 no such month",
        "1795424329, x",
        "179542432 nine digits",
        "17954243291 eleven digits",
        "915123456789 twelve digits",
        "-1795424329 negative",
        "GET [here] 23/Nov/2026:08:58:49",
    ],
)
def test_g03_what_is_no_valid_time_counts_as_none(line: str) -> None:
    """A line without a time at its beginning, or with an impossible one, has none.

    Caught: dropping the check of a field's range.
    """
    assert time_of(line) is None


def test_g03_a_time_without_zone_is_local() -> None:
    """Forms that name no zone are read in the configured one.

    Caught: taking UTC for every zone-less time.
    """
    berlin = ZoneInfo("Europe/Berlin")
    for line in (
        "2026-11-23 09:58:49,000 x",
        "2026/11/23 09:58:49 x",
        "Nov 23 09:58:49 host x",
        "[Mon Nov 23 09:58:49 2026] x",
        "I1123 09:58:49.000000 1 x",
    ):
        assert time_of(line, zone=berlin) == ms(SECOND)
        assert time_of(line, zone=timezone(timedelta(hours=1))) == ms(SECOND)


@pytest.fixture
def _process_in_new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_process_in_new_york")
def test_g03_local_is_what_tz_says() -> None:
    """Without a zone in the rules it is the process's, which the variable TZ sets.

    Caught: reading zone-less times as UTC by default.
    """
    [found] = times_for(AssemblyRules.of()).read(["2026-11-23 03:58:49 x"], NOW)
    assert found == ms(SECOND)


def test_g03_a_daylight_saving_gap_and_overlap() -> None:
    """A skipped time is read with the offset before the change, a repeated one as its first.

    Caught: fold=1, or refusing a time in the gap.
    """
    berlin = ZoneInfo("Europe/Berlin")
    assert time_of("2026-03-29 02:30:00 x", zone=berlin) == ms("2026-03-29T03:30:00+02:00")
    assert time_of("2026-10-25 02:30:00 x", zone=berlin) == ms("2026-10-25T02:30:00+02:00")


@pytest.mark.parametrize(
    ("now", "line", "expected"),
    [
        ("2027-01-01T00:10:00+00:00", "Dec 31 23:59:59 h x", "2026-12-31T23:59:59+00:00"),
        ("2026-12-31T23:50:00+00:00", "Jan  1 00:00:01 h x", "2027-01-01T00:00:01+00:00"),
        ("2026-11-23T08:00:00+00:00", "Jan  1 00:00:01 h x", "2027-01-01T00:00:01+00:00"),
        ("2026-03-01T08:00:00+00:00", "Feb 28 00:00:01 h x", "2026-02-28T00:00:01+00:00"),
        ("2027-03-01T08:00:00+00:00", "Feb 29 00:00:01 h x", "2028-02-29T00:00:01+00:00"),
        ("2027-01-01T00:10:00+00:00", "E1231 23:59:59.000000 1 x", "2026-12-31T23:59:59+00:00"),
    ],
)
def test_g03_a_form_without_a_year_takes_the_nearest(now: str, line: str, expected: str) -> None:
    """Last, this or next year's, whichever is nearest to today.

    Caught: always taking this year's.
    """
    assert time_of(line, now_ms=ms(now)) == ms(expected)


def test_g03_the_nearest_year_follows_the_clock() -> None:
    """What was cached a year ago does not decide.

    Caught: keeping times without a year in the cache across days.
    """
    times = times_for(AssemblyRules.of(zone=UTC))
    line = "Nov 23 08:58:49 h x"
    assert times.read([line], NOW) == [ms(SECOND)]
    next_year = ms("2027-11-23T09:00:00+00:00")
    assert times.read([line], next_year) == [ms("2027-11-23T08:58:49+00:00")]


def test_g03_an_event_without_a_time_takes_the_one_before() -> None:
    """Else the arrival time, which is not the assembler's to give.

    Caught: taking the arrival time for every line without one.
    """
    data = b"none\n1795424329 x\nnone\nnone\n1795424330 x\nnone\n"
    tail = Assembler(AssemblyRules.of(), stream="s")
    first = 1_795_424_329_000
    later = 1_795_424_330_000
    expected = [NO_TIME, first, first, first, later, later]
    assert tail.feed(data, 0, NOW).timestamps == expected
    assert tail.feed(b"none\n", len(data), NOW).timestamps == [later]
    again = Assembler(AssemblyRules.of(), stream="s", previous_timestamp=first)
    assert again.feed(b"none\n", 99, NOW).timestamps == [first]


def test_g03_arrival_reads_no_times() -> None:
    """With ``timestamp: arrival`` no line has a time of its own.

    Caught: falling back to auto.
    """
    assert time_of("2026-11-23T08:58:49Z x", "arrival") is None
    assert time_of('{"ts":1795424329}', "arrival") is None


@pytest.mark.parametrize(
    ("pattern", "form", "line", "expected"),
    [
        (r"at (\S+ \S+)", "%d.%m.%Y %H:%M:%S", "x at 23.11.2026 08:58:49 y", SECOND),
        (r"\d{8}-\d{6}", "%Y%m%d-%H%M%S", "job 20261123-085849 done", SECOND),
        (r"^(\S+)", "%Y-%m-%dT%H:%M:%S.%f%z", "2026-11-23T09:58:49.123+0100 x", MILLISECOND),
        (r"^(\S+)", "%Y-%m-%dT%H:%M:%S.%L%z", "2026-11-23T08:58:49.123456789Z x", MILLISECOND),
        (r"<(.*?)>", "%b %d %H:%M:%S", "<Nov 23 08:58:49>", SECOND),
        (r"<(.*?)>", "%b %d %H:%M:%S", "<Feb 29 08:58:49>", None),
        (r"t=(\d+)", "%s", "t=1795424329", SECOND),
        (r"t=([\d.]+)", "%s.%L", "t=1795424329.123", MILLISECOND),
        (r"t=(\d+)?", "%s", "t=", None),
        (r"t=(\S+)", "%Y", "t=never", None),
        (r"t=(\S+)", "%Y", "nothing", None),
        (r"(\S+ \S+ \S+)", "%Y-%m-%d %H:%M:%S %Z", "2026-11-23 08:58:49 UTC", SECOND),
    ],
)
def test_g03_a_users_pattern(pattern: str, form: str, line: str, expected: str | None) -> None:
    """Its first group, or all it finds, is read with the user's format.

    Caught: matching at the line's beginning only; reading a year that is not there as 1900.
    """
    found = time_of(line, {"pattern": pattern, "format": form})
    assert found == (None if expected is None else ms(expected))

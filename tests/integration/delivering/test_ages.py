"""W03: what CloudWatch refuses for its age, to the millisecond, and where those events end up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from tests.integration.delivering.stepped import (
    GROUP,
    append,
    dead_letters,
    fates_add_up,
    settings_for,
    stepping,
)
from tests.support.cloudwatch import StrictCloudWatch

HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch whose clock stands still, found by boto3 through the environment."""
    with StrictCloudWatch() as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        double.clock.freeze(int(time.time() * 1000))
        yield double
        assert double.violations == []


CASES = {
    # offsets from the service's now, retention, the reason expected for each
    "all kept at the bounds": ([-14 * DAY_MS, 2 * HOUR_MS], None, ["", ""]),
    "too old by 1 ms": ([-14 * DAY_MS - 1, -14 * DAY_MS], None, ["too_old", ""]),
    "too new by 1 ms": ([2 * HOUR_MS, 2 * HOUR_MS + 1], None, ["", "too_new"]),
    "expired by 1 ms": ([-3 * DAY_MS - 1, -3 * DAY_MS], 3, ["expired", ""]),
    "all too old": ([-15 * DAY_MS, -14 * DAY_MS - 1], None, ["too_old", "too_old"]),
    "all too new": ([3 * HOUR_MS, 4 * HOUR_MS], None, ["too_new", "too_new"]),
    "too old and expired": ([-14 * DAY_MS - 1, -14 * DAY_MS], 7, ["too_old", "expired"]),
    "every kind, in no order": (
        [0, 3 * HOUR_MS, -20 * DAY_MS, -1, -5 * DAY_MS, 2 * HOUR_MS, -3 * DAY_MS - 1, -HOUR_MS],
        3,
        ["", "too_new", "too_old", "", "expired", "", "expired", ""],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_w03_refused_events_are_exactly_the_dead_letters(
    tmp_path: Path, cloudwatch: StrictCloudWatch, case: str
) -> None:
    """The indexes in a 200 name events to the millisecond; those become dead letters, once each.

    A letter names file, range, stream, time, reason and text. Catches: any of the three indexes
    taken one off, or the order of the file used where the order of the request is meant.
    """
    offsets, retention, reasons = CASES[case]
    cloudwatch.create(GROUP)
    cloudwatch.store.groups[GROUP].retention_days = retention
    now = cloudwatch.clock.now_ms()
    lines = [f"{iso(now + offset)} line {n}" for n, offset in enumerate(offsets)]
    path = tmp_path / "logs" / "a.log"
    content = append(path, "".join(line + "\n" for line in lines))
    settings = settings_for(tmp_path)
    with stepping(settings, CloudWatchDestination(Client(), create=settings.create)) as sidecar:
        sidecar.ship()
        status = sidecar.status()

    kept = [line for line, reason in zip(lines, reasons, strict=True) if not reason]
    assert sorted(cloudwatch.messages(GROUP, "a.log")) == sorted(kept)
    letters = sorted(dead_letters(settings.state_dir), key=lambda letter: letter["offset"])
    expected = [
        (line, reason, now + offset)
        for line, reason, offset in zip(lines, reasons, offsets, strict=True)
        if reason
    ]
    assert [(e["message"], e["reason"], e["timestamp"]) for e in letters] == expected
    for letter in letters:
        assert set(letter) == {
            *("at", "path", "source", "offset", "length"),
            *("group", "stream", "timestamp", "reason", "message"),
        }
        begin, end = letter["offset"], letter["offset"] + letter["length"]
        assert content[begin:end].decode() == letter["message"] + "\n"
        assert (letter["path"], letter["group"], letter["stream"]) == (str(path), GROUP, "a.log")
    totals = status["totals"]
    assert totals["events_delivered"] == len(kept)
    assert totals["events_rejected"] == len(expected)
    assert totals["bytes_rejected"] == sum(letter["length"] for letter in letters)
    assert status["rejected"] == {r: reasons.count(r) for r in set(reasons) - {""}}
    fates_add_up(status, path)


def test_w03_dead_letters_are_not_written_twice_nor_sent_again(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """After a kill in which the settlement was lost, the same refusal adds no second letter.

    Catches: a member that does not remember the letters of the one it took over from.
    """
    now = cloudwatch.clock.now_ms()
    old = f"{iso(now - 30 * DAY_MS)} ancient"
    append(tmp_path / "logs" / "a.log", f"{old}\n")
    settings = settings_for(tmp_path)
    destination = CloudWatchDestination(Client(), create=settings.create)
    with stepping(settings, destination) as first:
        first.until(lambda: dead_letters(settings.state_dir))
    journals = sorted((settings.state_dir / "members").glob("*/*.[0-9]*"))
    for journal in journals:
        lines = journal.read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if b'"rejected"' not in line or b'"claim"' in line]
        journal.write_bytes(b"".join(kept))
    with stepping(settings, destination) as second:
        second.ship()
        assert second.status()["backlog"]["bytes"] == 0

    assert [letter["message"] for letter in dead_letters(settings.state_dir)] == [old]


def test_w03_old_events_travel_with_the_arrival_time_where_asked(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """`out_of_range: now` ships what is older than 14 days with the time of arrival.

    Catches: the option read and not applied.
    """
    now = cloudwatch.clock.now_ms()
    line = f"{iso(now - 30 * DAY_MS)} ancient"
    append(tmp_path / "logs" / "a.log", f"{line}\n")
    logs = [{"include": [f"{tmp_path}/logs/*.log"], "out_of_range": "now"}]
    settings = settings_for(tmp_path, logs=logs)
    with stepping(settings, CloudWatchDestination(Client(), create=settings.create)) as sidecar:
        sidecar.ship()
        assert sidecar.status()["totals"]["events_rejected"] == 0

    [event] = cloudwatch.events(GROUP, "a.log")
    assert event.message == line
    assert abs(event.timestamp - now) < HOUR_MS


def test_w03_letters_beyond_the_bound_are_discarded_and_counted(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """When the letters have filled their room, further ones are a number, and delivery goes on.

    Catches: a full room that keeps the bytes in the backlog for ever, or letters without a bound.
    """
    now = cloudwatch.clock.now_ms()
    lines = [f"{iso(now - 30 * DAY_MS + n)} ancient {n}" for n in range(50)]
    path = tmp_path / "logs" / "a.log"
    append(path, "".join(line + "\n" for line in [*lines, f"{iso(now)} young"]))
    settings = settings_for(tmp_path)
    with stepping(settings, CloudWatchDestination(Client(), create=settings.create)) as sidecar:
        sidecar.shipper.checkpoints.letters._limit = 4000
        sidecar.ship()
        status = sidecar.status()

    letters = dead_letters(settings.state_dir)
    assert 5 <= len(letters) < 50
    assert status["totals"]["dead_letters_discarded"] == 50 - len(letters)
    assert status["totals"]["events_rejected"] == 50
    assert len(cloudwatch.messages(GROUP, "a.log")) == 1
    fates_add_up(status, path)


def iso(at_ms: int) -> str:
    """A time as log lines write it, to the millisecond."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"

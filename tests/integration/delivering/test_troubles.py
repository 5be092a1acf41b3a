"""W04-W08 over HTTP: throttling, lost answers, missing targets, refused credentials, poison."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from sidecar.settings import Settings
from tests.integration.delivering.stepped import (
    GROUP,
    append,
    dead_letters,
    fates_add_up,
    settings_for,
    stepping,
)
from tests.support.cloudwatch import StrictCloudWatch

RESUMES_WITHIN = 15.0
"""Seconds (contract): after an outage, denial or expiry is over, delivery resumes within."""


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch that boto3 finds through the environment."""
    with StrictCloudWatch() as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double
        assert double.violations == []


def destination(settings: Settings, **client: float) -> CloudWatchDestination:
    """The product's own, with time-outs that suit a test."""
    return CloudWatchDestination(Client(**client), create=settings.create)  # type: ignore[arg-type]


def numbered(first: int, last: int) -> list[str]:
    return [f"line {number:06d}" for number in range(first, last)]


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_w04_throttling_slows_down_loses_nothing_and_recovers(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Ten minutes of throttling cost a request each few seconds, and then everything arrives.

    Catches: a retry without any back-off, or one that counts a throttled batch as sent.
    """
    lines = numbered(0, 5000)
    append(tmp_path / "logs" / "a.log", text(lines[:100]))
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings)) as sidecar:
        sidecar.ship()
        before = cloudwatch.requests["PutLogEvents"]
        fault = cloudwatch.faults.add("throttle", operation="PutLogEvents")
        append(tmp_path / "logs" / "a.log", text(lines[100:]))
        sidecar.pass_time(600.0)
        requests = cloudwatch.requests["PutLogEvents"] - before
        assert 30 <= requests <= 200
        assert any("throttled" in each for each in sidecar.status()["degraded"])
        # The answer to the last request may still be on its way to the pump.
        assert requests - 1 <= sidecar.status()["refusals"]["throttled"] <= requests
        cloudwatch.faults.clear(fault)
        assert sidecar.until(sidecar.settled) <= RESUMES_WITHIN
        assert sidecar.status()["degraded"] == []
        assert sidecar.status()["totals"]["possible_duplicates"] == 0

    shown = sorted(cloudwatch.events(GROUP, "a.log"), key=lambda event: event.timestamp)
    assert [event.message for event in shown] == lines


def test_w04_many_throttled_streams_cost_no_more_than_one(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """When everything is throttled, the streams take turns in trying.

    Catches: a pace that never falls to one probe at a time (thousands of requests).
    """
    paths = [tmp_path / "logs" / f"{number:02d}.log" for number in range(20)]
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings)) as sidecar:
        cloudwatch.faults.add("throttle")
        for path in paths:
            append(path, "one\n")
        sidecar.pass_time(600.0)
        assert cloudwatch.requests.total() <= 300
        cloudwatch.faults.clear()
        sidecar.until(sidecar.settled)

    assert [cloudwatch.messages(GROUP, path.name) for path in paths] == [["one"]] * 20


def test_w04_one_throttled_stream_backs_off_among_successes(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """One stream is throttled while another is served: it is tried seldom, the other at once.

    Catches: `batch.not_before` not set after a failure.
    """
    slow, well = tmp_path / "logs" / "slow.log", tmp_path / "logs" / "well.log"
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings)) as sidecar:
        append(slow, "first\n")
        append(well, "first\n")
        sidecar.ship()
        fault = cloudwatch.faults.add("throttle", stream="slow.log")
        append(slow, "second\n")
        for number in range(100):
            append(well, f"{number}\n")
            sidecar.until(lambda: sidecar.source("well.log")["lag_bytes"] == 0)
            sidecar.pass_time(0.6, each=0.2)
        assert 3 <= fault.fired <= 40
        cloudwatch.faults.clear(fault)
        sidecar.ship()

    assert cloudwatch.messages(GROUP, "slow.log") == ["first", "second"]
    assert len(cloudwatch.messages(GROUP, "well.log")) == 101


def test_w04_full_rate_afterwards(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """After a throttling of every stream has ended, as many requests run at once as before.

    Catches: a pace that falls and never rises again.
    """
    paths = [tmp_path / "logs" / f"{number}.log" for number in range(8)]
    settings = settings_for(tmp_path, delivery={"in_flight": 8})
    with stepping(settings, destination(settings)) as sidecar:
        for path in paths:
            append(path, "first\n")
        sidecar.ship()
        cloudwatch.faults.add("throttle", operation="PutLogEvents", times=30)
        for path in paths:
            append(path, "second\n")
        sidecar.ship()
        for number in range(2):
            for path in paths:
                append(path, f"third {number}\n")
            sidecar.ship()
        held = cloudwatch.faults.add("no_answer", operation="PutLogEvents", stored=True)
        for path in paths:
            append(path, "last\n")
        sidecar.until(lambda: sidecar.shipper.delivery.under_way == 8)
        cloudwatch.faults.clear(held)
        sidecar.until(sidecar.settled)

    for path in paths:
        assert set(cloudwatch.messages(GROUP, path.name)) >= {"first", "second", "last"}


LOST: dict[str, tuple[str, dict[str, Any]]] = {
    "500": ("server_error", {"status": 500}),
    "503": ("server_error", {"status": 503}),
    "500 but stored": ("server_error", {"status": 500, "stored": True}),
    "reset before": ("reset_before", {}),
    "reset after": ("reset_after", {}),
    "answer cut off": ("cut_reply", {}),
    "no answer": ("no_answer", {}),
    "no answer but stored": ("no_answer", {"stored": True}),
}


@pytest.mark.parametrize("case", LOST)
def test_w05_lost_answer_loses_nothing_and_doubles_nothing(
    tmp_path: Path, cloudwatch: StrictCloudWatch, case: str
) -> None:
    """Whatever becomes of an answer: every line is stored once, in order.

    Catches: an unknown outcome taken for a success (a loss), or for a failure (a double).
    """
    kind, options = LOST[case]
    lines = numbered(0, 300)
    append(tmp_path / "logs" / "a.log", text(lines[:100]))
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings, read_seconds=0.3)) as sidecar:
        sidecar.ship()
        fault = cloudwatch.faults.add(kind, operation="PutLogEvents", times=2, **options)
        append(tmp_path / "logs" / "a.log", text(lines[100:200]))
        sidecar.ship()
        append(tmp_path / "logs" / "a.log", text(lines[200:]))
        sidecar.ship()
        status = sidecar.status()

    assert fault.fired >= 1
    assert status["totals"]["possible_duplicates"] == 0
    shown = sorted(cloudwatch.events(GROUP, "a.log"), key=lambda event: event.timestamp)
    assert [event.message for event in shown] == lines
    fates_add_up(status, tmp_path / "logs" / "a.log")


def test_w06_missing_group_is_made_as_configured(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """A group that is missing is made with retention, class, tags and key; the streams in it.

    Catches: any of the four left out of CreateLogGroup.
    """
    append(tmp_path / "logs" / "a.log", "one\n")
    create = {
        "retention_days": 7,
        "class": "INFREQUENT_ACCESS",
        "tags": {"team": "reports"},
        "kms_key": "arn:aws:kms:us-east-1:123456789012:key/1",
    }
    settings = settings_for(tmp_path, create=create)
    with stepping(settings, destination(settings)) as sidecar:
        sidecar.ship()

    group = cloudwatch.store.groups[GROUP]
    assert (group.retention_days, group.class_) == (7, "INFREQUENT_ACCESS")
    assert (group.tags, group.kms_key) == ({"team": "reports"}, create["kms_key"])
    assert cloudwatch.messages(GROUP, "a.log") == ["one"]


@pytest.mark.parametrize("what", ["group", "stream"])
def test_w06_target_deleted_while_running_is_made_again(
    tmp_path: Path, cloudwatch: StrictCloudWatch, what: str
) -> None:
    """Somebody deletes the stream or its whole group: what is written next arrives in a new one.

    Catches: a target remembered as made, or only the stream made where its group is gone too.
    """
    path = tmp_path / "logs" / "a.log"
    append(path, "before\n")
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings)) as sidecar:
        sidecar.ship()
        if what == "group":
            cloudwatch.store.delete_group(GROUP)
        else:
            cloudwatch.store.delete_stream(GROUP, "a.log")
        append(path, "after\n")
        sidecar.ship()
        assert sidecar.status()["degraded"] == []
        assert sidecar.status()["totals"]["possible_duplicates"] == 0
        fates_add_up(sidecar.status(), path)

    assert cloudwatch.messages(GROUP, "a.log") == ["after"]


def test_w06_made_by_somebody_else_meanwhile(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """The stream turns up between the refusal and its making: that is no trouble.

    Catches: ResourceAlreadyExistsException taken for a failure.
    """
    append(tmp_path / "logs" / "a.log", "one\n")
    cloudwatch.create(GROUP, "a.log")
    cloudwatch.faults.add("not_found", operation="PutLogEvents", what="group", times=1)
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings)) as sidecar:
        sidecar.ship()
        assert sidecar.status()["refusals"] == {}

    assert cloudwatch.messages(GROUP, "a.log") == ["one"]
    assert cloudwatch.store.groups[GROUP].retention_days is None, "not ours to change"


def test_w06_group_that_may_not_be_made_is_waited_for(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """With `create.groups: false` a missing group is said, and shipping goes on once it is there.

    Catches: a group made against the configuration, or a refusal that is final.
    """
    append(tmp_path / "logs" / "a.log", "one\n")
    settings = settings_for(tmp_path, create={"groups": False})
    with stepping(settings, destination(settings)) as sidecar:
        sidecar.pass_time(60.0)
        [said] = sidecar.status()["degraded"]
        assert GROUP in said
        assert "create" in said
        assert cloudwatch.streams() == []
        assert GROUP not in cloudwatch.store.groups
        cloudwatch.create(GROUP)
        assert sidecar.until(sidecar.settled) <= RESUMES_WITHIN

    assert cloudwatch.messages(GROUP, "a.log") == ["one"]


REFUSED = ("access_denied", "expired_token", "unrecognized")


@pytest.mark.parametrize("kind", REFUSED)
def test_w07_refused_credentials_wait_and_recover_by_themselves(
    tmp_path: Path, cloudwatch: StrictCloudWatch, kind: str
) -> None:
    """An hour of refusals: few requests, healthy, degraded with a remedy; resumed within 15 s.

    Catches: a denial that gives up, makes the health check fail, or is tried at full speed.
    """
    path = tmp_path / "logs" / "a.log"
    append(path, "one\n")
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings)) as sidecar:
        sidecar.ship()
        before = cloudwatch.requests.total()
        cloudwatch.faults.add(kind)
        for number in range(6):
            append(path, f"meanwhile {number}\n")
            sidecar.pass_time(600.0, each=1.0)
        assert cloudwatch.requests.total() - before <= 3600 / 4
        [said] = sidecar.status()["degraded"]
        assert said.startswith("denied: ")
        sidecar.until(sidecar.is_healthy, seconds=0.0)
        assert sidecar.status()["totals"]["events_rejected"] == 0
        cloudwatch.faults.clear()
        assert sidecar.until(sidecar.settled, seconds=0.5) <= RESUMES_WITHIN
        assert sidecar.status()["degraded"] == []
        assert sidecar.status()["totals"]["possible_duplicates"] == 0

    shown = sorted(cloudwatch.events(GROUP, "a.log"), key=lambda event: event.timestamp)
    messages = [event.message for event in shown]
    assert messages == ["one", *(f"meanwhile {number}" for number in range(6))]


def test_w07_no_credentials_yet_and_then_a_file_with_some(
    tmp_path: Path, cloudwatch: StrictCloudWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials that turn up later are found without a restart, and nothing was lost.

    Catches: a boto3 session kept for ever, which remembers that it found none.
    """
    found = tmp_path / "credentials"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(found))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    append(tmp_path / "logs" / "a.log", "one\n")
    settings = settings_for(tmp_path)
    now = [0.0]
    client = Client(clock=lambda: now[0])
    sent_to = CloudWatchDestination(client, create=settings.create)
    with stepping(settings, sent_to) as sidecar:

        def pass_with_the_pump() -> bool:
            now[0] = sidecar.now
            return bool(sidecar.settled())

        for _ in range(60):
            pass_with_the_pump()
            sidecar.pass_time(1.0)
        [said] = sidecar.status()["degraded"]
        assert "credentials" in said
        sidecar.until(sidecar.is_healthy, seconds=0.0)
        known = cloudwatch.identity
        found.write_text(
            "[default]\n"
            f"aws_access_key_id = {known.access_key}\n"
            f"aws_secret_access_key = {known.secret_key}\n",
            encoding="utf-8",
        )
        assert sidecar.until(pass_with_the_pump) <= RESUMES_WITHIN

    assert cloudwatch.messages(GROUP, "a.log") == ["one"]


@pytest.mark.parametrize("group_exists", [True, False])
def test_w07_two_permissions_are_enough(
    tmp_path: Path, cloudwatch: StrictCloudWatch, group_exists: bool
) -> None:
    """With CreateLogStream and PutLogEvents alone it ships into a group that exists, and says
    nothing; where the group is missing it names the permission, and goes on once there is one.

    Catches: a Describe before the first batch, or a group made before it is known to be missing.
    """
    append(tmp_path / "logs" / "a.log", text(numbered(0, 10)))
    if group_exists:
        cloudwatch.create(GROUP)
    for action in ("CreateLogGroup", "PutRetentionPolicy", "Describe*", "GetLogEvents"):
        cloudwatch.faults.add("access_denied", operation=action)
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings)) as sidecar:
        if not group_exists:
            sidecar.pass_time(30.0)
            [said] = sidecar.status()["degraded"]
            assert "logs:CreateLogGroup" in said
            assert GROUP in said
            cloudwatch.create(GROUP)
            assert sidecar.until(sidecar.settled) <= RESUMES_WITHIN
        sidecar.ship()
        assert sidecar.status()["degraded"] == []

    assert cloudwatch.messages(GROUP, "a.log") == numbered(0, 10)
    assert group_exists == (cloudwatch.requests["CreateLogGroup"] == 0)


@pytest.mark.parametrize("poisoned", [[0], [1999], [700, 701, 1500]])
def test_w08_poisoned_event_costs_one_event(
    tmp_path: Path, cloudwatch: StrictCloudWatch, poisoned: list[int]
) -> None:
    """A batch that is refused for one event loses that one; all others arrive once, in order.

    Catches: a batch dead-lettered whole, a half forgotten, or halves sent in the wrong order.
    """
    lines = numbered(0, 2000)
    for number in poisoned:
        lines[number] += " POISON"
    path = tmp_path / "logs" / "a.log"
    content = append(path, text(lines))
    cloudwatch.faults.add("poison")
    settings = settings_for(tmp_path)
    with stepping(settings, destination(settings)) as sidecar:
        sidecar.ship()
        status = sidecar.status()

    kept = [line for number, line in enumerate(lines) if number not in poisoned]
    assert cloudwatch.messages(GROUP, "a.log") == kept
    letters = sorted(dead_letters(settings.state_dir), key=lambda letter: letter["offset"])
    assert [letter["message"] for letter in letters] == [lines[number] for number in poisoned]
    assert {letter["reason"] for letter in letters} == {"invalid"}
    for letter in letters:
        begin = letter["offset"]
        assert content[begin : begin + letter["length"]].decode() == letter["message"] + "\n"
    assert status["totals"]["events_rejected"] == len(poisoned)
    assert cloudwatch.requests["PutLogEvents"] <= 2 + 2 * 11 * len(poisoned)
    fates_add_up(status, path)

"""`sidecar rejected list` and `replay` on a real state directory, against the strict CloudWatch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.registry.rejected import DeadLetter, DeadLetters
from tests.integration.commands.shell import sidecar
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/reports"
HOUR_MS = 3600 * 1000
DAY_MS = 24 * HOUR_MS


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch; whatever it is sent is lawful."""
    with StrictCloudWatch() as double:
        yield double
        assert double.violations == []


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return int(time.time() * 1000)


def letter(offset: int, **changes: Any) -> DeadLetter:
    """A dead letter of an event a minute old."""
    fields: dict[str, Any] = {
        "at": now_ms(),
        "path": "/mnt/efs/logs/a.log",
        "source": "/mnt/efs/logs:7:1",
        "offset": offset,
        "length": 10,
        "group": GROUP,
        "stream": "a.log",
        "timestamp": now_ms() - 60_000,
        "reason": "invalid",
        "message": f"line {offset}",
    }
    return DeadLetter(**(fields | changes))


def kept(volume: Path, *letters: DeadLetter, member: str = "m1") -> None:
    """Write letters as a sidecar does."""
    writer = DeadLetters(volume / "state", member)
    for each in letters:
        assert writer.append(each)
    assert writer.sync()
    writer.close()


def configured(volume: Path, **more: Any) -> str:
    """The path of a configuration for the volume."""
    settings = {
        "state_dir": str(volume / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{volume}/logs/**/*.log"]}],
    }
    file = volume / "rejected.yaml"
    file.write_text(json.dumps(settings | more), encoding="utf-8")
    return str(file)


def listed(config: str, *arguments: str) -> dict[str, Any]:
    """The document of `rejected list --json`."""
    result = sidecar("rejected", "list", "--json", "--config", config, *arguments)
    assert (result.returncode, result.stderr) == (0, "")
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def replayed(
    config: str, cloudwatch: StrictCloudWatch, *arguments: str, status: int = 0
) -> dict[str, Any]:
    """The document of `rejected replay --json`, which ends with this status."""
    result = sidecar(
        *("rejected", "replay", "--json", "--config", config, *arguments),
        environ=cloudwatch.environment(),
    )
    assert result.returncode == status, result.stdout + result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    assert (result.stderr == "") is (document["problem"] is None)
    return document


def test_without_letters_there_is_nothing_to_do(tmp_path: Path) -> None:
    """Both say so, with status 0, and make nothing: not even a state directory."""
    config = configured(tmp_path)

    shown = sidecar("rejected", "list", "--config", config)
    sent = sidecar("rejected", "replay", "--config", config)

    assert (shown.returncode, sent.returncode) == (0, 0)
    assert "no dead letters" in shown.stdout
    assert "no dead letters" in sent.stdout
    assert not (tmp_path / "state").exists()


def test_letters_of_all_members_are_listed_once(tmp_path: Path) -> None:
    """Every member's letters, each once however often it stands there; half a line is none.

    Would catch: the first file alone read, or a torn line ending the list.
    """
    kept(tmp_path, letter(1), letter(2, message=b"\xff\x00"))
    kept(tmp_path, letter(2), letter(3, reason="too_old"), member="m2")
    with (tmp_path / "state" / "rejected" / "m1.jsonl").open("ab") as torn:
        torn.write(b'{"at": 17')

    document = listed(configured(tmp_path))

    assert [each["offset"] for each in document["letters"]] == [1, 2, 3]
    assert [each["member"] for each in document["letters"]] == ["m1", "m1", "m2"]
    assert document["letters"][1]["message_base64"] == "/wA="
    assert {each["state"] for each in document["letters"]} == {"waiting"}
    assert (document["total"], document["states"]) == (3, {"waiting": 3})


def test_the_table_shows_the_latest_and_how_many_there_are(tmp_path: Path) -> None:
    """With --limit only the latest rows; the count is of all. A message is cut to an excerpt."""
    kept(tmp_path, *(letter(n) for n in range(5)), letter(9, message="x" * 300))

    result = sidecar("rejected", "list", "--limit", "2", "--config", configured(tmp_path))

    lines = result.stdout.splitlines()
    assert lines[0].startswith("REFUSED AT")
    assert [line.split()[6] for line in lines[1:3]] == ["4", "9"]
    assert len(lines[2]) < 300
    assert "4 before these" in result.stdout
    assert "6 dead letters: 6 waiting" in result.stdout


def test_replay_sends_each_letter_once(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """Letters of several streams arrive with their own times; a second replay sends none.

    Would catch: a replay that forgets what it sent.
    """
    times = [now_ms() - HOUR_MS * n for n in range(40)]
    kept(tmp_path, *(letter(n, timestamp=time) for n, time in enumerate(times)))
    kept(tmp_path, letter(0, source="other", stream="b.log", message=b"caf\xc3\xa9"), member="m2")
    config = configured(tmp_path)

    first = replayed(config, cloudwatch)
    second = replayed(config, cloudwatch)

    assert (first["replayed"], first["letters"]) == (41, 41)
    assert (second["replayed"], second["replayed_before"]) == (0, 41)
    shown = {(event.timestamp, event.message) for event in cloudwatch.events(GROUP, "a.log")}
    assert shown == {(time, f"line {n}") for n, time in enumerate(times)}
    assert cloudwatch.count(GROUP, "a.log") == 40
    assert cloudwatch.messages(GROUP, "b.log") == ["café"]
    assert listed(config)["states"] == {"replayed": 41}


def test_what_is_refused_again_is_kept(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """One poisoned letter among many costs itself alone, and is there for the next replay.

    Would catch: a refusal marked as replayed, or a batch given up for one letter.
    """
    kept(
        tmp_path, *(letter(n, message=f"line {n}") for n in range(50)), letter(50, message="POISON")
    )
    config = configured(tmp_path)
    cloudwatch.faults.add("poison")

    first = replayed(config, cloudwatch, status=1)
    states = listed(config)["states"]
    cloudwatch.faults.clear()
    second = replayed(config, cloudwatch)

    assert (first["replayed"], first["refused"]) == (50, 1)
    assert states == {"replayed": 50, "refused again": 1}
    assert (second["replayed"], second["replayed_before"]) == (1, 50)
    assert Counter(cloudwatch.messages(GROUP, "a.log")) == Counter(
        [*(f"line {n}" for n in range(50)), "POISON"]
    )


def test_letters_out_of_range_are_not_sent_but_by_now(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Too old ones would only be refused again: they wait, and --now sends them with today's time.

    Would catch: --now giving its time to letters that are in range.
    """
    young = now_ms() - DAY_MS
    kept(
        tmp_path,
        letter(1, timestamp=now_ms() - 20 * DAY_MS, reason="too_old"),
        letter(2, timestamp=now_ms() + 5 * HOUR_MS, reason="too_new"),
        letter(3, timestamp=young),
    )
    config = configured(tmp_path)

    first = replayed(config, cloudwatch, status=1)
    before = now_ms()
    second = replayed(config, cloudwatch, "--now")

    assert (first["replayed"], first["out_of_range"]) == (1, 2)
    assert second["replayed"] == 2
    times = {event.message: event.timestamp for event in cloudwatch.events(GROUP, "a.log")}
    assert times["line 3"] == young
    assert before <= times["line 1"] <= now_ms()
    assert before <= times["line 2"] <= now_ms()


def test_refusals_in_an_answer_are_told_event_by_event(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """A group's retention refuses some events of a batch: exactly those are kept.

    Would catch: an answer with refusals taken as a success of the whole batch.
    """
    cloudwatch.create(GROUP)
    cloudwatch.store.groups[GROUP].retention_days = 3
    kept(tmp_path, letter(1, timestamp=now_ms() - 5 * DAY_MS), letter(2))
    config = configured(tmp_path)

    document = replayed(config, cloudwatch, status=1)

    assert (document["replayed"], document["refused"]) == (1, 1)
    assert cloudwatch.messages(GROUP, "a.log") == ["line 2"]
    states = {each["offset"]: each["state"] for each in listed(config)["letters"]}
    assert states == {1: "refused again", 2: "replayed"}


def test_a_killed_replay_sends_twice_at_most_what_was_under_way(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Killed while a batch's answer was out, the next replay says so and sends that batch again.

    Would catch: letters marked only after the request, or all of them sent anew.
    """
    day_before = [letter(n, timestamp=now_ms() - 2 * DAY_MS) for n in range(10)]
    kept(tmp_path, *day_before, *(letter(n) for n in range(10, 20)))
    config = configured(tmp_path)
    cloudwatch.create(GROUP, "a.log")
    held = cloudwatch.faults.add("no_answer", operation="PutLogEvents", stored=True, skip=1)
    command = [sys.executable, "-m", "sidecar", "rejected", "replay", "--config", config]
    environ = {"PATH": os.environ["PATH"], **cloudwatch.environment()}
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL)
    wait_for(lambda: cloudwatch.count(GROUP, "a.log") == 20)
    process.kill()
    process.wait()
    cloudwatch.faults.clear(held)

    states = listed(config)["states"]
    document = replayed(config, cloudwatch)

    assert states == {"replayed": 10, "in doubt": 10}
    assert (document["replayed_before"], document["in_doubt"]) == (10, 10)
    assert document["possible_duplicates"] == 10
    counts = Counter(cloudwatch.messages(GROUP, "a.log"))
    assert counts == {f"line {n}": 1 if n < 10 else 2 for n in range(20)}
    assert listed(config)["states"] == {"replayed": 20}


@pytest.mark.parametrize("kind", ["throttle", "reset_before", "server_error"])
def test_a_passing_trouble_is_waited_out(
    tmp_path: Path, cloudwatch: StrictCloudWatch, kind: str
) -> None:
    """What certainly stored nothing is sent again uncounted; what may have is counted.

    Would catch: a throttled batch counted as a possible duplicate, or given up at once.
    """
    kept(tmp_path, letter(1), letter(2))
    cloudwatch.create(GROUP, "a.log")
    cloudwatch.faults.add(kind, operation="PutLogEvents", times=2)

    document = replayed(configured(tmp_path), cloudwatch)

    assert cloudwatch.messages(GROUP, "a.log") == ["line 1", "line 2"]
    assert document["possible_duplicates"] == (0 if kind == "throttle" else 4)


def test_a_denial_ends_it_with_a_remedy(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """What is not allowed is one line on stderr, status 1, and every letter waits as before."""
    kept(tmp_path, letter(1))
    config = configured(tmp_path)
    cloudwatch.create(GROUP, "a.log")
    cloudwatch.faults.add("access_denied")

    document = replayed(config, cloudwatch, status=1)

    assert "allow logs:PutLogEvents" in document["problem"]
    assert listed(config)["states"] == {"waiting": 1}


def test_missing_group_and_stream_are_made(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """Replay makes what the configuration lets it make, and says where it may not."""
    kept(tmp_path, letter(1))
    refused = replayed(configured(tmp_path, create={"groups": False}), cloudwatch, status=1)
    made = replayed(configured(tmp_path), cloudwatch)

    assert "create.groups" in refused["problem"]
    assert made["replayed"] == 1
    assert cloudwatch.messages(GROUP, "a.log") == ["line 1"]


def test_replay_beside_a_running_sidecar(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """The sidecar goes on writing letters to its file; each is replayed once, none is spoilt.

    Would catch: a replay that writes to, or locks, the letters' own file.
    """
    log = tmp_path / "logs" / "a.log"
    log.parent.mkdir()
    config = configured(tmp_path)
    poison = cloudwatch.faults.add("poison", operation="PutLogEvents")
    settings = json.loads(Path(config).read_text())
    with RunningSidecar(tmp_path, settings, cloudwatch.environment()) as running:

        def rejected(count: int) -> None:
            wait_for(lambda: running.status()["totals"]["events_rejected"] == count)

        log.write_text("POISON 1\nwell 1\n")
        rejected(1)
        cloudwatch.faults.clear(poison)
        first = replayed(config, cloudwatch)
        poison = cloudwatch.faults.add("poison", operation="PutLogEvents")
        with log.open("a") as file:
            file.write("POISON 2\nwell 2\n")
        rejected(2)
        cloudwatch.faults.clear(poison)
        second = replayed(config, cloudwatch)
        wait_for(lambda: running.status()["backlog"]["bytes"] == 0)
        assert running.terminate() == 0

    assert (first["replayed"], second["replayed"], second["replayed_before"]) == (1, 1, 1)
    assert Counter(cloudwatch.messages(GROUP, "a.log")) == Counter(
        ["POISON 1", "well 1", "POISON 2", "well 2"]
    )


def test_a_bad_configuration_is_status_2(tmp_path: Path) -> None:
    """Both acts name the key and do nothing."""
    config = configured(tmp_path, logz=[])

    for act in ("list", "replay"):
        result = sidecar("rejected", act, "--config", config)
        assert (result.returncode, result.stdout) == (2, "")
        assert "logz" in result.stderr

"""`sidecar verify` against the strict CloudWatch: what was planted is found, and nothing else."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from sidecar.settings import Create
from tests.integration.commands.shell import sidecar
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for
from tests.support.shipping import GROUP, Shipping, append, lines

STREAM = "a.log"


class Place:
    """A volume, a CloudWatch, and the two between which `verify` compares."""

    def __init__(self, volume: Path, cloudwatch: StrictCloudWatch) -> None:
        self.volume = volume
        self.logs = volume / "logs"
        self.log = self.logs / STREAM
        self.cloudwatch = cloudwatch
        self.entry: dict[str, Any] = {}
        self.more: dict[str, Any] = {}

    def shipping(self) -> Shipping:
        """A sidecar, stepped in this process."""
        destination = CloudWatchDestination(Client(), create=Create())
        return Shipping(self.volume, destination, entry=self.entry)

    def ship(self, *contents: Any, log: Path | None = None) -> None:
        """Append each content and ship it, a batch each."""
        with self.shipping() as shipping:
            for content in contents:
                append(log or self.log, content)
                shipping.settle()
            shipping.stop()

    def verify(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        """The document of `verify --json`, which ends with this status."""
        result = sidecar(
            *("verify", "--json", "--config", self.config(), *arguments),
            environ=self.cloudwatch.environment(),
        )
        assert result.returncode == status, result.stdout + result.stderr
        assert result.stderr == ""
        document: dict[str, Any] = json.loads(result.stdout)
        assert document["sound"] is (status == 0)
        return document

    def stream(self, *arguments: str, status: int = 0, name: str = STREAM) -> dict[str, Any]:
        """The verdict on one stream."""
        found = self.verify(*arguments, status=status)["streams"]
        [verdict] = [each for each in found if each["stream"] == name]
        return dict(verdict)

    def config(self) -> str:
        """The path of the configuration; nothing is waited for that may be invisible."""
        settings: dict[str, Any] = {
            "state_dir": str(self.volume / "state"),
            "log_group": GROUP,
            "logs": [{"include": [f"{self.logs}/**/*.log"]} | self.entry],
            "delivery": {"reconcile_wait": "0s"},
        }
        file = self.volume / "verify.yaml"
        file.write_text(json.dumps(settings | self.more), encoding="utf-8")
        return str(file)

    def lose_batch(self, number: int, stream: str = STREAM) -> int:
        """Take a batch out of CloudWatch; gives how many events it had."""
        batch = self.cloudwatch.store.stream(GROUP, stream).batches.pop(number)
        return len(batch)

    def repeat(self, message: str, stream: str = STREAM) -> None:
        """Store an event of CloudWatch's a second time."""
        found = [e for e in self.cloudwatch.events(GROUP, stream) if e.message == message]
        event: Any = {"timestamp": found[0].timestamp, "message": message}
        self.cloudwatch.client().put_log_events(
            logGroupName=GROUP, logStreamName=stream, logEvents=[event]
        )


def stamped(prefix: str, count: int, *, hours: float = 0.0) -> list[str]:
    """Lines with times of their own, a second apart, the last one so many hours ago."""
    end = datetime.now(UTC) - timedelta(hours=hours)
    return [
        f"{(end - timedelta(seconds=count - n)).isoformat()} {prefix} {n}" for n in range(count)
    ]


def test_what_arrived_is_sound_and_nothing_is_touched(place: Place) -> None:
    """Everything that was shipped is there once: status 0, and the volume is as it was."""
    place.ship(lines("one", 500), stamped("two", 500))
    place.config()
    before = {path: path.stat().st_mtime_ns for path in place.volume.rglob("*")}

    verdict = place.stream()

    assert (verdict["expected"], verdict["held"]) == (1000, 1000)
    assert (verdict["lost"], verdict["duplicated"], verdict["unverifiable"]) == (0, 0, 0)
    after = {path: path.stat().st_mtime_ns for path in place.volume.rglob("*")}
    assert {path.name for path in after if after[path] != before.get(path)} <= {"verify.yaml"}


@pytest.mark.parametrize("make", [lines, stamped])
def test_a_planted_loss_is_found(place: Place, make: Any) -> None:
    """A batch that is not there any more is lost, with the place of its lines in the file.

    Would catch: a comparison that trusts the journal.
    """
    place.ship(make("one", 20), make("two", 30), make("three", 20))
    begin = len("".join(f"{line}\n" for line in place.log.read_text().splitlines()[:20]))

    assert place.lose_batch(1) == 30
    verdict = place.stream(status=1)

    assert (verdict["lost"], verdict["duplicated"]) == (30, 0)
    assert verdict["examples"][0] | {"timestamp": None} == {
        "what": "lost",
        "path": str(place.log),
        "offset": begin,
        "length": verdict["examples"][0]["length"],
        "timestamp": None,
    }


@pytest.mark.parametrize("make", [lines, stamped])
def test_a_planted_duplicate_is_found(place: Place, make: Any) -> None:
    """An event that is there twice is counted once, with its time.

    Would catch: a comparison of sets.
    """
    messages = make("one", 50)
    place.ship(messages)

    place.repeat(messages[7])
    verdict = place.stream(status=1)

    assert (verdict["lost"], verdict["duplicated"]) == (0, 1)
    assert verdict["examples"][0]["what"] == "duplicated"


def test_repeating_lines_are_counted_not_confused(place: Place) -> None:
    """Of a line that stands there 300 times, one lost batch and one copy are exactly found.

    Would catch: a multiset taken for a set on either side.
    """
    place.ship(["ok"] * 100, ["ok"] * 150, ["ok"] * 50)
    assert place.stream()["held"] == 300

    place.lose_batch(1)
    assert place.stream(status=1)["lost"] == 150
    for _ in range(151):
        place.repeat("ok")
    verdict = place.stream(status=1)
    assert (verdict["lost"], verdict["duplicated"]) == (0, 1)


def test_rotated_files_share_a_stream(place: Place) -> None:
    """Renamed files, also with the same lines, are expected together.

    Would catch: each file compared with the whole stream.
    """
    with place.shipping() as shipping:
        for generation in range(3):
            append(place.log, ["same", *stamped(f"g{generation}", 50)])
            shipping.settle()
            if generation < 2:
                for number in (2, 1):
                    older = place.logs / f"a.log.{number}"
                    if older.exists():
                        older.rename(place.logs / f"a.log.{number + 1}")
                place.log.rename(place.logs / "a.log.1")
        shipping.settle()
        shipping.stop()

    verdict = place.stream()

    assert (verdict["files"], verdict["expected"], verdict["held"]) == (3, 153, 153)
    place.lose_batch(0)
    assert place.stream(status=1)["lost"] > 0


def test_a_copy_that_was_compressed_is_expected_once(place: Place) -> None:
    """What a copytruncate copied and gzip compressed is one expectation, which its archive proves,
    and its events are no duplicates, though their lines repeat.

    Would catch: reading an archive's own bytes; an archive expected beside the file it was.
    """
    with place.shipping() as shipping:
        append(place.log, ["ok"] * 40)
        shipping.settle()
        shutil.copy(place.log, place.logs / "a.log.1")
        shipping.settle()
        os.truncate(place.log, 0)
        shipping.pass_time(10)
        append(place.log, ["ok"] * 25)
        shipping.settle()
        (place.logs / "a.log.2.gz").write_bytes(
            gzip.compress((place.logs / "a.log.1").read_bytes())
        )
        (place.logs / "a.log.1").unlink()
        shipping.settle()
        shipping.stop()

    verdict = place.stream()

    assert (verdict["expected"], verdict["duplicated"]) == (65, 0)
    place.repeat("ok")
    assert place.stream(status=1)["duplicated"] == 1


def test_filters_change_what_is_expected(place: Place) -> None:
    """Dropped lines are not lost, redacted ones are compared as they were shipped.

    Would catch: files compared line by line rather than by the assembler's rules.
    """
    place.entry = {
        "keep": ["line"],
        "drop": ["debug"],
        "redact": [{"pattern": "token=\\S+", "replace": "token=…"}],
    }
    messages = [f"line {n} token=secret{n} {'debug' if n % 3 else ''}" for n in range(60)]
    place.ship(["nothing to keep", *messages])

    verdict = place.stream()

    assert (verdict["expected"], verdict["held"]) == (20, 20)
    place.lose_batch(0)
    assert place.stream(status=1)["lost"] == 20


def test_parts_of_long_lines_are_made_anew(place: Place) -> None:
    """Parts with their numbers and ids come out as they were shipped, also where the checkpoint
    stands between two of them.

    Would catch: a last part made of the checkpoint's end.
    """
    place.entry = {"max_event_bytes": 1000}
    place.ship(["first", "x" * 4500, "é" * 3000, "last"])
    with place.shipping() as shipping:
        append(place.log, "y" * 3333)
        shipping.settle()
        shipping.stop()

    verdict = place.stream()

    assert verdict["held"] == verdict["expected"] > 10
    assert verdict["backlog_bytes"] > 0


def test_groups_of_lines_are_compared_by_their_lines(place: Place) -> None:
    """Where a wait closed a group early no line is lost; a lost group is.

    Would catch: groups compared whole, whose ends nobody remembers.
    """
    place.entry = {"multiline": {"start": "^\\S", "wait": "1s"}}
    with place.shipping() as shipping:
        append(place.log, "one\n  a\n")
        shipping.pass_time(5)
        append(place.log, "  b\ntwo\n  c\n")
        shipping.pass_time(5)
        shipping.stop()

    assert place.stream()["held"] == 3
    place.lose_batch(1)
    assert place.stream(status=1)["lost"] > 0


def test_a_last_line_that_was_continued_is_two_events(place: Place) -> None:
    """Shipped without its line feed because its file had ended, and written to after all.

    Would catch: the line looked for as the file has it now, and called lost.
    """
    with place.shipping() as shipping:
        append(place.log, "one\nhalf a li")
        shipping.settle()
        place.log.rename(place.logs / "a.log.1")
        shipping.pass_time(10)
        append(place.logs / "a.log.1", "ne\ntwo\n")
        shipping.pass_time(120)
        shipping.stop()

    verdict = place.stream()

    assert place.cloudwatch.messages(GROUP, STREAM) == ["one", "half a li", "ne", "two"]
    assert (verdict["lost"], verdict["duplicated"], verdict["unverifiable"]) == (0, 0, 0)


def test_backlog_is_not_lost(place: Place) -> None:
    """What was written after the sidecar stopped is backlog, though the same lines repeat.

    Would catch: the whole file expected, whatever the journal says.
    """
    place.ship(["ok"] * 10)
    append(place.log, ["ok"] * 5 + ["new"])

    verdict = place.stream()

    assert (verdict["lost"], verdict["backlog_bytes"]) == (0, 5 * 3 + 4)


def test_what_was_sent_and_not_noted_is_no_duplicate(place: Place) -> None:
    """Killed between CloudWatch's storing and its answer, the lines are backlog and are there.

    Would catch: held events that are not yet settled taken for too many.
    """
    with place.shipping() as shipping:
        append(place.log, ["ok"] * 10)
        shipping.settle()
        place.cloudwatch.faults.add("reset_after", operation="PutLogEvents")
        append(place.log, ["ok"] * 5)
        shipping.step(1.0)
        wait_for(lambda: place.cloudwatch.count(GROUP, STREAM) >= 15)
        shipping.stop(clean=False)
    place.cloudwatch.faults.clear()

    verdict = place.stream()

    assert (verdict["lost"], verdict["duplicated"], verdict["expected"]) == (0, 0, 10)


def test_dead_letters_are_rejected_and_may_be_replayed(place: Place) -> None:
    """Refused lines are neither lost, nor twice once they were replayed.

    Would catch: letters not looked at, or taken for sure absence.
    """
    old = f"{(datetime.now(UTC) - timedelta(days=20)).isoformat()} old"
    place.ship(["line 1", "line 2", old])
    verdict = place.stream()
    assert (verdict["expected"], verdict["rejected"], verdict["lost"]) == (2, 1, 0)

    environ = place.cloudwatch.environment()
    replay = sidecar("rejected", "replay", "--now", "--config", place.config(), environ=environ)
    assert replay.returncode == 0, replay.stderr
    verdict = place.stream()
    assert (verdict["held"], verdict["duplicated"]) == (3, 0)


def test_old_events_with_the_time_of_arrival(place: Place) -> None:
    """With `out_of_range: now` a line's own time says nothing of where it is."""
    place.entry = {"out_of_range": "now"}
    place.ship([f"{(datetime.now(UTC) - timedelta(days=20)).isoformat()} {n}" for n in range(10)])

    assert place.stream()["held"] == 10
    place.lose_batch(0)
    assert place.stream(status=1)["lost"] == 10


def test_bytes_that_are_gone_are_unverifiable(place: Place) -> None:
    """What a deleted file held is neither lost nor twice, although its lines repeat.

    Would catch: every event without a file counted as a duplicate.
    """
    with place.shipping() as shipping:
        append(place.log, [*stamped("gone", 20, hours=2), "ok"])
        shipping.settle()
        place.log.rename(place.logs / "a.log.1")
        append(place.log, [*stamped("here", 20), "ok"])
        shipping.settle()
        (place.logs / "a.log.1").unlink()
        shipping.pass_time(30)
        shipping.stop()

    verdict = place.stream()

    assert (verdict["expected"], verdict["lost"], verdict["duplicated"]) == (21, 0, 0)


def test_late_events_are_counted(place: Place) -> None:
    """An event stored long after its own time is late, which is no fault."""
    place.ship(stamped("early", 5, hours=3))

    verdict = place.stream()

    assert verdict["late"] == 5
    assert 3 * 3600 <= verdict["latest_seconds"] < 3 * 3600 + 600


def test_since_leaves_out_what_is_older(place: Place) -> None:
    """A loss before --since is not looked for, one after it is; a duration or a time will do.

    Would catch: --since applied to one side alone.
    """
    place.ship(stamped("old", 20, hours=5), stamped("new", 30))
    place.lose_batch(0)

    verdict = place.stream("--since", "2h")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    place.verify("--since", hour_ago.isoformat())

    assert (verdict["expected"], verdict["held"]) == (30, 30)
    assert place.stream("--since", "1d", status=1)["lost"] == 20
    place.lose_batch(0)
    assert place.stream("--since", "2h", status=1)["lost"] == 30


def test_a_since_that_is_none_is_one_line(place: Place) -> None:
    """Status 2, with what to write."""
    result = sidecar("verify", "--since", "yesterday", "--config", place.config())

    assert (result.returncode, result.stdout) == (2, "")
    assert "--since" in result.stderr
    assert "2h" in result.stderr


def test_without_a_state_directory_the_configuration_decides(place: Place) -> None:
    """Every complete line of every matched file is expected, rotated ones included.

    Would catch: files without a journal taken for backlog.
    """
    with place.shipping() as shipping:
        append(place.log, lines("one", 20))
        shipping.settle()
        place.log.rename(place.logs / "a.log.1")
        append(place.log, lines("two", 20))
        shipping.settle()
        shipping.stop()
    append(place.log, "partial")
    shutil.rmtree(place.volume / "state")

    document = place.verify()
    place.lose_batch(0)
    verdict = place.stream(status=1)

    assert document["state_dir"] is None
    assert document["totals"]["expected"] == 40
    assert verdict["lost"] == 20
    assert not (place.volume / "state").exists()


def test_events_past_the_retention_are_unverifiable(place: Place) -> None:
    """CloudWatch itself forgets: what is older than the group's retention is not lost.

    Would catch: DescribeLogGroups not asked.
    """
    place.ship(stamped("old", 10, hours=40), stamped("new", 10))
    place.cloudwatch.store.groups[GROUP].retention_days = 1

    verdict = place.stream()

    assert (verdict["lost"], verdict["unverifiable"], verdict["held"]) == (0, 10, 10)


def test_a_stream_that_may_not_be_read_says_what_to_allow(place: Place) -> None:
    """Denied, nothing is proved: status 1, the remedy, and no traceback."""
    place.ship(["one"])
    place.cloudwatch.faults.add("access_denied", operation="GetLogEvents")

    verdict = place.stream(status=1)

    assert "allow logs:GetLogEvents" in verdict["problem"]
    assert verdict["lost"] == 0


def test_a_class_that_cannot_be_read_back_says_so(place: Place) -> None:
    """In INFREQUENT_ACCESS nothing can be proved, and that is said in CloudWatch's own words."""
    place.ship(["one"])
    place.cloudwatch.store.groups[GROUP].class_ = "INFREQUENT_ACCESS"

    verdict = place.stream(status=1)

    assert "INFREQUENT_ACCESS" in verdict["problem"]
    assert "batch" not in verdict["problem"]


def test_a_missing_stream_is_lost_whole(place: Place) -> None:
    """Somebody deleted it: every settled line is lost."""
    place.ship(lines("one", 12))
    place.cloudwatch.store.delete_stream(GROUP, STREAM)

    assert place.stream(status=1)["lost"] == 12


def test_reading_is_paged_and_patient(place: Place) -> None:
    """Many pages, empty ones among them, throttling, lost and torn replies change no count.

    Would catch: an empty page or a torn one taken for the end, or a first failure for an answer.
    """
    place.ship([f"{n} {'x' * 2000}" for n in range(1500)])
    faults = place.cloudwatch.faults
    faults.add("empty_page", times=2)
    faults.add("throttle", operation="GetLogEvents", times=2, skip=1)
    faults.add("reset_after", operation="GetLogEvents", times=1, skip=2)
    torn = faults.add("cut_reply", operation="GetLogEvents", times=1)

    verdict = place.stream()

    assert torn.fired == 1
    assert (verdict["held"], verdict["lost"]) == (1500, 0)


def test_what_is_not_visible_yet_is_waited_for(place: Place) -> None:
    """CloudWatch shows events late: verify reads again until `reconcile_wait` is over.

    Would catch: a single reading right after the acknowledgement.
    """
    place.ship(["seen"])
    place.more = {"delivery": {"reconcile_wait": "60s"}}
    blind = place.cloudwatch.faults.add("blind", operation="GetLogEvents", times=3)

    assert place.stream()["lost"] == 0
    assert blind.fired == 3


def test_verify_beside_a_running_sidecar(place: Place) -> None:
    """While the sidecar ships and the file grows, nothing is lost and nothing twice."""
    append(place.log, lines("one", 100))
    settings = json.loads(Path(place.config()).read_text())
    with RunningSidecar(place.volume, settings, place.cloudwatch.environment()) as running:
        wait_for(lambda: place.cloudwatch.count(GROUP, STREAM) == 100)
        for number in range(20):
            append(place.log, lines(f"more {number}", 50))
            if number % 7 == 0:
                place.verify()
        wait_for(lambda: running.status()["backlog"]["bytes"] == 0)
        wait_for(lambda: place.stream()["held"] == 1100)
        assert running.terminate() == 0


def test_artifacts_are_compared_by_their_versions(place: Place) -> None:
    """Each artifact's version is to be in its stream, once; one that is not shipped yet is backlog.

    Would catch: artifacts left out, or a deleted and restored version called twice.
    """
    files = place.volume / "artifacts"
    files.mkdir()
    entry = {"include": [f"{files}/**/*"], "settle": "0s"}
    place.more = {"artifacts": [entry]}
    destination = CloudWatchDestination(Client(), create=Create())
    with Shipping(place.volume, destination, artifacts=[entry]) as shipping:
        for name in ("a.bin", "b.bin"):
            (files / name).write_bytes(name.encode())
        shipping.pass_time(10)
        (files / "a.bin").unlink()
        shipping.pass_time(30)
        (files / "a.bin").write_bytes(b"a.bin")
        shipping.pass_time(10)
        shipping.stop()
    (files / "c.bin").write_bytes(b"later")

    document = place.verify()
    found = {each["stream"]: each for each in document["streams"]}
    assert {name: each["held"] for name, each in found.items()} == {
        "a.bin": 3,
        "b.bin": 1,
        "c.bin": 0,
    }
    assert found["c.bin"]["backlog_bytes"] == 5
    group = f"{GROUP}/artifacts"
    [event] = place.cloudwatch.events(group, "b.bin")
    again: Any = {"timestamp": event.timestamp, "message": event.message}
    place.cloudwatch.client().put_log_events(
        logGroupName=group, logStreamName="b.bin", logEvents=[again]
    )
    assert place.stream(status=1, name="b.bin")["duplicated"] == 1
    place.cloudwatch.store.delete_stream(group, "b.bin")
    assert place.stream(status=1, name="b.bin")["lost"] == 1


def test_the_table_is_for_people(place: Place) -> None:
    """A row a stream, the places of what was lost, and one line that sums it up."""
    place.ship(["one"], ["two"])
    place.lose_batch(0)

    result = sidecar("verify", "--config", place.config(), environ=place.cloudwatch.environment())

    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout.startswith("GROUP ")
    assert f"lost: {place.log} bytes 0 to 4" in result.stdout
    assert result.stdout.splitlines()[-1] == "1 streams: 1 lost, 0 duplicated"


def test_late_bytes_of_other_names_do_not_confuse(place: Place) -> None:
    """Two files of one stream name are expected together."""
    place.ship(lines("one", 10), log=place.logs / "a:b.log")
    place.ship(lines("two", 10), log=place.logs / "a*b.log")

    verdict = place.stream(name="a_b.log")

    assert (verdict["files"], verdict["expected"], verdict["held"]) == (2, 20, 20)

"""`sidecar plan` on real directories: what each file is, why, and where it would go."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.commands.plan_files import every_file
from sidecar.commands.rehearsal import rehearse
from sidecar.settings import Settings
from tests.integration.commands.shell import sidecar
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for
from tests.support.shipping import Shipping

DAY = 24 * 3600.0


def configured(volume: Path, *, entry: dict[str, Any] | None = None, **more: Any) -> str:
    """The path of a configuration for `volume`/logs/**."""
    settings = {
        "state_dir": str(volume / "state"),
        "log_group": "/ecs/reports",
        "task": "task-1",
        "logs": [{"include": [f"{volume}/logs/**/*.log"]} | (entry or {})],
        **more,
    }
    file = volume.parent / "plan.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")
    return str(file)


def planned(config: str, *paths: Path | str) -> dict[str, Any]:
    """The document of `plan --json`; its files by path, `at`."""
    result = sidecar("plan", "--json", "--config", config, *map(str, paths))
    assert (result.returncode, result.stderr) == (0, "")
    document: dict[str, Any] = json.loads(result.stdout)
    document["at"] = {file["path"]: file for file in document["files"]}
    return document


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume with an empty directory of logs."""
    (tmp_path / "volume" / "logs").mkdir(parents=True)
    return tmp_path / "volume"


def tree(top: Path) -> list[tuple[str, int, int]]:
    """Everything below a directory, with sizes and modification times."""
    return sorted(
        (str(path.relative_to(top)), path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in top.rglob("*")
    )


def test_a_new_file_would_be_shipped_from_its_beginning(volume: Path) -> None:
    """Identity, entry, group, stream, task, offset and bytes stand there, and nothing is made.

    Would catch: a plan that joins, and so makes the state directory.
    """
    log = volume / "logs" / "web" / "a.log"
    log.parent.mkdir()
    log.write_text("one\ntwo\n")
    before = tree(volume)

    document = planned(configured(volume, entry={"log_stream": "{task}/{path}"}))

    assert tree(volume) == before
    file = document["at"][str(log)]
    assert (file["kind"], file["ships"], file["entry"]) == ("log", True, "logs[0]")
    assert (file["group"], file["stream"]) == ("/ecs/reports", "task-1/web/a.log")
    assert (file["task"], file["owner"]) == ("task-1", None)
    assert (file["start"], file["size"], file["to_ship"]) == (0, 8, 8)
    assert file["inode"] == log.stat().st_ino
    assert file["fingerprint"].endswith("/8")
    assert document["first_start"] is True


REFUSED = {
    "logs/debug.log": ("file", "excludes it by **/debug*"),
    "logs/.nfs0001.log": ("temporary", "temporary name"),
    "logs/a.log~": ("temporary", "temporary name"),
    "logs/notes.txt": ("file", "notes.txt does not match *.log"),
    "logs/a.log.2.gz": ("rotated", "a rotated {volume}/logs/a.log from before"),
    "state/own.log": ("own", "state directory"),
    "other/b.log": ("file", "other does not match logs"),
    "artifacts/half.part": ("temporary", "never artifacts"),
    "artifacts/.hidden": ("file", "leading dot"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_why_a_file_is_not_shipped(volume: Path, name: str) -> None:
    """Each file that is not shipped says exactly why: which pattern, name or place.

    Would catch: `judge` without one of its refusals, or a nearest pattern that is another.
    """
    path = volume / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress(b"x\n") if name.endswith(".gz") else b"x\n")
    os.utime(path, (1, 1))
    config = configured(
        volume,
        entry={"exclude": ["**/debug*"]},
        artifacts=[{"include": [f"{volume}/artifacts/**/*"]}],
    )

    file = planned(config, path)["at"][str(path)]

    kind, why = REFUSED[name]
    assert (file["kind"], file["ships"], file["start"]) == (kind, False, None)
    assert why.format(volume=volume) in file["why"]


def test_what_is_no_plain_file_says_what_it_is(volume: Path) -> None:
    """FIFOs, loops, dangling links, links to directories and second names are told apart.

    Would catch: a plan that opens what it finds, and so waits for a FIFO's writer.
    """
    logs = volume / "logs"
    os.mkfifo(logs / "fifo.log")
    (logs / "loop.log").symlink_to("loop.log")
    (logs / "gone.log").symlink_to("nowhere")
    (logs / "inner").mkdir()
    (logs / "inner" / "b.log").write_text("b\n")
    (logs / "around").symlink_to("inner")
    (logs / "a.log").write_text("a\n")
    (logs / "other.log").hardlink_to(logs / "a.log")

    at = planned(configured(volume))["at"]

    assert (at[f"{logs}/fifo.log"]["kind"], at[f"{logs}/fifo.log"]["ships"]) == ("fifo", False)
    assert at[f"{logs}/loop.log"]["why"] == "a loop of links"
    assert at[f"{logs}/gone.log"]["why"] == "the link leads nowhere"
    assert "a link to a directory" in at[f"{logs}/around"]["why"]
    shipped = [path for path, file in at.items() if file["ships"]]
    assert len(shipped) == 2
    [second] = {f"{logs}/a.log", f"{logs}/other.log"} - set(shipped)
    assert "another name of" in at[second]["why"]


def test_a_path_that_does_not_exist_says_what_would_become_of_it(volume: Path) -> None:
    """A file to come: its stream and start; one that no entry takes: which part fails.

    Would catch: a missing path taken for an error.
    """
    config = configured(volume)

    at = planned(config, f"{volume}/logs/x/later.log", f"{volume}/logs/later.txt")["at"]

    later = at[f"{volume}/logs/x/later.log"]
    assert (later["kind"], later["stream"], later["start"]) == ("missing", "x/later.log", 0)
    never = at[f"{volume}/logs/later.txt"]
    assert never["stream"] is None
    assert "later.txt does not match *.log" in never["why"]


def test_a_known_file_goes_on_where_its_journal_says(volume: Path) -> None:
    """Offset, stream and owner come from the journals of a sidecar that was here before; rotated
    files keep their stream, and nothing on the volume changes.

    Would catch: a plan that computes the start anew, or one that takes a journal over.
    """
    log = volume / "logs" / "a.log"
    with Shipping(volume) as shipping:
        log.write_text("one\ntwo\n")
        shipping.settle()
        member = shipping.member.id
    with log.open("a") as file:
        file.write("three\n")
    log.rename(volume / "logs" / "a.log.1")
    log.write_text("new\n")
    before = tree(volume)

    document = planned(configured(volume))

    assert tree(volume) == before
    rotated, new = document["at"][f"{log}.1"], document["at"][str(log)]
    assert (rotated["kind"], rotated["stream"], rotated["owner"]) == ("rotated", "a.log", member)
    assert (rotated["start"], rotated["to_ship"]) == (8, 6)
    assert (new["stream"], new["start"], new["owner"]) == ("a.log", 0, None)
    assert document["shared_streams"] == []
    assert document["first_start"] is False


def test_plan_beside_a_running_sidecar(volume: Path) -> None:
    """While a sidecar runs, its files are shown with it as the owner, and it is not disturbed."""
    log = volume / "logs" / "a.log"
    log.write_text("one\n")
    config = configured(volume)
    with StrictCloudWatch() as cloudwatch:
        settings = json.loads(Path(config).read_text())
        with RunningSidecar(volume.parent, settings, cloudwatch.environment()) as running:
            wait_for(lambda: cloudwatch.count("/ecs/reports", "a.log") == 1)
            wait_for(lambda: running.status()["backlog"]["bytes"] == 0)
            file = planned(config)["at"][str(log)]
            assert file["owner"] == running.status()["member"]
            assert (file["start"], file["to_ship"]) == (4, 0)
            assert running.terminate() == 0


def test_start_at_end_and_older_rotated_files(volume: Path) -> None:
    """At the very first start `start_at: end` leaves out what is there, and older siblings stay.

    Would catch: a rehearsal that is not told of the very first start.
    """
    logs = volume / "logs"
    (logs / "a.log").write_text("one\ntwo\n")
    (logs / "a.log.1").write_text("older\n")
    past = time.time() - DAY
    os.utime(logs / "a.log.1", (past, past))

    at = planned(configured(volume, entry={"start_at": "end"}))["at"]

    assert (at[f"{logs}/a.log"]["start"], at[f"{logs}/a.log"]["to_ship"]) == (8, 0)
    assert "start_at: end" in at[f"{logs}/a.log"]["why"]
    assert at[f"{logs}/a.log.1"]["ships"] is False
    assert "before the state directory" in at[f"{logs}/a.log.1"]["why"]


def test_the_very_first_start_is_over_once_the_state_was_used(volume: Path) -> None:
    """A file made while no member is left begins at its first byte, `start_at: end` or not.

    Would catch: the very first start told by the members' folders, which come and go.
    """
    log = volume / "logs" / "a.log"
    with Shipping(volume, entry={"start_at": "end"}) as shipping:
        shipping.settle()
        shipping.stop()
    shutil.rmtree(volume / "state" / "members")
    log.write_text("one\n")

    document = planned(configured(volume, entry={"start_at": "end"}))

    assert document["first_start"] is False
    assert (document["at"][str(log)]["start"], document["at"][str(log)]["to_ship"]) == (0, 4)


def test_paths_of_one_stream_are_listed(volume: Path) -> None:
    """Two paths whose names become one are named together.

    Would catch: rotated files taken for sharers, or sharers that are not listed.
    """
    logs = volume / "logs"
    for name in ("a:b.log", "a*b.log", "c.log"):
        (logs / name).write_text("x\n")

    document = planned(configured(volume))

    assert document["shared_streams"] == [
        {
            "group": "/ecs/reports",
            "stream": "a_b.log",
            "paths": [f"{logs}/a*b.log", f"{logs}/a:b.log"],
        }
    ]


def stamp(days: float) -> str:
    """ISO 8601, so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_events_that_would_be_refused_are_counted(volume: Path) -> None:
    """Old and future events are counted by really assembling them, with the remedy.

    Would catch: counts of lines that a filter drops, or bounds other than 14 days and 2 hours.
    """
    lines = [
        *(f"{stamp(-15)} old {n}" for n in range(30)),
        f"{stamp(-15)} dropped",
        f"{stamp(-13.9)} young enough",
        f"{stamp(0.2)} ahead",
    ]
    (volume / "logs" / "a.log").write_text("".join(f"{line}\n" for line in lines))

    document = planned(configured(volume, entry={"drop": ["dropped"]}))

    file = document["at"][f"{volume}/logs/a.log"]
    assert (file["events"], file["too_old"], file["too_new"]) == (32, 30, 1)
    assert file["counted"] == "all"
    old, new = document["warnings"]
    assert "30 of 32 events" in old
    assert "out_of_range: now" in old
    assert "2 hours ahead" in new


def test_with_out_of_range_now_nothing_old_is_refused(volume: Path) -> None:
    """The warning then says what happens instead."""
    (volume / "logs" / "a.log").write_text(f"{stamp(-20)} old\n")

    document = planned(configured(volume, entry={"out_of_range": "now"}))

    [warning] = document["warnings"]
    assert "time of their arrival" in warning
    assert "refuse" not in warning


def test_a_large_backlog_is_counted_in_pieces_and_says_so(volume: Path) -> None:
    """Of 40 MB pieces are assembled; the projected count is near, and is called a projection.

    Would catch: one piece from the beginning alone, which finds nothing but old lines.
    """
    old, young = f"{stamp(-20)} {'x' * 66}\n", f"{stamp(-1)} {'x' * 66}\n"
    with (volume / "logs" / "a.log").open("w") as file:
        for _ in range(200):
            file.write(old * 1000)
        for _ in range(200):
            file.write(young * 1000)

    document = planned(configured(volume))

    counted = document["at"][f"{volume}/logs/a.log"]
    assert counted["counted"].startswith("projected from ")
    assert abs(counted["events"] - 400_000) < 4_000
    assert abs(counted["too_old"] - 200_000) < 60_000
    assert "about" in document["warnings"][0]


def test_an_artifact_says_how_its_content_travels(volume: Path) -> None:
    """Inline up to the limit, else the manifest alone; its group is the artifacts'."""
    files = volume / "artifacts"
    files.mkdir()
    (files / "small.bin").write_bytes(b"x" * 10)
    (files / "large.bin").write_bytes(b"x" * 2000)
    entry = {"include": [f"{files}/**/*"], "inline_limit": "1KiB"}

    at = planned(configured(volume, artifacts=[entry]))["at"]

    small, large = at[f"{files}/small.bin"], at[f"{files}/large.bin"]
    assert (small["kind"], small["entry"]) == ("artifact", "artifacts[0]")
    assert (small["group"], small["stream"]) == ("/ecs/reports/artifacts", "small.bin")
    assert "inside its manifest" in small["why"]
    assert "without content" in large["why"]
    entry["bucket"] = "reports-artifacts"
    large = planned(configured(volume, artifacts=[entry]), f"{files}/large.bin")["files"][0]
    assert "to the bucket reports-artifacts" in large["why"]


@pytest.fixture
def as_nobody() -> Iterator[Path]:
    """A directory of an ordinary user's own, and the test running as that user."""
    with tempfile.TemporaryDirectory() as top:
        if os.geteuid() != 0:
            yield Path(top)
            return
        os.chown(top, 65534, 65534)
        os.seteuid(65534)
        try:
            yield Path(top)
        finally:
            os.seteuid(0)


def test_what_may_not_be_read_names_user_and_remedy(as_nobody: Path) -> None:
    """A file and a directory that this user may not read are named, with what to do.

    Would catch: a directory that cannot be listed passed over without a word.
    """
    logs = as_nobody / "logs"
    (logs / "closed").mkdir(parents=True)
    (logs / "closed" / "b.log").touch()
    (logs / "a.log").write_text("x\n")
    (logs / "a.log").chmod(0o000)
    (logs / "closed").chmod(0o000)
    settings = Settings.model_validate(
        {
            "log_group": "/g",
            "state_dir": f"{as_nobody}/state",
            "logs": [{"include": [f"{logs}/**/*.log"]}],
        }
    )

    files = {file.path: file for file in every_file(rehearse(settings, {}))}

    (logs / "closed").chmod(0o700)
    log, closed = files[f"{logs}/a.log"], files[f"{logs}/closed"]
    assert (log.kind, log.ships) == ("unreadable", False)
    assert "Permission denied" in log.why
    assert "access point" in log.why
    assert "cannot be listed" in closed.why


def test_each_root_says_how_its_changes_are_seen(volume: Path) -> None:
    """The file system under a root decides, unless the configuration does; either is named.

    Would catch: a plan that looks at the mounts by itself, whatever poll.mode says.
    """
    [by_itself] = planned(configured(volume))["roots"]
    [asked_for] = planned(configured(volume, poll={"mode": "revalidate"}))["roots"]

    assert by_itself["path"] == asked_for["path"] == str(volume / "logs")
    assert by_itself["mode"] in ("watch", "revalidate")
    assert asked_for["mode"] == "revalidate"
    assert "poll.mode" in asked_for["reason"]


def test_the_table_is_for_people(volume: Path) -> None:
    """Without --json: one row a file, the totals, the roots, and warnings after them."""
    (volume / "logs" / "a.log").write_text(f"{stamp(-20)} old\n")

    result = sidecar("plan", "--config", configured(volume))

    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["PATH", "KIND", "ENTRY"]
    assert any("a.log" in line and "/ecs/reports" in line for line in lines)
    assert any(line.startswith("warning: ") and "out_of_range: now" in line for line in lines)


def test_a_bad_configuration_is_one_line(volume: Path) -> None:
    """Status 2, nothing on stdout, and the key by name."""
    result = sidecar("plan", "--config", configured(volume, logz=[]))

    assert (result.returncode, result.stdout) == (2, "")
    assert "logz" in result.stderr
    assert result.stderr.count("\n") == 1

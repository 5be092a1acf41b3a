"""M05: what other hosts write, which only the server knows of; and how a root is looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.support.shipping import Shipping, append, lines
from tests.support.stale_mount import StaleMount

POLL: dict[str, Any] = {"hot": "1s", "cold": "10s", "budget": 1000, "mode": "revalidate"}
LATEST = 12
"""Steps of 100 ms: the hot interval and one look."""


@pytest.mark.parametrize("statx", [True, False])
@pytest.mark.parametrize("quiet", [0.0, 50.0])
def test_m05_another_hosts_lines_within_the_hot_interval(
    tmp_path: Path, log: Path, statx: bool, quiet: float
) -> None:
    """A line that another host appends to a hot file is shipped within `poll.hot` and one look,
    though this host's `fstat` goes on to answer what it knew; without the call for a forced look
    too.

    Catches: a look that is an `fstat` of the held descriptor below a root that revalidates.
    """
    append(log, ["first"])
    mount = StaleMount(tmp_path / "logs", statx=statx)
    with mount.mounted(), Shipping(tmp_path, poll=POLL) as sidecar:
        sidecar.settle()
        expected = ["first"]
        for number in range(4):
            sidecar.pass_time(quiet)
            append(log, [f"line {number}"])
            for _ in range(LATEST):
                sidecar.step()
            expected.append(f"line {number}")
            assert sidecar.messages("app.log") == expected


def test_m05_the_first_file_in_an_empty_directory(tmp_path: Path, log: Path) -> None:
    """A root that was empty at the first look is looked at again within `poll.hot`, like any
    directory that is new: nothing tells of what another host makes there.

    Catches: taking a directory that was never seen to change for one that is quiet since ever.
    """
    with Shipping(tmp_path, poll=POLL) as sidecar:
        sidecar.settle()
        append(log, ["first"])
        for _ in range(LATEST):
            sidecar.step()
        assert sidecar.messages("app.log") == ["first"]


def test_r02_last_lines_of_a_file_that_was_found_renamed_come_before_its_successors(
    tmp_path: Path, log: Path
) -> None:
    """A file is first found under its rotated name, then its writer, on another host, writes some
    more to it and begins the next one: that one is found, and the older one's last lines are first.

    Catches: a new file that is read before the older one of its stream was looked at once more; a
    look at that one that does not ask the server.
    """
    append(log.with_name("before.log"), ["zero"])
    mount = StaleMount(tmp_path / "logs")
    poll = POLL | {"hot": "5s"}
    entry = {"timestamp": "arrival", "partial": "1m"}
    with mount.mounted(), Shipping(tmp_path, poll=poll, entry=entry) as sidecar:
        sidecar.settle()
        moved = log.with_name("app.log.1")
        append(moved, ["one"])
        sidecar.pass_time(6)
        assert sidecar.messages("app.log") == ["one"]
        append(moved, ["two"])
        append(log, ["three"])
        sidecar.pass_time(12)
        assert sidecar.messages("app.log") == ["one", "two", "three"]


def test_m05_a_rename_by_another_host(tmp_path: Path, log: Path) -> None:
    """A file that another host renames and makes anew is read on under its new name, and the new
    one from byte 0, though `stat` of the name goes on to answer for the old file.

    Catches: asking by `stat` whether a source still has its name.
    """
    append(log, ["one"])
    mount = StaleMount(tmp_path / "logs")
    with mount.mounted(), Shipping(tmp_path, poll=POLL, entry={"timestamp": "arrival"}) as sidecar:
        sidecar.settle()
        moved = tmp_path / "logs/kept/app.log"
        moved.parent.mkdir()
        append(log, ["two"])
        log.rename(moved)
        append(log, ["three"])
        sidecar.pass_time(15)
        append(moved, ["late"])
        sidecar.pass_time(15)
        assert sidecar.messages("app.log") == ["one", "two", "three", "late"]
        assert sidecar.totals.bytes_gone == 0


def test_m05_an_artifact_that_another_host_writes_is_not_called_settled(tmp_path: Path) -> None:
    """An artifact that grows on another host is shipped once, when it has stopped to.

    Catches: asking `stat` whether an artifact has changed.
    """
    folder = tmp_path / "artifacts"
    append(folder / "report.csv", ["a"])
    settings = {"artifacts": [{"include": [f"{folder}/*"], "settle": "3s"}], "poll": POLL}
    mount = StaleMount(folder)
    with mount.mounted(), Shipping(tmp_path, **settings) as sidecar:
        for number in range(8):
            for _ in range(20):
                sidecar.step()
            append(folder / "report.csv", [f"row {number}"])
        assert sidecar.manifests("report.csv") == []
        sidecar.pass_time(10)
        assert len(sidecar.manifests("report.csv")) == 1


def test_m05_a_stale_handle_is_opened_anew(tmp_path: Path, log: Path) -> None:
    """ESTALE and EIO are states of one file: it is shown as stuck, the others go on, and it is
    opened anew and read on when the volume answers again.

    Catches: letting an error of a look end the step; never opening a stuck source again.
    """
    append(log, ["one"])
    append(tmp_path / "logs/other.log", ["one"])
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        real, broken = os.fstat, log.stat().st_ino

        def failing(descriptor: int) -> os.stat_result:
            seen = real(descriptor)
            if seen.st_ino == broken:
                raise OSError(116, "Stale file handle")
            return seen

        with mock.patch("os.fstat", failing):
            append(log, ["two"])
            append(tmp_path / "logs/other.log", ["two"])
            sidecar.pass_time(10)
            [stuck] = [each for each in sidecar.status()["sources"] if each["state"] == "stuck"]
            assert stuck["path"] == str(log)
            assert "Stale file handle" in stuck["problem"]
            assert sidecar.messages("other.log") == ["one", "two"]
        sidecar.pass_time(20)
        assert sidecar.messages("app.log") == ["one", "two"]
        assert {each["state"] for each in sidecar.status()["sources"]} == {"active"}


def test_status_tells_how_each_root_is_looked_at(tmp_path: Path, log: Path) -> None:
    """`/status` names each root with its mode and the reason, and the intervals in effect."""
    with Shipping(tmp_path, poll=POLL) as sidecar:
        sidecar.settle()
        poll = sidecar.status()["poll"]
        assert poll["roots"] == {
            str(log.parent): {"mode": "revalidate", "reason": "poll.mode is revalidate"}
        }
        assert (poll["hot_seconds"], poll["cold_seconds"]) == (1.0, 10.0)


def test_what_the_watch_tells_costs_no_round_trip(tmp_path: Path, log: Path) -> None:
    """Below a root that revalidates, a write that the watch tells of, one of this host, is read
    without asking the server.

    Catches: forcing every look, as often as this host writes.
    """
    append(log, ["first"])
    with Shipping(tmp_path, poll=POLL | {"hot": "30s", "cold": "30s"}) as sidecar:
        sidecar.settle()
        spent = sidecar.shipper._budget.spent
        for number in range(20):
            append(log, [f"line {number}"])
            with mock.patch.object(
                sidecar.shipper.intake.watch, "modified", return_value=[str(log)]
            ):
                sidecar.step()
        # What a heartbeat costs is among it.
        assert sidecar.shipper._budget.spent - spent < 10
        (source,) = sidecar.shipper.intake.catalogue.sources.values()
        assert source.position == log.stat().st_size
        sidecar.settle()
        assert sidecar.messages("app.log") == ["first", *[f"line {n}" for n in range(20)]]


def several(count: int) -> list[str]:
    return lines("line " + "x" * 60, count)


def test_m06_a_file_two_hosts_append_to(tmp_path: Path, log: Path) -> None:
    """Another host writes over the last lines, from where it believed the end to be: the file is
    not read from 0 again, the lines that stand there are shipped whole, and the file is named.

    Catches: taking overwritten lines for a file that was written anew.
    """
    kept, lost = several(200), lines("lost " + "y" * 60, 3)
    append(log, kept)
    with Shipping(tmp_path, entry={"timestamp": "arrival"}) as sidecar:
        sidecar.settle()
        end = log.stat().st_size
        append(log, lost)
        sidecar.settle()
        assert "notes" not in sidecar.status()["sources"][0]
        theirs = lines("theirs " + "z" * 80, 4)
        with log.open("r+b") as file:
            file.seek(end)
            file.write("".join(f"{line}\n" for line in theirs).encode())
        append(log, ["after"])
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == [*kept, *lost, *theirs, "after"]
        [source] = [each for each in sidecar.status()["sources"] if each["state"] == "active"]
        assert source["notes"] == ["multi-writer"]
        assert sidecar.totals.bytes_gone == 0
        assert sidecar.status()["backlog"]["bytes"] == 0


def test_m06_a_hole_between_two_writers_lines(tmp_path: Path, log: Path) -> None:
    """A run of NULs between whole lines, which never fills in, is another writer's lost bytes: the
    lines on both sides are shipped, and the file is named once.

    Catches: leaving out the note; noting a run at a file's start, or at its end.
    """
    append(log, "one\ntwo\n" + "\0" * 100 + "three\n")
    append(tmp_path / "logs/start.log", "\0" * 100 + "line\n")
    append(tmp_path / "logs/end.log", "line\n" + "\0" * 100)
    with Shipping(tmp_path) as sidecar:
        sidecar.pass_time(10)
        assert sidecar.messages("app.log") == ["one", "two", "three"]
        noted = [each["path"] for each in sidecar.status()["sources"] if "notes" in each]
        assert noted == [str(log)]


def test_m06_an_ordinary_file_is_not_named(tmp_path: Path, log: Path) -> None:
    """Appending, rotating, truncating and writing anew with the same beginning name nobody."""
    banner = several(100)
    append(log, banner + lines("old", 30))
    with Shipping(tmp_path, entry={"timestamp": "arrival"}) as sidecar:
        sidecar.settle()
        log.write_text("".join(f"{line}\n" for line in banner[:20] + lines("new", 200)))
        sidecar.pass_time(3)
        append(log, ["more"])
        sidecar.pass_time(3)
        assert sidecar.messages("app.log")[-1] == "more"
        assert len(sidecar.messages("app.log")) == 130 + 220 + 1
        assert all("notes" not in each for each in sidecar.status()["sources"])

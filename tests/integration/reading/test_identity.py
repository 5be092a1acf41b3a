"""I01 to I04 and C01: which file is which, over growth, moves, reuse and restarts."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest

from sidecar.sources.identity import copies
from tests.support.shipping import Shipping, append, everything_is_settled, lines

ARRIVAL = {"timestamp": "arrival"}


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """The folder that is read."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.mark.parametrize("head", [b"", b"the same first kilobyte\n" * 60])
@pytest.mark.parametrize("restarts", [False, True])
def test_i01_alike_files_are_two_sources(
    tmp_path: Path, logs: Path, head: bytes, restarts: bool
) -> None:
    """Empty files, and files with the same first kilobyte, are told apart and ship on their own.

    Catches: knowing a file by its fingerprint alone.
    """
    names = ["a.log", "b.log", "c.log"]
    for name in names:
        append(logs / name, head)
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        if restarts:
            sidecar.restart(clean=False)
        for name in names:
            append(logs / name, [f"only in {name}"])
        sidecar.settle()
        common = head.decode().splitlines()
        for name in names:
            assert sidecar.messages(name) == [*common, f"only in {name}"]
        assert sidecar.totals.sources_claimed == (0 if restarts else 3)


def test_i01_empty_files_swap_their_names(tmp_path: Path, logs: Path) -> None:
    """Two files that were empty change places before anything is written: each line arrives once.

    Catches: finding a known source by its path before its inode.
    """
    for name in ("a.log", "b.log"):
        (logs / name).touch()
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        (logs / "a.log").rename(logs / "swap")
        (logs / "b.log").rename(logs / "a.log")
        (logs / "swap").rename(logs / "b.log")
        append(logs / "a.log", ["one"])
        append(logs / "b.log", ["two"])
        sidecar.pass_time(8)
        shipped = [message for name in sidecar.streams() for message in sidecar.messages(name)]
        assert sorted(shipped) == ["one", "two"]


@pytest.mark.parametrize("clean", [None, False, True])
@pytest.mark.parametrize("descriptors", [1, 100])
def test_i02_small_file_keeps_its_identity(
    tmp_path: Path, logs: Path, clean: bool | None, descriptors: int
) -> None:
    """A file that grows from one byte through the fingerprint's length, with a restart after each
    line, is the same source for ever: nothing is read again.

    Catches: comparing a short file's fingerprint with that of the longer file it became.
    """
    log = logs / "a.log"
    expected = []
    with Shipping(tmp_path, descriptors=descriptors) as sidecar:
        append(logs / "other.log", ["other"])
        for number in range(50):
            append(log, [line := "x" * number + "."])
            expected.append(line)
            sidecar.settle()
            if clean is not None and number % 5 == 0:
                sidecar.restart(clean=clean)
        sidecar.settle()
        assert sidecar.messages("a.log") == expected
        everything_is_settled(sidecar.status(), log.stat().st_size + len("other\n"))


def test_i02_file_that_was_empty_at_the_stop(tmp_path: Path, logs: Path) -> None:
    """A file of which nothing was known but its number is read from 0 after a restart.

    Catches: refusing a record without a fingerprint, or matching it to any offset.
    """
    (logs / "a.log").touch()
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        sidecar.stop()
        append(logs / "a.log", ["one", "two"])
        sidecar.start()
        sidecar.settle()
        assert sidecar.messages("a.log") == ["one", "two"]


def test_i03_device_number_changes(tmp_path: Path, logs: Path) -> None:
    """After a remount every file has another st_dev: nothing is read again.

    Catches: taking `st_dev` into the identity of a source.
    """
    append(logs / "a.log", ["one"])
    append(logs / "b.log", lines("b", 60))
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        sidecar.stop()
        real_fstat, real_stat = os.fstat, os.stat

        def moved(seen: os.stat_result) -> os.stat_result:
            values = list(seen)
            values[2] += 1
            return os.stat_result(values, {"st_mtime_ns": seen.st_mtime_ns})

        with (
            mock.patch("os.fstat", lambda descriptor: moved(real_fstat(descriptor))),
            mock.patch("os.stat", lambda *of, **how: moved(real_stat(*of, **how))),
        ):
            sidecar.start()
            append(logs / "a.log", ["two"])
            sidecar.settle()
        assert sidecar.messages("a.log") == ["one", "two"]
        assert sidecar.messages("b.log") == lines("b", 60)


@pytest.mark.parametrize("same_path", [True, False])
@pytest.mark.parametrize("when", ["at once", "finished", "down"])
@pytest.mark.parametrize("count", [1, 3, 60])
def test_i03_inode_used_again(
    tmp_path: Path, logs: Path, same_path: bool, when: str, count: int
) -> None:
    """A new file with a deleted file's inode number starts at 0, at the same path or another, and
    whatever was known of the number; smaller or larger than what had been read.

    Catches: recognising a file by its number without its first bytes; passing over a number whose
    source is done with.
    """
    old, new = logs / "a.log", logs / ("a.log" if same_path else "b.log")
    append(old, lines("old", 3))
    with Shipping(tmp_path, entry=ARRIVAL, descriptors=1) as sidecar:
        sidecar.settle()
        inode = old.stat().st_ino
        append(logs / "z.log", ["takes the only descriptor, which would keep the number in use"])
        sidecar.settle()
        if when == "down":
            sidecar.stop()
        # Which number a file system gives next is its own affair: the old file's own is kept
        # behind a name nobody looks at, and comes back empty, as a new file's would.
        kept = tmp_path / "kept"
        os.link(old, kept)
        old.unlink()
        if when == "finished":
            sidecar.pass_time(2)
        os.truncate(kept, 0)
        kept.rename(new)
        append(new, lines("new", count))
        assert new.stat().st_ino == inode
        if when == "down":
            sidecar.start()
        sidecar.pass_time(8)
        if same_path:
            assert sidecar.messages("a.log") == lines("old", 3) + lines("new", count)
        else:
            assert sidecar.messages("a.log") == lines("old", 3)
            assert sidecar.messages("b.log") == lines("new", count)


def test_i03_inode_of_an_empty_file_used_again(tmp_path: Path, logs: Path) -> None:
    """An open file without a line is deleted and closed, and the next file under its name gets its
    number before the old one is forgotten: the line in it is shipped once.

    Catches: reading the new file as the old one, which is forgotten for being deleted, and then
    once more as a new one.
    """
    log, kept = logs / "a.log", tmp_path / "kept"
    append(log, [])
    real_fstat = os.fstat
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.pass_time(12)
        # Behind a name nobody looks at, its number cannot become another file's.
        os.link(log, kept)
        log.unlink()
        inode = kept.stat().st_ino

        def unlinked(descriptor: int) -> os.stat_result:
            seen = real_fstat(descriptor)
            values = [*seen[:3], 0 if seen.st_ino == inode else seen.st_nlink, *seen[4:]]
            return os.stat_result(values, {"st_mtime_ns": seen.st_mtime_ns})

        with mock.patch("os.fstat", unlinked):
            sidecar.pass_time(2)
        kept.rename(log)
        append(log, lines("new", 1))
        sidecar.pass_time(12)
        assert sidecar.messages("a.log") == lines("new", 1)
        append(log, lines("newer", 1))
        sidecar.settle()
        assert sidecar.messages("a.log") == lines("new", 1) + lines("newer", 1)


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("first", [[], lines("old", 3)], ids=["empty", "read"])
@pytest.mark.parametrize("count", [1, 60])
def test_i03_inode_used_again_beside_a_new_file_of_the_old_name(
    tmp_path: Path, logs: Path, down: bool, first: list[str], count: int
) -> None:
    """Where logrotate deletes what it compressed, the number goes to the next new file beside it,
    and the old name is another file's at once: each file's lines are in the stream of its own name.

    Catches: taking a number under another name for a rename, without a look at what it holds.
    """
    old, new = logs / "a.log", logs / "b.log"
    append(old, first)
    with Shipping(tmp_path, entry=ARRIVAL, descriptors=1) as sidecar:
        sidecar.settle()
        inode = old.stat().st_ino
        append(logs / "z.log", ["takes the only descriptor, which would keep the number in use"])
        while str(old) in sidecar.open_files():
            sidecar.step()
        if down:
            sidecar.stop()
        kept = tmp_path / "kept"
        os.link(old, kept)
        old.unlink()
        append(old, ["again"])
        os.truncate(kept, 0)
        kept.rename(new)
        append(new, lines("new", count))
        assert new.stat().st_ino == inode
        if down:
            sidecar.start()
        sidecar.pass_time(12)
        assert sidecar.messages("a.log") == [*first, "again"]
        assert sidecar.messages("b.log") == lines("new", count)


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("growing", [False, True])
def test_i04_moved_between_directories(
    tmp_path: Path, logs: Path, down: bool, growing: bool
) -> None:
    """A file moved to another matching directory goes on where it stood, in the stream it had.

    Catches: claiming a known inode anew at its new path; computing the stream again.
    """
    append(logs / "from/a.log", lines("a", 5))
    (logs / "to/deep").mkdir(parents=True)
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        if down:
            sidecar.stop()
        if growing:
            append(logs / "from/a.log", ["just before"])
        (logs / "from/a.log").rename(logs / "to/deep/b.log")
        if down:
            sidecar.start()
        sidecar.pass_time(3)
        append(logs / "to/deep/b.log", ["after"])
        sidecar.pass_time(8)
        expected = lines("a", 5) + ["just before"] * growing + ["after"]
        assert sidecar.messages("from/a.log") == expected
        assert sidecar.streams() == ["from/a.log"]


def test_i04_whole_directory_is_renamed(tmp_path: Path, logs: Path) -> None:
    """A directory moved with its files: each goes on in its stream.

    Catches: declaring the files of a vanished directory deleted before looking elsewhere.
    """
    for name in ("a.log", "b.log"):
        append(logs / "before" / name, [f"one of {name}"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        (logs / "before").rename(logs / "after")
        sidecar.pass_time(3)
        for name in ("a.log", "b.log"):
            append(logs / "after" / name, [f"two of {name}"])
        sidecar.pass_time(8)
        assert sidecar.streams() == ["before/a.log", "before/b.log"]
        for name in ("a.log", "b.log"):
            assert sidecar.messages(f"before/{name}") == [f"one of {name}", f"two of {name}"]


def test_i04_new_file_takes_the_place_of_a_moved_one(tmp_path: Path, logs: Path) -> None:
    """Where a file was moved away and another made at its path, the new one is read from 0 into
    the path's stream, and the moved one goes on.

    Catches: giving the moved source's position to whatever has its old name.
    """
    append(logs / "a.log", lines("first", 3))
    (logs / "kept").mkdir()
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        (logs / "a.log").rename(logs / "kept/old.log")
        append(logs / "a.log", lines("second", 3))
        sidecar.pass_time(3)
        append(logs / "kept/old.log", ["late"])
        sidecar.pass_time(3)
        assert sidecar.messages("a.log") == [*lines("first", 3), *lines("second", 3), "late"]


@pytest.mark.parametrize("gone", [False, True], ids=["shifted", "gone"])
def test_i04_names_move_on_between_the_scan_and_a_look_at_the_content(
    tmp_path: Path, logs: Path, gone: bool
) -> None:
    """A rotation shifts all names while those that a scan found are compared with what was read:
    each source stays what it is, under whatever name, and nothing is read again.

    Catches: taking what lies under a name by now, or nothing, for the file that the scan found.
    """
    log = logs / "a.log"

    def rotate() -> None:
        for number in range(30, 0, -1):
            older = logs / f"a.log.{number}"
            if older.exists():
                older.rename(logs / f"a.log.{number + 1}")
        if log.exists():
            log.rename(logs / "a.log.1")
        if not gone:
            append(log, [f"new {number}" for number in range(3)])

    real = copies.open_file
    rotations = iter(range(2))

    def late(path: str) -> int:
        if next(rotations, None) is not None:
            rotate()
        return real(path)

    with Shipping(tmp_path, entry={"timestamp": "arrival"}, descriptors=1) as sidecar:
        expected = []
        for generation in range(6):
            if generation:
                log.rename(logs / f"a.log.{7 - generation}")
            # Too few digits for a file to be known by its lines alone.
            append(log, content := [f"generation {generation} {n}" for n in range(20)])
            expected += content
            sidecar.settle()
        rotate()
        with mock.patch.object(copies, "open_file", late):
            sidecar.settle()
        sidecar.pass_time(10)
        append(log, ["last"])
        sidecar.pass_time(10)
        shown = sidecar.messages("a.log")
        assert [each for each in shown if each.startswith("generation")] == expected
        assert len(shown) == len(expected) + (1 if gone else 10)
        assert sidecar.totals.bytes_gone == 0


@pytest.mark.parametrize("times", [1, 5])
def test_c01_clean_stop_and_start(tmp_path: Path, logs: Path, times: int) -> None:
    """Over clean stops and starts nothing is lost or shipped twice, what is written while it is
    down included; the second life has nothing to do again.

    Catches: a snapshot without the offsets; reading from 0 what has a record.
    """
    files = [logs / f"{number}.log" for number in range(5)]
    with Shipping(tmp_path) as sidecar:
        for turn in range(times):
            for file in files:
                append(file, lines(f"{turn} up", 40))
            sidecar.settle()
            for file in files:
                append(file, lines(f"{turn} late", 5))
            assert sidecar.stop() == 0
            for file in files:
                append(file, lines(f"{turn} down", 5))
            sidecar.start()
        sidecar.settle()
        expected = []
        for turn in range(times):
            expected += lines(f"{turn} up", 40) + lines(f"{turn} late", 5)
            expected += lines(f"{turn} down", 5)
        for file in files:
            assert sidecar.messages(file.name) == expected
        assert sidecar.totals.possible_duplicates == 0
        everything_is_settled(sidecar.status(), sum(file.stat().st_size for file in files))


def test_c01_drain_reads_what_was_written_last(tmp_path: Path, logs: Path) -> None:
    """A file that no look has seen when the stop comes, and the last lines of those known, are
    shipped before the end.

    Catches: `look_at_everything` that waits for what is due.
    """
    append(logs / "a.log", ["one"])
    seldom = {"hot": "30s", "cold": "10m", "budget": 100_000}
    with Shipping(tmp_path, poll=seldom) as sidecar:
        sidecar.settle()
        append(logs / "a.log", ["last"])
        append(logs / "fresh/b.log", ["made at the end"])
        assert sidecar.stop() == 0
        assert sidecar.messages("a.log") == ["one", "last"]
        assert sidecar.messages("fresh/b.log") == ["made at the end"]

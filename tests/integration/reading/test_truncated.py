"""T01, T03, T04 and rewriting in place: a file whose content becomes another's."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path
from unittest import mock

import pytest

from tests.support.shipping import Shipping, append, everything_is_settled, lines, text

LONG = 60
"""Lines that make a file longer than the fingerprint's 1,024 bytes; three are shorter."""

ARRIVAL = {"timestamp": "arrival"}


def rewrite(path: Path, messages: list[str], *, later: bool = False) -> None:
    """Truncate and write anew, in the same inode; `later` puts the time of it a second ahead."""
    inode = path.stat().st_ino
    with path.open("w") as file:
        file.write(text(messages))
    assert path.stat().st_ino == inode
    if later:
        os.utime(path, (time.time() + 1, time.time() + 1))


@pytest.mark.parametrize("count", [3, LONG])
@pytest.mark.parametrize("descriptors", [1, 100])
def test_t01_truncated_to_nothing_then_written(
    tmp_path: Path, log: Path, count: int, descriptors: int
) -> None:
    """A truncated file is read from 0 again, whether or not it was looked at while it was empty,
    whether its descriptor was held or not; what is written on follows.

    Catches: keeping the position when the size falls below it.
    """
    append(log, lines("old", count))
    append(tmp_path / "logs/other.log", ["other"])
    with Shipping(tmp_path, entry=ARRIVAL, descriptors=descriptors) as sidecar:
        sidecar.settle()
        rewrite(log, [])
        sidecar.settle()
        append(log, lines("new", 2))
        sidecar.settle()
        rewrite(log, lines("newer", 1))
        sidecar.settle()
        append(log, ["end"])
        sidecar.pass_time(5)
        expected = lines("old", count) + lines("new", 2) + lines("newer", 1) + ["end"]
        assert sidecar.messages("app.log") == expected
        assert sidecar.totals.truncations == 2


@pytest.mark.parametrize("grown", [-1, 0, 1, 50])
@pytest.mark.parametrize("count", [3, LONG])
def test_t01_rewritten_between_two_looks(tmp_path: Path, log: Path, count: int, grown: int) -> None:
    """A file written anew to a smaller, the same, or a larger size, with nobody looking meanwhile,
    is read from 0: its content tells it, not its size.

    Nothing of the new content is counted as gone.

    Catches: comparing sizes alone; reading without the bytes before the position; giving up the
    new file's bytes with the old one's.
    """
    append(log, lines("old content", count))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        rewrite(log, lines("new content", count + grown), later=True)
        sidecar.settle()
        expected = lines("old content", count) + lines("new content", count + grown)
        assert sidecar.messages("app.log") == expected
        assert sidecar.totals.bytes_gone == 0


@pytest.mark.parametrize("descriptors", [1, 100])
@pytest.mark.parametrize("down", [False, True])
def test_t01_rewritten_with_the_same_first_kilobyte(
    tmp_path: Path, log: Path, descriptors: int, down: bool
) -> None:
    """The new content has the old one's first kilobyte (a banner, say), and is longer: it is the
    bytes before the position that tell them apart.

    Catches: a marker that matches whatever stands before the checkpoint.
    """
    banner = lines("banner " + "=" * 60, 20)
    append(log, banner + lines("old", 10))
    append(tmp_path / "logs/other.log", ["other"])
    with Shipping(tmp_path, entry=ARRIVAL, descriptors=descriptors) as sidecar:
        sidecar.settle()
        if down:
            sidecar.stop()
        rewrite(log, banner + lines("new", 20), later=True)
        if down:
            sidecar.start()
        append(tmp_path / "logs/other.log", ["takes the descriptor"])
        sidecar.pass_time(3)
        expected = [*banner, *lines("old", 10), *banner, *lines("new", 20)]
        assert sidecar.messages("app.log") == expected


@pytest.mark.parametrize("count", [3, LONG])
@pytest.mark.parametrize("seen", [False, True])
@pytest.mark.parametrize("down", [False, True])
def test_t01_an_incomplete_line_is_taken_back(
    tmp_path: Path, log: Path, count: int, seen: bool, down: bool
) -> None:
    """A writer that finds its last line torn cuts it off, or writes it anew in its place: what is
    before it is not read again, nothing is gone, and what follows is read.

    Catches: any smaller size taken for a new content; an incomplete line in the fingerprint.
    """
    append(log, lines("a", count))
    whole = log.stat().st_size
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        for torn in ("torn, and longer than what comes in its place" * 3, "1 %"):
            with log.open("a") as file:
                file.write(torn)
            sidecar.settle()
            if down:
                sidecar.stop(clean=False)
            os.truncate(log, whole)
            if seen and not down:
                sidecar.pass_time(3)
            with log.open("a") as file:
                file.write("whole")
            if down:
                sidecar.start()
            sidecar.pass_time(3)
            with log.open("r+") as file:
                file.seek(whole)
                file.write("other\n")
            sidecar.pass_time(3)
            whole = log.stat().st_size
        expected = [*lines("a", count), "other", "other"]
        assert sidecar.messages("app.log") == expected
        assert sidecar.status()["backlog"]["bytes"] == 0
        assert sidecar.totals.bytes_gone == 0


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("count", [1, 3, LONG])
@pytest.mark.parametrize("old", [3, LONG])
def test_t03_truncated_while_down(
    tmp_path: Path, log: Path, clean: bool, count: int, old: int
) -> None:
    """A file truncated and written while the sidecar is down is read from 0, whatever its size.

    Catches: claiming nothing anew where the inode's record is of other content.
    """
    append(log, lines("old", old))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        sidecar.stop(clean=clean)
        rewrite(log, lines("new", count))
        sidecar.start()
        sidecar.settle()
        assert sidecar.messages("app.log") == lines("old", old) + lines("new", count)


@pytest.mark.parametrize("down", [False, True])
def test_t03_rewritten_with_the_same_bytes_before_the_position(
    tmp_path: Path, log: Path, down: bool
) -> None:
    """The new content differs in its beginning alone; the bytes before the old position are the
    same. Opened anew, the first bytes tell it.

    Catches: a fingerprint that compares lengths and no digests.
    """
    common = lines("common", 20)
    append(log, [*lines("old", 3), *common])
    append(tmp_path / "logs/other.log", ["other"])
    with Shipping(tmp_path, entry=ARRIVAL, descriptors=1) as sidecar:
        sidecar.settle()
        assert not any(path.endswith("app.log") for path in sidecar.open_files())
        if down:
            sidecar.stop()
        rewrite(log, [*lines("new", 3), *common, "more"], later=True)
        if down:
            sidecar.start()
        sidecar.pass_time(3)
        expected = [*lines("old", 3), *common, *lines("new", 3), *common, "more"]
        assert sidecar.messages("app.log") == expected


def test_t03_truncated_to_nothing_while_down(tmp_path: Path, log: Path) -> None:
    """A file that is empty at the start, of which there was more, is read from 0 once written.

    Catches: keeping the record of an inode whose file is shorter than its checkpoint.
    """
    append(log, lines("old", 5))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        sidecar.stop()
        rewrite(log, [])
        sidecar.start()
        sidecar.settle()
        append(log, lines("new", 5))
        sidecar.settle()
        assert sidecar.messages("app.log") == lines("old", 5) + lines("new", 5)


def test_t03_unread_rest_of_a_truncated_file_is_counted(tmp_path: Path, log: Path) -> None:
    """What had been seen and not yet read when the file was truncated is gone, and counted so.

    Catches: forgetting the old source without `give_up`.
    """
    append(log, "read\nseen, unfinished")
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        rewrite(log, ["new"])
        sidecar.pass_time(3)
        assert sidecar.messages("app.log") == ["read", "new"]
        assert sidecar.totals.bytes_gone == len("seen, unfinished")
        everything_is_settled(sidecar.status(), len("read\nseen, unfinished") + len("new\n"))


@pytest.mark.parametrize("seems", [0, 5])
@pytest.mark.parametrize("seconds", [0.0, 0.04])
def test_t04_size_that_looks_smaller_for_a_moment(
    tmp_path: Path, log: Path, seems: int, seconds: float
) -> None:
    """A stale answer that shows a smaller size, once or for a moment, is no truncation: nothing is
    read again, and what is written next is shipped.

    Catches: believing the first smaller size without a second, fresh look.
    """
    append(log, lines("a", 5))
    real = os.fstat
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        inode = log.stat().st_ino

        def stale(descriptor: int) -> os.stat_result:
            seen = real(descriptor)
            if seen.st_ino != inode:
                return seen
            values = list(seen)
            values[6] = seems
            return os.stat_result(values, {"st_mtime_ns": seen.st_mtime_ns + 1})

        with mock.patch("sidecar.sources.tailer.os.fstat", stale):
            append(log, ["written meanwhile"])
            sidecar.step(0.6)
            sidecar.step(seconds)
        sidecar.settle()
        append(log, ["after"])
        sidecar.settle()
        assert sidecar.messages("app.log") == [*lines("a", 5), "written meanwhile", "after"]
        assert sidecar.totals.truncations == 0


@pytest.mark.parametrize("down", [False, True])
def test_t01_truncated_by_a_writer_that_does_not_append(
    tmp_path: Path, log: Path, down: bool
) -> None:
    """A writer without O_APPEND goes on at its offset after somebody truncated its file: the hole
    before its lines is no content, the lines are shipped, once.

    Catches: shipping the hole's NULs as a line; waiting for the hole to fill for ever.
    """
    with log.open("w") as writer, Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        writer.write(text(lines("old", 5)))
        writer.flush()
        sidecar.settle()
        if down:
            sidecar.stop()
        os.truncate(log, 0)
        writer.write(text(lines("new", 5)))
        writer.flush()
        if down:
            sidecar.start()
        sidecar.pass_time(8)
        assert sidecar.messages("app.log") == lines("old", 5) + lines("new", 5)


@pytest.mark.parametrize("late", [0, 3])
@pytest.mark.parametrize("count", [3, LONG])
def test_t02_copy_is_seen_before_the_truncation(
    tmp_path: Path, log: Path, count: int, late: int
) -> None:
    """A copy that is found while its original still lives is left alone; `late` lines written and
    read after it was made make it no new file when the original is truncated.

    Catches: taking what lies beside a living file for a new one.
    """
    append(log, expected := lines("copied " + "x" * 20, count))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        shutil.copy2(log, log.with_name("app.log.1"))
        append(log, more := lines("late", late))
        sidecar.settle()
        os.truncate(log, 0)
        append(log, ["new"])
        sidecar.pass_time(5)
        for clean in (True, False):
            sidecar.restart(clean=clean)
            sidecar.pass_time(5)
        assert sidecar.messages("app.log") == [*expected, *more, "new"]
        assert sidecar.streams() == ["app.log"]


@pytest.mark.parametrize("clean", [False, True])
def test_t02_short_copy_is_told_after_a_restart(tmp_path: Path, log: Path, clean: bool) -> None:
    """What was written between the copy and the truncation, and read before a stop: after it, the
    copy is shorter than what was read, and still no new file.

    Catches: a snapshot that keeps the last checkpoint alone.
    """
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        append(log, expected := lines("copied " + "x" * 20, LONG))
        sidecar.settle()
        for number in range(30):
            append(log, more := lines(f"late {number} " + "x" * 20, LONG))
            expected += more
            sidecar.settle()
            if number == 20:
                copied = log.read_bytes()
        sidecar.stop(clean=clean)
        log.with_name("app.log.1").write_bytes(copied)
        os.truncate(log, 0)
        append(log, ["new"])
        sidecar.start()
        sidecar.pass_time(5)
        sidecar.restart(clean=clean)
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == [*expected, "new"]


@pytest.mark.parametrize("clean", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
def test_t02_short_copy_holds_what_was_read_and_not_delivered(
    tmp_path: Path, log: Path, clean: bool, compressed: bool
) -> None:
    """Read, and not delivered for an outage; then the file was copied and truncated, and the copy
    lacks the last lines that were read. After a restart what the copy holds is delivered, once:
    also where the copy was compressed meanwhile.

    Catches: taking a copy that is shorter than what was read for one that is delivered.
    """
    log.touch()
    expected = lines("copied " + "x" * 20, LONG)
    with Shipping(tmp_path, entry=ARRIVAL, drain={"quiet": "200ms", "deadline": "1s"}) as sidecar:
        append(log, expected[:10])
        sidecar.settle()
        sidecar.fake.down = True
        append(log, expected[10:])
        for _ in range(5):
            sidecar.step()
        copied = log.read_bytes()
        append(log, late := lines("late", 3))
        for _ in range(5):
            sidecar.step()
        copy = log.with_name("app.log.1")
        copy.write_bytes(copied)
        os.truncate(log, 0)
        append(log, ["new"])
        for _ in range(30):
            sidecar.step()
        sidecar.stop(clean=clean)
        if compressed:
            copy.with_name("app.log.1.gz").write_bytes(gzip.compress(copied))
            copy.unlink()
        sidecar.fake.down = False
        sidecar.start()
        sidecar.pass_time(10)
        sidecar.restart(clean=clean)
        sidecar.pass_time(5)
        stored = [line for line in sidecar.messages("app.log") if line not in late]
        assert sorted(stored) == sorted([*expected, "new"])


@pytest.mark.parametrize("descriptors", [1, 100])
def test_t01_padded_lines_end_alike(tmp_path: Path, log: Path, descriptors: int) -> None:
    """Lines that differ in their first characters alone, all of one length: truncated and written
    to the old length and beyond between two looks, the file is still seen to be another.

    Catches: comparing less than a line before the position.
    """
    padded = "x" * 300
    append(log, old := [f"old {number:04d} {padded}" for number in range(20)])
    append(tmp_path / "logs/other.log", ["other"])
    with Shipping(tmp_path, entry=ARRIVAL, descriptors=descriptors) as sidecar:
        sidecar.settle()
        rewrite(log, new := [f"new {number:04d} {padded}" for number in range(30)], later=True)
        sidecar.pass_time(3)
        assert sidecar.messages("app.log") == old + new


def test_t01_what_a_copy_holds_is_not_gone_though_nothing_tells_it(
    tmp_path: Path, log: Path
) -> None:
    """A writer at its own offset leaves NULs at the start of a truncated file, and it is copied and
    truncated again while those are still doubted: nothing of it was read, so its copy is a file
    like any other. Its line arrives, and nothing is counted as gone.

    Catches: counting what was never read as gone although a copy of it is read from its start.
    """
    copy = log.with_name("app.log.1")
    with Shipping(tmp_path) as sidecar:
        append(log, "\0" * 70 + "the line\n")
        sidecar.step()
        sidecar.step()
        assert sidecar.messages("app.log") == []
        copy.write_bytes(log.read_bytes())
        os.truncate(log, 0)
        sidecar.settle()
        sidecar.pass_time(15)
        assert sidecar.messages("app.log") == ["the line"]
        assert sidecar.totals.truncations == 1
        assert sidecar.totals.bytes_gone == 0
        everything_is_settled(sidecar.status(), copy.stat().st_size)

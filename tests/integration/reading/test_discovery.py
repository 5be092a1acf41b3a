"""D01 to D07 and D09: which files are found, and that each is found once."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from pathlib import Path

import pytest

from tests.support.shipping import ARTIFACTS, GROUP, Shipping, append, everything_is_settled, lines


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume with an empty folder for logs."""
    (tmp_path / "logs").mkdir()
    return tmp_path


def test_d01_present_file_is_read_from_its_beginning(volume: Path) -> None:
    """A file with content at the very first start is read from byte 0.

    Catches: `start = candidate.size` for the default of `start_at`.
    """
    before, after = lines("before", 3), lines("after", 3)
    append(volume / "logs/a.log", before)
    with Shipping(volume) as sidecar:
        sidecar.settle()
        append(volume / "logs/a.log", after)
        sidecar.settle()
        assert sidecar.messages("a.log") == before + after


def test_d01_start_at_end_leaves_what_was_there(volume: Path) -> None:
    """With `start_at: end` a file that was there first is read from its end, a later one from 0.

    Catches: leaving `Beginning._is_first_start` true after the first scan; ignoring `start_at`.
    """
    append(volume / "logs/old.log", lines("old", 3))
    with Shipping(volume, entry={"start_at": "end"}) as sidecar:
        sidecar.settle()
        append(volume / "logs/old.log", ["appended"])
        append(volume / "logs/new.log", lines("new", 2))
        sidecar.settle()
        assert sidecar.messages("old.log") == ["appended"]
        assert sidecar.messages("new.log") == lines("new", 2)


def test_d01_start_at_end_finishes_the_line_that_was_begun(volume: Path) -> None:
    """An incomplete line at the end counts as not yet written: it is shipped whole when it ends.

    Catches: starting at the size instead of `last_line_start`, which ships half a line.
    """
    append(volume / "logs/a.log", "complete\nbeg")
    with Shipping(volume, entry={"start_at": "end"}) as sidecar:
        sidecar.settle()
        append(volume / "logs/a.log", "un and ended\n")
        sidecar.settle()
        assert sidecar.messages("a.log") == ["begun and ended"]


@pytest.mark.parametrize("clean", [True, False])
def test_d01_start_at_end_concerns_the_very_first_start_only(volume: Path, clean: bool) -> None:
    """A file made while the sidecar is down starts at byte 0, with `start_at: end` too, whether or
    not the first life had found any file at all.

    Catches: `first_start=True` on each start, or only when the ledger holds no source.
    """
    with Shipping(volume, entry={"start_at": "end"}) as sidecar:
        sidecar.settle()
        sidecar.stop(clean=clean)
        append(volume / "logs/made-while-down.log", lines("down", 3))
        sidecar.start()
        sidecar.settle()
        assert sidecar.messages("made-while-down.log") == lines("down", 3)


def test_d01_start_at_end_survives_a_kill_before_anything_was_shipped(volume: Path) -> None:
    """Where reading began at a file's end is remembered although nothing was shipped of it.

    Catches: journalling a source only with its first acknowledgement.
    """
    append(volume / "logs/a.log", lines("old", 3))
    with Shipping(volume, entry={"start_at": "end"}) as sidecar:
        sidecar.settle()
        sidecar.restart(clean=False)
        append(volume / "logs/a.log", ["new"])
        sidecar.settle()
        assert sidecar.messages("a.log") == ["new"]


def test_d02_globs_give_exactly_the_expected_set(volume: Path) -> None:
    """Lists of globs, `**` at any depth, classes and braces ship these files and no other.

    Catches: `**` that takes one directory only; matching the first include alone; tailing only the
    newest match of a directory.
    """
    logs = volume / "logs"
    wanted = ["a.log", "deep/er/b.log", "deep/c.log", "part/x1.txt", "part/x2.txt", "v/q.out"]
    others = ["a.txt", "part/x3.txt", "part/y1.txt", "part/in/x1.txt", "v/q.err", "a.log.bak"]
    for name in wanted + others:
        append(logs / name, [f"in {name}"])
    include = [f"{logs}/**/*.log", f"{logs}/part/x[12].txt", f"{logs}/v/*.{{out,txt}}"]
    with Shipping(volume, entry={"include": include, "root": str(logs)}) as sidecar:
        sidecar.settle()
        assert sidecar.streams() == sorted(wanted)
        assert all(sidecar.messages(name) == [f"in {name}"] for name in wanted)


def test_d02_exclude_wins_over_include(volume: Path) -> None:
    """An excluded file is not shipped even if an include names it; relative excludes hold too.

    Catches: asking `exclude` only where no include matches; taking the next include instead.
    """
    logs = volume / "logs"
    for name in ["kept.log", "secret.log", "debug/a.log", "debug/b.log"]:
        append(logs / name, [name])
    entry = {
        "include": [f"{logs}/secret.log", f"{logs}/**/*.log"],
        "exclude": [f"{logs}/secret.log", "debug/*"],
        "root": str(logs),
    }
    with Shipping(volume, entry=entry) as sidecar:
        sidecar.settle()
        assert sidecar.streams() == ["kept.log"]


def test_d02_first_matching_entry_wins(volume: Path) -> None:
    """Of two entries that match a file the first decides, logs before artifacts; an exclude of
    the first entry leaves the file to the next.

    Catches: going through the rules from the last to the first, or artifacts before logs.
    """
    logs = volume / "logs"
    append(logs / "special/a.log", ["special"])
    append(logs / "special/not.log", ["excluded there"])
    append(logs / "b.log", ["plain"])
    append(logs / "c.json", '{"an": "artifact"}')
    root = {"root": str(logs), "rotated": "off"}
    entries = [
        {
            "include": [f"{logs}/special/*.log"],
            "exclude": ["special/not.log"],
            "log_group": "/special",
        },
        {"include": [f"{logs}/**/*.log"]},
    ]
    artifacts = [{"include": [f"{logs}/**/*"], "settle": "100ms"}]
    with Shipping(volume, logs=[each | root for each in entries], artifacts=artifacts) as sidecar:
        sidecar.pass_time(3)
        assert sidecar.streams("/special") == ["special/a.log"]
        assert sidecar.streams(GROUP) == ["b.log", "special/not.log"]
        assert sidecar.streams(ARTIFACTS) == ["c.json"]


@pytest.mark.parametrize("hears", [False, True])
def test_d03_missing_directory_is_found_when_it_appears(tmp_path: Path, hears: bool) -> None:
    """Neither logs nor any directory above them exist at start; what appears later is shipped.

    Catches: giving a root up when it cannot be listed; never scanning a new subdirectory.
    """
    logs = tmp_path / "not" / "there" / "yet"
    entry = {"include": [f"{logs}/**/*.log"]}
    with Shipping(tmp_path, entry=entry, hears=hears) as sidecar:
        sidecar.settle()
        assert sidecar.status()["degraded"] == []
        append(logs / "a.log", ["first"])
        sidecar.settle()
        append(logs / "deeper/down/b.log", ["second"])
        sidecar.settle()
        assert sidecar.messages("a.log") == ["first"]
        assert sidecar.messages("deeper/down/b.log") == ["second"]


@pytest.mark.parametrize("name", ["logs", "logs/task"])
@pytest.mark.parametrize("away", [3.0, 120.0])
def test_d03_directory_vanishes_and_comes_back(volume: Path, name: str, away: float) -> None:
    """A directory that is away for a while, as when it is unmounted, is no deletion: nothing is
    declared gone, nothing is read again, and what was written before it went is shipped.

    Catches: calling `vanished` for the files of a directory that cannot be listed; giving a
    source up after five seconds whether or not its directory is there.
    """
    log = volume / "logs/task/a.log"
    append(log, lines("before", 5))
    with Shipping(volume) as sidecar:
        sidecar.settle()
        append(log, lines("unread", 3))
        (volume / name).rename(volume / "away")
        sidecar.pass_time(away)
        (volume / "away").rename(volume / name)
        sidecar.pass_time(3)
        append(log, lines("after", 2))
        sidecar.pass_time(10)
        expected = lines("before", 5) + lines("unread", 3) + lines("after", 2)
        assert sidecar.messages("task/a.log") == expected
        assert sidecar.totals.bytes_gone == 0
        assert sidecar.totals.sources_claimed == 1


def test_d03_directory_is_away_over_a_restart(volume: Path) -> None:
    """The sidecar starts while the volume is not mounted: once it is there, nothing is read again.

    Catches: forgetting the records whose files the first scan did not find.
    """
    log = volume / "logs/task/a.log"
    append(log, lines("before", 5))
    with Shipping(volume) as sidecar:
        sidecar.settle()
        (volume / "logs").rename(volume / "away")
        sidecar.restart()
        sidecar.pass_time(30)
        (volume / "away").rename(volume / "logs")
        append(log, ["after"])
        sidecar.pass_time(3)
        assert sidecar.messages("task/a.log") == [*lines("before", 5), "after"]


def test_d03_mount_point_stays_as_an_empty_directory(volume: Path) -> None:
    """An unmounted volume leaves its empty mount point behind: the files are back when it is.

    Catches: claiming a source anew whose record was let go while its name was away.
    """
    log = volume / "logs/a.log"
    append(log, lines("before", 5))
    with Shipping(volume) as sidecar:
        sidecar.settle()
        (volume / "logs").rename(volume / "away")
        (volume / "logs").mkdir()
        sidecar.pass_time(60)
        (volume / "logs").rmdir()
        (volume / "away").rename(volume / "logs")
        append(log, ["after"])
        sidecar.pass_time(10)
        assert sidecar.messages("a.log") == [*lines("before", 5), "after"]


@pytest.mark.parametrize("hears", [False, True])
def test_d04_file_renamed_into_place_is_found_once(volume: Path, hears: bool) -> None:
    """A file written under a name that matches nothing and then renamed is shipped once.

    Catches: admitting a name both from the watch's word and from the scan.
    """
    beside = volume / "logs/.a.log.writing"
    append(beside, lines("whole", 4))
    with Shipping(volume, hears=hears) as sidecar:
        sidecar.settle()
        assert sidecar.streams() == []
        beside.rename(volume / "logs/a.log")
        sidecar.pass_time(3)
        assert sidecar.messages("a.log") == lines("whole", 4)
        assert sidecar.totals.sources_claimed == 1


def test_d05_link_is_followed_and_its_swap_is_a_rotation(volume: Path) -> None:
    """A link's target is read under the link's name; when the link is swapped, the old target is
    read to its end and the new one from byte 0, in one stream.

    Catches: skipping links; keeping the old target's descriptor as the link's file.
    """
    targets = volume / "targets"
    append(targets / "one", lines("one", 3))
    append(targets / "two", lines("two", 3))
    link = volume / "logs/current.log"
    link.symlink_to(targets / "one")
    with Shipping(volume) as sidecar:
        sidecar.settle()
        assert sidecar.messages("current.log") == lines("one", 3)
        append(targets / "one", ["one, last"])
        (volume / "swap").symlink_to(targets / "two")
        (volume / "swap").rename(link)
        sidecar.pass_time(3)
        append(targets / "two", ["two, later"])
        sidecar.pass_time(10)
        expected = [*lines("one", 3), "one, last", *lines("two", 3), "two, later"]
        assert sidecar.messages("current.log") == expected


def test_d05_loop_and_dangling_link_do_no_harm(volume: Path) -> None:
    """Links that lead to themselves, to nothing, or round in a circle of directories are passed
    over; a dangling one is read once its target exists.

    Catches: letting `entry.is_file()` raise for a loop; descending into linked directories.
    """
    logs = volume / "logs"
    append(logs / "a.log", ["fine"])
    (logs / "loop.log").symlink_to(logs / "loop.log")
    (logs / "dangling.log").symlink_to(volume / "later")
    (logs / "circle").symlink_to(logs)
    with Shipping(volume) as sidecar:
        sidecar.pass_time(3)
        assert sidecar.streams() == ["a.log"]
        append(volume / "later", ["there at last"])
        sidecar.pass_time(3)
        assert sidecar.streams() == ["a.log", "dangling.log"]
        assert sidecar.messages("dangling.log") == ["there at last"]


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("restarts", [False, True])
def test_d05_two_paths_to_one_file_ship_once(volume: Path, hard: bool, restarts: bool) -> None:
    """A file with two names is one source, whichever was seen first, over a restart too.

    Catches: keying sources by path; taking the second name of an open file for a rename.
    """
    logs = volume / "logs"
    append(logs / "a.log", lines("a", 3))
    if hard:
        os.link(logs / "a.log", logs / "b.log")
    else:
        (logs / "b.log").symlink_to(logs / "a.log")
    with Shipping(volume) as sidecar:
        sidecar.pass_time(3)
        if restarts:
            sidecar.restart()
        append(logs / "b.log", ["through the other name"])
        sidecar.pass_time(10)
        shipped = [message for name in sidecar.streams() for message in sidecar.messages(name)]
        assert shipped == [*lines("a", 3), "through the other name"]
        assert len(sidecar.streams()) == 1


@pytest.mark.parametrize("restarts", [False, True])
def test_d05_what_one_path_loses_is_read_under_the_other(volume: Path, restarts: bool) -> None:
    """Of two hard links the first is replaced by a new file: that one is read from byte 0, and
    what is written to the old one through its other name arrives however late, in its stream.

    Catches: a second name that is reported once, and not again when it is the only one.
    """
    first, second = volume / "logs/a.log", volume / "logs/sub/b.log"
    append(first, lines("old", 3))
    second.parent.mkdir()
    os.link(first, second)
    with Shipping(volume) as sidecar:
        sidecar.pass_time(3)
        append(volume / "new", lines("new", 3))
        (volume / "new").rename(first)
        sidecar.pass_time(3)
        if restarts:
            sidecar.restart()
        for late in ("one", "two"):
            # Longer than a file without a name is kept, and than its last line is waited for.
            sidecar.pass_time(90)
            append(second, [late])
        sidecar.pass_time(70)
        assert sidecar.streams() == ["a.log"]
        shipped = sidecar.messages("a.log")
    assert sorted(shipped) == sorted([*lines("old", 3), *lines("new", 3), "one", "two"])


def test_d06_what_is_no_plain_file_is_skipped(volume: Path) -> None:
    """A FIFO, a socket, a device and a directory with matching names neither block nor are shipped;
    what lies in the directory is.

    Catches: taking a directory whose name matches for a file instead of going into it.
    """
    logs = volume / "logs"
    os.mkfifo(logs / "fifo.log")
    (logs / "directory.log").mkdir()
    (logs / "to-fifo.log").symlink_to(logs / "fifo.log")
    (logs / "endless.log").symlink_to("/dev/zero")
    append(logs / "directory.log/inside.log", ["inside"])
    append(logs / "a.log", ["fine"])
    place = Path.cwd()
    with socket.socket(socket.AF_UNIX) as listener, Shipping(volume) as sidecar:
        os.chdir(logs)  # a socket's path may not be longer than about 100 characters
        try:
            listener.bind("socket.log")
        finally:
            os.chdir(place)
        sidecar.pass_time(3)
        assert stat.S_ISSOCK((logs / "socket.log").stat().st_mode)
        assert sidecar.streams() == ["a.log", "directory.log/inside.log"]
        assert sidecar.status()["degraded"] == []


def test_d06_file_that_becomes_a_fifo_is_let_go(volume: Path) -> None:
    """A path whose file is replaced by a FIFO: the file was read, and nothing blocks.

    Catches: reopening a path without O_NONBLOCK, or without a look at what it is by now.
    """
    log = volume / "logs/a.log"
    append(log, ["fine"])
    append(volume / "logs/b.log", ["other"])
    with Shipping(volume, descriptors=1) as sidecar:
        sidecar.settle()
        log.unlink()
        os.mkfifo(log)
        append(volume / "logs/b.log", ["other goes on"])
        sidecar.pass_time(10)
        assert sidecar.messages("a.log") == ["fine"]
        assert sidecar.messages("b.log") == ["other", "other goes on"]


def test_d07_more_files_than_may_be_open(volume: Path) -> None:
    """Fifty growing files and room for four descriptors: each is read on in turn, none starves.

    Catches: failing once the pool is full; letting the pool outgrow its bound.
    """
    names = [f"{number:02d}.log" for number in range(50)]
    with Shipping(volume, descriptors=4) as sidecar:
        for turn in range(3):
            for name in names:
                append(volume / "logs" / name, lines(f"{name} {turn}", 20))
            sidecar.settle()
            assert len(sidecar.open_files()) <= 4
        for name in names:
            assert sidecar.messages(name) == [
                line for turn in range(3) for line in lines(f"{name} {turn}", 20)
            ]


def test_d07_unread_file_that_is_deleted_keeps_its_descriptor(volume: Path) -> None:
    """Where a descriptor is the only way to a file's bytes, it is not closed to make room.

    Catches: closing the least recently used descriptor whatever file it is of.
    """
    log = volume / "logs/doomed.log"
    append(log, ["read"])
    with Shipping(volume, descriptors=2, entry={"partial": "1m"}) as sidecar:
        sidecar.settle()
        writer = log.open("ab")
        log.unlink()
        sidecar.step()
        for number in range(10):
            append(volume / f"logs/{number}.log", ["another"])
        sidecar.settle()
        with writer:
            writer.write(b"written after the deletion\n")
        sidecar.settle()
        assert sidecar.messages("doomed.log") == ["read", "written after the deletion"]


def test_d09_temporaries_and_own_files_are_never_shipped(volume: Path) -> None:
    """What editors and NFS clients leave for a moment, and the sidecar's own state, never ship,
    although the include matches all of it.

    Catches: dropping a prefix or suffix from the lists; scanning the state directory.
    """
    logs = volume / "logs"
    temporaries = [".nfs000001", ".#a.log", "#a.log#", "a.log~", ".a.log.swp", ".goutputstream-X"]
    for name in temporaries:
        append(logs / name, ["temporary"])
    append(logs / ".hidden", ["a leading dot is a name like any other"])
    append(logs / "a.log", ["fine"])
    own = logs / ".sidecar"
    entry = {"include": [f"{logs}/**/*"]}
    with Shipping(volume, entry=entry, state_dir=str(own)) as sidecar:
        sidecar.pass_time(5)
        sidecar.restart()
        sidecar.pass_time(5)
        assert sidecar.streams() == [".hidden", "a.log"]
        assert list(own.rglob("*.*"))


def test_d02_directories_appear_and_disappear(volume: Path) -> None:
    """Tasks come and go, each with a directory of its own: every line of each is shipped.

    Catches: dropping a directory's files unread with the directory; not scanning a directory
    that is made again under a name that was there before.
    """
    size = 0
    with Shipping(volume) as sidecar:
        for turn in range(4):
            folder = volume / "logs" / f"task-{turn % 2}" / "deep"
            append(folder / f"{turn}.log", lines(f"turn {turn}", 50))
            size += (folder / f"{turn}.log").stat().st_size
            sidecar.settle()
            shutil.rmtree(folder.parent)
            sidecar.settle()
        sidecar.pass_time(10)
        for turn in range(4):
            name = f"task-{turn % 2}/deep/{turn}.log"
            assert sidecar.messages(name) == lines(f"turn {turn}", 50)
        everything_is_settled(sidecar.status(), size)

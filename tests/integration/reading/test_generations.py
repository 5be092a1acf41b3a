"""R01 to R05, R08, R09: generations of a rotated file, beside and behind the looks."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.support.shipping import GROUP, Shipping, append, everything_is_settled, lines

ARRIVAL = {"timestamp": "arrival"}
DAY = 24 * 3600.0

LONG = 60
"""Lines that make a file longer than the fingerprint's 1,024 bytes; three are shorter."""


def rotate(log: Path, *, keep: int = 9, suffix: str = "") -> None:
    """Rename NAME to NAME.1, NAME.1 to NAME.2 and so on; more than `keep` are deleted."""
    numbered = [log, *(log.with_name(f"{log.name}.{number}{suffix}") for number in range(1, keep))]
    numbered.append(log.with_name(f"{log.name}.{keep}{suffix}"))
    numbered[-1].unlink(missing_ok=True)
    for older, newer in zip(reversed(numbered[1:]), reversed(numbered[:-1]), strict=True):
        if newer.exists():
            newer.rename(older)


def age(path: Path, seconds: float) -> None:
    """Order the last writes: so long before a moment that is later than the state directory."""
    then = time.time() + 1000.0 - seconds
    os.utime(path, (then, then))


def test_r03_generations_of_one_moment_are_read_the_oldest_first(tmp_path: Path, log: Path) -> None:
    """Files rotated within one tick of the file system's clock have one modification time; which
    is the older their names say: the higher number, and every sibling before the file itself.

    Catches: leaving files of one time in the order in which the directory lists them.
    """
    oldest_first = [*(log.with_name(f"app.log.{number}") for number in range(12, 0, -1)), log]
    moment = time.time() + 1000.0
    # A directory may list its names as they were made, or the other way round.
    for path in [*oldest_first[1::2], *oldest_first[::2]]:
        append(path, [path.name])
        os.utime(path, (moment, moment))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        assert sidecar.messages("app.log") == [path.name for path in oldest_first]


@pytest.mark.parametrize("count", [3, LONG])
def test_r01_unread_rest_comes_before_the_new_file(tmp_path: Path, log: Path, count: int) -> None:
    """What was written just before the rotation comes first, then the new file from byte 0.

    Catches: reading the new file before the renamed one was looked at once more.
    """
    append(log, lines("old", count))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        append(log, lines("rest", count))
        rotate(log)
        append(log, lines("new", count))
        sidecar.settle()
        expected = lines("old", count) + lines("rest", count) + lines("new", count)
        assert sidecar.messages("app.log") == expected
        assert sidecar.streams() == ["app.log"]


@pytest.mark.parametrize("hears", [False, True])
@pytest.mark.parametrize("wait", [0.2, 20.0])
def test_r02_writer_goes_on_in_the_renamed_file(
    tmp_path: Path, log: Path, hears: bool, wait: float
) -> None:
    """Lines written through a descriptor that was opened before the rotation arrive, also when the
    renamed file had been quiet for long, whether or not the writes can be heard.

    Catches: planning no more looks at a renamed file once its end was reached.
    """
    append(log, ["one"])
    with Shipping(tmp_path, entry=ARRIVAL, hears=hears) as sidecar:
        sidecar.settle()
        with log.open("a") as writer:
            rotate(log)
            append(log, ["in the new file"])
            sidecar.pass_time(wait)
            writer.write("late\n")
            writer.flush()
            # What is done with is only looked at now and then, unless it is heard.
            sidecar.pass_time(3 if hears else 2 * sidecar.settings.poll.cold)
            if hears:
                wait_until_heard(sidecar)
            assert sorted(sidecar.messages("app.log")) == ["in the new file", "late", "one"]


def wait_until_heard(sidecar: Shipping) -> None:
    """inotify's word comes from a thread of its own: step until it came, or long enough."""
    deadline = time.monotonic() + 5
    while "late" not in sidecar.messages("app.log") and time.monotonic() < deadline:
        sidecar.wake.wait(0.01)
        sidecar.settle()


@pytest.mark.parametrize("count", [3, LONG])
@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("clean", [False, True])
def test_r03_r05_several_generations_unseen(
    tmp_path: Path, log: Path, count: int, down: bool, clean: bool
) -> None:
    """Several rotations between two looks, or while the sidecar is down: every generation is
    shipped in the order it was written, the one that was begun is read on where it stood.

    Catches: looking only at NAME.1; sorting generations by name; matching by path alone.
    """
    append(log, lines("begun", count))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        if down:
            sidecar.stop(clean=clean)
        append(log, lines("rest", count))
        expected = lines("begun", count) + lines("rest", count)
        for generation in range(4):
            rotate(log)
            append(log, more := lines(f"generation {generation}", count))
            age(log, -1 - generation)
            expected += more
        size = sum(path.stat().st_size for path in log.parent.iterdir())
        if down:
            sidecar.start()
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == expected
        assert sidecar.streams() == ["app.log"]
        everything_is_settled(sidecar.status(), size)


def test_r05_time_stamped_generations_unseen(tmp_path: Path, log: Path) -> None:
    """Names with dates, as logrotate's dateext and Python's timed handler give, are siblings too.

    Catches: a pattern for rotated names that knows numbers alone.
    """
    append(log, ["begun"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        sidecar.stop()
        names = ["app.log-20261120", "app.log.2026-11-21", "app.log.2026-11-22_13", "app.log-2026"]
        for number, name in enumerate(names):
            if number == 0:
                log.rename(log.with_name(name))
            else:
                append(log.with_name(name), [f"in {name}"])
            age(log.with_name(name), -number)
        append(log, ["newest"])
        age(log, -len(names))
        sidecar.start()
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == [
            "begun",
            "in app.log.2026-11-21",
            "in app.log.2026-11-22_13",
            "newest",
        ]


@pytest.mark.parametrize("include", ["*.log", "*.log*"])
@pytest.mark.parametrize("down", [False, True])
def test_r05_siblings_older_than_the_state_directory(
    tmp_path: Path, log: Path, include: str, down: bool
) -> None:
    """A rotated file from before the state directory was made is left alone, at the first start
    and at every later one, unless an include matches its name.

    Catches: comparing with the start of this life instead of the state directory's.
    """
    old = log.with_name("app.log.1")
    append(old, ["from before"])
    age(old, DAY)
    append(log, ["now"])
    entry = {"include": [f"{log.parent}/{include}"], **ARRIVAL}
    with Shipping(tmp_path, entry=entry) as sidecar:
        if down:
            sidecar.pass_time(3)
            sidecar.restart()
        sidecar.pass_time(3)
        shipped = [message for name in sidecar.streams() for message in sidecar.messages(name)]
        assert sorted(shipped) == (["now"] if include == "*.log" else ["from before", "now"])


def test_r05_old_siblings_move_on_and_stay_left_alone(tmp_path: Path, log: Path) -> None:
    """Further rotations rename the files that were left alone: that makes none of them new.

    Catches: taking a name that was not there at the last look for a new file.
    """
    for number in (1, 2):
        append(log.with_name(f"app.log.{number}"), [f"old {number}"])
        age(log.with_name(f"app.log.{number}"), DAY)
    append(log, ["one"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        for word in ("two", "three"):
            rotate(log)
            append(log, [word])
            sidecar.pass_time(3)
        assert sidecar.messages("app.log") == ["one", "two", "three"]


@pytest.mark.parametrize("include", ["*.log", "*.log*", "app*"])
@pytest.mark.parametrize("down", [False, True])
def test_r04_rotated_name_in_and_out_of_the_globs(
    tmp_path: Path, log: Path, include: str, down: bool
) -> None:
    """Whether the rotated name matches an include or not: drained, in the stream of the file it
    was, and shipped once.

    Catches: claiming a matching rotated name as a source with a stream of its own.
    """
    append(log, lines("a", 3))
    entry = {"include": [f"{log.parent}/{include}"], **ARRIVAL}
    with Shipping(tmp_path, entry=entry) as sidecar:
        sidecar.settle()
        if down:
            sidecar.stop()
        append(log, lines("rest", 3))
        rotate(log)
        append(log, lines("b", 3))
        if down:
            sidecar.start()
        sidecar.pass_time(5)
        assert sidecar.streams() == ["app.log"]
        assert sidecar.messages("app.log") == lines("a", 3) + lines("rest", 3) + lines("b", 3)


@pytest.mark.parametrize("down", [False, True])
def test_r04_what_logrotate_moves_aside_before_it_creates(
    tmp_path: Path, log: Path, down: bool
) -> None:
    """Where the writer made its new file before logrotate did, logrotate moves that one to
    NAME-DATE.backup: its lines arrive, in their order.

    Catches: leaving that name alone.
    """
    append(log, ["one"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        if down:
            sidecar.stop()
        rotate(log)
        append(log, ["two"])
        log.rename(log.with_name("app.log-2026112707.backup"))
        append(log, ["three"])
        if down:
            sidecar.start()
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == ["one", "two", "three"]
        assert sidecar.streams() == ["app.log"]


def test_r04_rotated_into_another_directory(tmp_path: Path, log: Path) -> None:
    """A file renamed to where nothing is matched is read to its end through its descriptor.

    Catches: closing the descriptor when the name is gone from its directory.
    """
    append(log, ["one"])
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        append(log, ["two"])
        log.rename(tmp_path / "elsewhere")
        sidecar.step()
        append(tmp_path / "elsewhere", ["three"])
        sidecar.pass_time(8)
        assert sidecar.messages("app.log") == ["one", "two", "three"]
        assert sidecar.open_files() == []


def test_r08_deleted_file_is_read_and_let_go(tmp_path: Path, log: Path) -> None:
    """The unread rest of a deleted file is shipped; its descriptor is closed soon after, so that
    the space on the volume comes back; what a drain finds is nothing.

    Catches: never letting go of a deleted file's descriptor; letting go before its end.
    """
    rest = lines("rest " + "x" * 200, 20_000)
    append(log, ["read"])
    with Shipping(tmp_path, entry={"partial": "10s"}) as sidecar:
        sidecar.settle()
        append(log, rest)
        log.unlink()
        sidecar.settle()
        assert sidecar.messages("app.log") == ["read", *rest]
        assert len(sidecar.open_files()) == 1
        sidecar.pass_time(12)
        assert sidecar.open_files() == []
        assert sidecar.totals.bytes_gone == 0
        assert sidecar.status()["sources"] == []
        assert sidecar.restart() == 0


def test_r08_deleted_before_it_could_be_read_is_counted(tmp_path: Path, log: Path) -> None:
    """Bytes whose file went while the sidecar held no descriptor of it are counted as gone.

    Catches: forgetting a source that cannot be found without counting what was not read of it.
    """
    append(log, "read\nunfinished")
    with Shipping(tmp_path, descriptors=1) as sidecar:
        sidecar.settle()
        sidecar.pass_time(90)
        append(tmp_path / "logs/other.log", ["takes the only descriptor"])
        sidecar.settle()
        while str(log) in sidecar.open_files():  # it is looked at less often than the other
            sidecar.step()
        log.unlink()
        sidecar.pass_time(20)
        assert sidecar.messages("app.log") == ["read"]
        assert sidecar.totals.bytes_gone == len("unfinished")
        assert sidecar.status()["backlog"]["bytes"] == 0


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("pause", [0.0, 0.3, 20.0])
@pytest.mark.parametrize("count", [1, 3, LONG])
def test_r09_deleted_and_made_again(
    tmp_path: Path, log: Path, down: bool, pause: float, count: int
) -> None:
    """A new file at the path of a deleted one is read from byte 0, whatever its inode number, and
    however long the path was empty.

    Catches: going on at the old position; passing over a known inode number that is done with.
    """
    expected = []
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        for turn in range(4):
            append(log, more := lines(f"turn {turn}", count))
            expected += more
            sidecar.settle()
            if down:
                sidecar.stop(clean=turn % 2 == 0)
            log.unlink()
            if down:
                sidecar.start()
            elif pause:
                sidecar.pass_time(pause, each=0.1)
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == expected


def test_r03_oldest_generation_deleted_before_it_was_seen(tmp_path: Path, log: Path) -> None:
    """Of a file made and deleted between two looks nothing can be known; all others arrive.

    Catches: stopping at a gap in the numbers of generations.
    """
    append(log, ["zero"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        for number in range(1, 5):
            rotate(log, keep=4)
            append(log, [f"generation {number}"])
            age(log, -number)
        log.with_name("app.log.2").unlink()
        sidecar.pass_time(5)
        expected = ["zero", "generation 1", "generation 3", "generation 4"]
        assert sidecar.messages("app.log") == expected
        assert sidecar.fake.streams(GROUP) == ["app.log"]

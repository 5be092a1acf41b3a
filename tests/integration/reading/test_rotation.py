"""Rotation, truncation and identity: the whole pipeline on real files, stepped."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from sidecar.settings import Settings
from tests.integration.delivering.stepped import GROUP, Stepped, settings_for, stepping
from tests.support.fake_destination import FakeDestination

STREAM = "app.log"


@pytest.fixture
def destination() -> FakeDestination:
    """A CloudWatch in memory."""
    return FakeDestination(now_ms=lambda: int(time.time() * 1000))


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """The directory that is read."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.fixture
def settings(tmp_path: Path, logs: Path) -> Settings:
    """Everything under logs/, with arrival times so that streams show the order of delivery."""
    return settings_for(
        tmp_path, logs=[{"include": [f"{logs}/**/*.log"], "timestamp": "arrival", "partial": "1s"}]
    )


def add(path: Path, *lines: str) -> None:
    """Append whole lines."""
    with path.open("a") as file:
        file.write("".join(line + "\n" for line in lines))


def numbered(first: int, last: int) -> list[str]:
    """Lines long enough that a file of them soon has a full fingerprint."""
    return [f"line {number} " + "x" * 80 for number in range(first, last)]


def messages(destination: FakeDestination, stream: str = STREAM) -> list[str]:
    """What CloudWatch shows of the stream: sorted by time, equal times in order of arrival."""
    events = sorted(destination.events(GROUP, stream), key=lambda event: event.timestamp)
    return [event.message for event in events]


def test_r01_rename_and_create(
    settings: Settings, logs: Path, destination: FakeDestination
) -> None:
    """The old file is read to its end, then the new one from byte 0, into one stream.

    Catches: `start = candidate.size` for a new file in `Catalogue._claim`.
    """
    log = logs / STREAM
    add(log, *numbered(0, 50))
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        add(log, *numbered(50, 60))
        log.rename(logs / "app.log.1")
        add(log, *numbered(60, 70))
        sidecar.ship()
    assert messages(destination) == numbered(0, 70)


def test_r02_the_writer_goes_on_in_the_renamed_file(
    settings: Settings, logs: Path, destination: FakeDestination
) -> None:
    """Lines written to the old file after its rename arrive.

    Catches: ending a source as soon as it is `leaving`.
    """
    log = logs / STREAM
    add(log, "one")
    with stepping(settings, destination) as sidecar, log.open("a") as held:
        sidecar.ship()
        log.rename(logs / "app.log.1")
        add(log, "new")
        sidecar.ship()
        held.write("late\n")
        held.flush()
        sidecar.ship()
    assert sorted(messages(destination)) == ["late", "new", "one"]


def test_r03_several_rotations_between_two_looks(
    settings: Settings, logs: Path, destination: FakeDestination
) -> None:
    """Files that came and were renamed while nobody looked are found under their new names.

    Catches: `base_names` returning nothing.
    """
    log = logs / STREAM
    add(log, *numbered(0, 10))
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        for generation in range(1, 4):
            for number in range(generation - 1, 0, -1):
                (logs / f"app.log.{number}").rename(logs / f"app.log.{number + 1}")
            log.rename(logs / "app.log.1")
            add(log, *numbered(generation * 10, generation * 10 + 10))
            os.utime(log, (time.time() + generation, time.time() + generation))
        sidecar.ship()
    assert messages(destination) == numbered(0, 40)


@pytest.mark.parametrize("pattern", ["*.log", "*.log*"])
def test_r04_the_rotated_name_in_and_out_of_the_globs(
    tmp_path: Path, logs: Path, destination: FakeDestination, pattern: str
) -> None:
    """A rotated file is drained when its name leaves the globs, and shipped once when it stays.

    Catches: claiming every new name instead of looking its inode up first.
    """
    settings = settings_for(tmp_path, logs=[{"include": [f"{logs}/{pattern}"]}])
    log = logs / STREAM
    add(log, "one", "two")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        add(log, "three")
        log.rename(logs / "app.log.1")
        sidecar.ship()
    assert messages(destination) == ["one", "two", "three"]
    assert list(destination.streams(GROUP)) == [STREAM]


@pytest.mark.parametrize("lines", [2, 100], ids=["shorter", "longer"])
@pytest.mark.parametrize("clean", [True, False])
def test_r05_rotation_while_down(
    settings: Settings, logs: Path, destination: FakeDestination, lines: int, clean: bool
) -> None:
    """A file longer or shorter than the fingerprint goes on under its rotated name.

    Catches: leaving a sibling with a record alone because no include takes it.
    """
    log = logs / STREAM
    add(log, *numbered(0, lines))
    sidecar = Stepped(settings, destination)
    sidecar.ship()
    if clean:
        sidecar.end()
    else:
        sidecar.die()
    add(log, *numbered(lines, lines + 5))
    log.rename(logs / "app.log.1")
    add(log, *numbered(lines + 5, lines + 8))
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
    assert messages(destination) == numbered(0, lines + 8)


def test_r08_deleted_while_reading(
    settings: Settings, logs: Path, destination: FakeDestination
) -> None:
    """The rest of a deleted file is read, and its descriptor let go.

    Catches: closing the descriptor in `Catalogue.vanished`.
    """
    log = logs / STREAM
    add(log, "one")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        add(log, "two")
        log.unlink()
        sidecar.ship()
        sidecar.until(lambda: not sidecar.shipper.intake.catalogue.sources)
    assert messages(destination) == ["one", "two"]


def test_r09_deleted_and_made_again(
    settings: Settings, logs: Path, destination: FakeDestination
) -> None:
    """A new file at the same path is read from byte 0, whatever inode number it gets.

    Catches: keeping `position` when `Changed` is raised.
    """
    log = logs / STREAM
    with stepping(settings, destination) as sidecar:
        for generation in range(5):
            add(log, f"{generation} first", f"{generation} second")
            sidecar.ship()
            log.unlink()
            sidecar.pass_time(0.3, each=0.1)
    expected = [f"{number} {word}" for number in range(5) for word in ("first", "second")]
    assert messages(destination) == expected


@pytest.mark.parametrize("again", ["x", "another, longer than before", "same\n"])
def test_t01_truncated_and_written(
    settings: Settings, logs: Path, destination: FakeDestination, again: str
) -> None:
    """A file truncated to nothing and written anew, to any size, is read from 0.

    Catches: not comparing the bytes before the position (`_same_tail`).
    """
    log = logs / STREAM
    add(log, "old1")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        log.write_text("")
        add(log, again.strip())
        sidecar.pass_time(0.5, each=0.1)
        sidecar.ship()
    assert messages(destination) == ["old1", again.strip()]


@pytest.mark.parametrize("lines", [3, 200], ids=["short", "long"])
@pytest.mark.parametrize("down", [False, True], ids=["running", "down"])
def test_t02_copytruncate(
    settings: Settings, logs: Path, destination: FakeDestination, lines: int, down: bool
) -> None:
    """What was unread at the truncation comes from the copy; nothing arrives twice.

    Catches: `Likeness.NONE` for every file, and `return []` in `_take_rest_from_copy`.
    """
    log = logs / STREAM
    add(log, *numbered(0, lines))
    sidecar = Stepped(settings, destination)
    sidecar.ship()
    if down:
        sidecar.die()
    add(log, *numbered(lines, lines + 3))
    shutil.copy(log, logs / "app.log.1")
    os.truncate(log, 0)
    add(log, *numbered(lines + 3, lines + 5))
    if down:
        sidecar = Stepped(settings, destination)
    sidecar.pass_time(0.5, each=0.1)
    sidecar.ship()
    sidecar.end()
    assert messages(destination) == numbered(0, lines + 5)


def test_t04_a_size_that_looks_smaller_for_a_moment(
    settings: Settings, logs: Path, destination: FakeDestination, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stale size is confirmed by a fresh look before it is believed.

    Catches: `return Turn(verdict=Verdict.REPLACED)` at the first smaller size.
    """
    log = logs / STREAM
    add(log, "one", "two")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        true = os.fstat

        def smaller(descriptor: int) -> os.stat_result:
            seen = true(descriptor)
            values = list(seen)
            values[6] = min(values[6], 2)
            return os.stat_result(values)

        monkeypatch.setattr("sidecar.sources.tailer.os.fstat", smaller)
        sidecar.step(2.0)
        monkeypatch.setattr("sidecar.sources.tailer.os.fstat", true)
        add(log, "three")
        sidecar.ship()
        assert sidecar.totals.truncations == 0
    assert messages(destination) == ["one", "two", "three"]


def test_i01_alike_files_are_two_sources(
    settings: Settings, logs: Path, destination: FakeDestination
) -> None:
    """Two empty files, and two with the same first kilobyte, are shipped each for itself.

    Catches: looking sources up by fingerprint alone.
    """
    for name in ("a.log", "b.log"):
        (logs / name).touch()
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        for name in ("a.log", "b.log"):
            add(logs / name, *numbered(0, 20), name)
        sidecar.ship()
    for name in ("a.log", "b.log"):
        assert messages(destination, name) == [*numbered(0, 20), name]


def test_i02_a_small_file_keeps_its_identity_while_it_grows(
    settings: Settings, logs: Path, destination: FakeDestination
) -> None:
    """Growing line by line over restarts, nothing is read twice.

    Catches: comparing whole fingerprints rather than the known beginning.
    """
    for number in range(5):
        add(logs / STREAM, f"line {number}")
        sidecar = Stepped(settings, destination)
        sidecar.ship()
        sidecar.die()
    assert messages(destination) == [f"line {number}" for number in range(5)]


def test_i04_moved_between_directories(
    settings: Settings, logs: Path, destination: FakeDestination
) -> None:
    """A file moved to another watched directory goes on in its stream.

    Catches: forgetting a source as soon as its name is gone.
    """
    (logs / "old").mkdir()
    (logs / "new").mkdir()
    log = logs / "old" / STREAM
    add(log, "one")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        log.rename(logs / "new" / STREAM)
        add(logs / "new" / STREAM, "two")
        sidecar.ship()
    assert messages(destination, "old/app.log") == ["one", "two"]

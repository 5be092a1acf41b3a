"""`delete_after`: what may be removed, when, and everything for which a file is left alone."""

from __future__ import annotations

import errno
import gzip
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sidecar.delivery.destination import Accepted
from sidecar.model.journal import TaskKnown
from sidecar.registry.members import Member
from sidecar.sources import unlinking
from tests.support.shipping import Shipping, append, lines

HOUR = 3600.0

FIRST = lines("first", 200)
"""Longer than a fingerprint, so that the marker has something to tell."""


class Keeping(Shipping):
    """A sidecar with `delete_after: 1h`, whose wall clock a test can move."""

    def __init__(self, volume: Path, **more: Any) -> None:
        self.ahead = 0.0
        entry = {"delete_after": "1h"} | more.pop("entry", {})
        super().__init__(volume, entry=entry, **more)
        self.fake.now_ms = lambda: int(self._wall() * 1000)

    def _wall(self) -> float:
        return time.time() + self.ahead

    def _begin(self) -> None:
        super()._begin()
        self.shipper._wall_clock = self._wall

    def let_pass(self, seconds: float) -> None:
        """On both clocks; what must not be in the past is written afterwards."""
        self.ahead += seconds
        self.pass_time(seconds, each=seconds / 20)

    def write(self, path: Path, content: str | bytes | list[str]) -> None:
        """Append now, by the moved clock: a file system stamps with the same time."""
        append(path, content)
        os.utime(path, (self._wall(), self._wall()))


def rotated(sidecar: Keeping, *, log: str = "a.log") -> Path:
    """Ship a log, rotate it, let its writer go on, ship that; gives the rotated file's path."""
    path = sidecar.logs / log
    sidecar.write(path, FIRST)
    sidecar.settle()
    away = path.with_name(path.name + ".1")
    path.rename(away)
    sidecar.write(path, lines("second", 50))
    sidecar.pass_time(5, each=0.5)
    assert sidecar.messages(log) == FIRST + lines("second", 50)
    return away


def test_removed_so_long_after_full_acknowledgement(tmp_path: Path) -> None:
    """A rotated file goes when delete_after has passed since its last byte was acknowledged, and
    not before; its successor stays, it is counted, and nothing is told as lost or shipped again.

    Catches: counting from the rotation; removing what is not rotated; minutes for seconds.
    """
    with Keeping(tmp_path) as sidecar:
        away = rotated(sidecar)
        sidecar.let_pass(HOUR - 60)
        assert away.exists()
        sidecar.let_pass(10 * 60)
        assert not away.exists()
        assert (tmp_path / "logs" / "a.log").exists()
        assert sidecar.status()["totals"]["files_deleted"] == 1
        assert sidecar.status()["totals"]["bytes_gone"] == 0
        sidecar.restart()
        sidecar.settle()
        assert sidecar.messages("a.log") == FIRST + lines("second", 50)


def test_never_without_the_setting(tmp_path: Path) -> None:
    """Without delete_after nothing is ever removed.

    Catches: a default other than never.
    """
    with Keeping(tmp_path, entry={"delete_after": None}) as sidecar:
        away = rotated(sidecar)
        sidecar.let_pass(1000 * HOUR)
        assert away.exists()


@pytest.mark.parametrize("clean", [True, False])
def test_the_time_of_acknowledgement_outlives_restarts(tmp_path: Path, *, clean: bool) -> None:
    """Restarts neither forget since when a file is acknowledged nor begin to count anew.

    Catches: keeping that time in memory only, or in the journal and not in the snapshot.
    """
    with Keeping(tmp_path) as sidecar:
        away = rotated(sidecar)
        for _ in range(3):
            sidecar.let_pass(HOUR / 3 - 60)
            sidecar.restart(clean=clean)
        assert away.exists()
        sidecar.let_pass(10 * 60)
        assert not away.exists()


def test_not_before_it_is_acknowledged(tmp_path: Path) -> None:
    """While CloudWatch is down nothing is removed, however old it is; afterwards it counts anew.

    Catches: counting from when the file was read.
    """
    with Keeping(tmp_path) as sidecar:
        path = sidecar.logs / "a.log"
        sidecar.write(path, FIRST)
        sidecar.settle()
        sidecar.fake.down = True
        sidecar.write(path, lines("more", 50))
        away = path.with_name("a.log.1")
        path.rename(away)
        sidecar.write(path, lines("second", 50))
        for _ in range(60):
            sidecar.ahead += HOUR / 10
            sidecar.step(5)
        assert away.exists()
        sidecar.fake.down = False
        sidecar.pass_time(20, each=0.5)
        sidecar.let_pass(HOUR - 120)
        assert away.exists()
        sidecar.let_pass(10 * 60)
        assert not away.exists()


def test_what_cloudwatch_refused_is_kept(tmp_path: Path) -> None:
    """A file with a dead-lettered line is not fully acknowledged, and is not removed.

    Catches: taking settled for acknowledged.
    """
    with Keeping(tmp_path) as sidecar:
        sidecar.fake.poison = "poisoned"
        path = sidecar.logs / "a.log"
        sidecar.write(path, ["good", "poisoned", "good too"])
        sidecar.settle()
        away = path.with_name("a.log.1")
        path.rename(away)
        sidecar.write(path, lines("second", 5))
        sidecar.pass_time(5, each=0.5)
        assert sidecar.totals.events_rejected == 1
        sidecar.let_pass(10 * HOUR)
        assert away.exists()


def no_successor(sidecar: Keeping, away: Path) -> None:
    (sidecar.logs / "a.log").unlink()


def empty_successor(sidecar: Keeping, away: Path) -> None:
    os.truncate(sidecar.logs / "a.log", 0)


def older_successor(sidecar: Keeping, away: Path) -> None:
    os.utime(sidecar.logs / "a.log", (1_700_000_000, 1_700_000_000))


def touched(sidecar: Keeping, away: Path) -> None:
    later = time.time() + HOUR + 600
    for path in (away, sidecar.logs / "a.log"):
        os.utime(path, (later, later))


def other_content(sidecar: Keeping, away: Path) -> None:
    """The same inode and size, and the same time: only its bytes tell."""
    seen = away.stat()
    with away.open("r+b") as file:
        file.seek(-8, os.SEEK_END)
        file.write(b"changed\n")
    os.utime(away, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def replaced(sidecar: Keeping, away: Path) -> None:
    seen, content = away.stat(), away.read_bytes()
    away.rename(sidecar.volume / "kept elsewhere")
    away.write_bytes(content)
    os.utime(away, ns=(seen.st_atime_ns, seen.st_mtime_ns))


def link(sidecar: Keeping, away: Path) -> None:
    away.rename(sidecar.volume / "elsewhere")
    away.symlink_to(sidecar.volume / "elsewhere")


@pytest.mark.parametrize(
    "act",
    [no_successor, empty_successor, older_successor, touched, other_content, replaced, link],
    ids=lambda act: act.__name__,
)
def test_left_alone_where_anything_speaks_against_it(
    tmp_path: Path, act: Callable[[Keeping, Path], None]
) -> None:
    """What the last look before a removal finds against it keeps the file: no successor that was
    written to, a later write, other content, another file or a link under the name.

    Catches: dropping any one comparison of that look. The sidecar sees nothing of the change before
    it: the last look stands alone.
    """
    with Keeping(tmp_path) as sidecar:
        away = rotated(sidecar)
        act(sidecar, away)
        sidecar.ahead += HOUR + 60
        for _ in range(5):
            sidecar.now += 600
            sidecar.shipper.intake.removal.step(sidecar.now, int(sidecar._wall() * 1000))
        assert os.path.lexists(away)
        assert sidecar.totals.files_deleted == 0


def test_the_same_look_lets_it_go_when_nothing_does(tmp_path: Path) -> None:
    """The counterpart of the test before: the same steps remove a file that nothing speaks for."""
    with Keeping(tmp_path) as sidecar:
        away = rotated(sidecar)
        sidecar.ahead += HOUR + 60
        sidecar.shipper.intake.removal.step(sidecar.now + 1, int(sidecar._wall() * 1000))
        assert not away.exists()


def test_a_writer_that_has_not_moved_on_is_never_cut_off(tmp_path: Path) -> None:
    """A writer that goes on writing to the rotated file, however seldom, keeps it: each time the
    wait begins anew, and all it writes is shipped.

    Catches: keeping the first time of acknowledgement after the file has grown.
    """
    with Keeping(tmp_path) as sidecar:
        away = rotated(sidecar)
        written = []
        for number in range(5):
            sidecar.let_pass(HOUR * 0.8)
            line = f"late {number}"
            sidecar.write(away, [line])
            written.append(line)
            sidecar.pass_time(120, each=1)
            assert away.exists()
        assert [each for each in sidecar.messages("a.log") if each in written] == written
        sidecar.write(sidecar.logs / "a.log", ["on it goes"])
        sidecar.let_pass(HOUR + 600)
        assert not away.exists()


def test_written_to_in_the_moment_of_the_removal(tmp_path: Path) -> None:
    """Where that happens all the same, it is counted and named, not passed over.

    Catches: leaving out the look after the removal.
    """
    with Keeping(tmp_path) as sidecar:
        away = rotated(sidecar)
        real = os.unlink

        def late(path: Any, **more: Any) -> None:
            if sidecar.settings.state_dir.name not in str(path):
                append(away, "too late\n")
            real(path, **more)

        with mock.patch.object(unlinking.os, "unlink", late):
            sidecar.let_pass(HOUR + 600)
        assert not away.exists()
        assert sidecar.status()["totals"]["bytes_gone"] == len("too late\n")


@pytest.mark.parametrize("when", ["running", "stopped"])
def test_compressed_siblings_go_too(tmp_path: Path, when: str) -> None:
    """A rotated file that was compressed, also while no sidecar ran, and renamed on, is removed as
    the file itself would have been; a compressed file that nobody shipped is left alone.

    Catches: forgetting a source with its file; taking every .gz for acknowledged.
    """
    with Keeping(tmp_path) as sidecar:
        foreign = sidecar.logs / "a.log.7.gz"
        foreign.parent.mkdir()
        foreign.write_bytes(gzip.compress(b"never shipped\n" * 100))
        os.utime(foreign, (1, 1))
        away = rotated(sidecar)
        sidecar.pass_time(120, each=1)
        if when == "stopped":
            sidecar.stop()
        archive = compressed(away)
        if when == "stopped":
            sidecar.start()
        sidecar.pass_time(20, each=0.5)
        archive = archive.rename(archive.with_name("a.log.2.gz"))
        sidecar.let_pass(HOUR - 600)
        sidecar.restart(clean=False)
        assert archive.exists()
        sidecar.let_pass(1200)
        assert not archive.exists()
        assert foreign.exists()
        assert sidecar.messages("a.log") == FIRST + lines("second", 50)


def test_what_is_compressed_while_stopped_is_forgotten_once(tmp_path: Path) -> None:
    """Files that were deleted, and show as archives with the next start, are removed as others are;
    ten minutes on, when what is gone is forgotten, nothing remembers them still.

    Catches: forgetting them in the ledger alone.
    """
    with Keeping(tmp_path) as sidecar:
        both = [rotated(sidecar, log=log) for log in ("a.log", "b.log")]
        archives = [compressed(away) for away in both]
        hidden = [each.rename(tmp_path / each.name) for each in archives]
        sidecar.pass_time(20)
        sidecar.stop()
        for archive, elsewhere in zip(archives, hidden, strict=True):
            elsewhere.rename(archive)
        sidecar.start()
        sidecar.let_pass(HOUR + 600)
        assert not any(archive.exists() for archive in archives)
        for log in ("a.log", "b.log"):
            assert sidecar.messages(log) == FIRST + lines("second", 50)


def compressed(path: Path) -> Path:
    """What gzip does: NAME.gz with the time of the original, which then goes."""
    archive = path.with_name(path.name + ".gz")
    seen = path.stat()
    with path.open("rb") as file, gzip.open(archive, "wb") as out:
        shutil.copyfileobj(file, out)
    os.utime(archive, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    path.unlink()
    return archive


def test_a_copy_of_copytruncate_goes_too(tmp_path: Path) -> None:
    """The copy that holds what was truncated is a rotated file like any other.

    Catches: knowing renamed files alone.
    """
    with Keeping(tmp_path) as sidecar:
        path = sidecar.logs / "a.log"
        sidecar.write(path, FIRST)
        sidecar.settle()
        copy = path.with_name("a.log.1")
        shutil.copy2(path, copy)
        sidecar.settle()
        os.truncate(path, 0)
        sidecar.pass_time(5, each=0.5)
        sidecar.write(path, lines("second", 50))
        sidecar.pass_time(120, each=1)
        sidecar.let_pass(HOUR + 600)
        assert not copy.exists()
        assert path.exists()
        assert sidecar.messages("a.log") == FIRST + lines("second", 50)


@pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.EPERM])
def test_a_volume_that_refuses_is_said_once(
    tmp_path: Path, error: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """A read-only mount keeps everything; once in the log, and in the status, it is said what to
    do; nothing else is disturbed, and it goes on by itself when the volume is writable.

    Catches: a warning an hour; an exception that ends the pump.
    """
    with Keeping(tmp_path) as sidecar:
        away = [rotated(sidecar, log=f"{name}.log") for name in "ab"]
        capfd.readouterr()
        refuse = mock.Mock(side_effect=OSError(error, os.strerror(error)))
        with mock.patch.object(unlinking.os, "unlink", refuse):
            sidecar.let_pass(3 * HOUR)
        assert refuse.call_count > 2
        assert all(each.exists() for each in away)
        assert capfd.readouterr().out.count("file_not_deleted") == 1
        (degraded,) = sidecar.status()["degraded"]
        assert "mount the volume writable" in degraded
        sidecar.let_pass(HOUR)
        assert not any(each.exists() for each in away)
        assert sidecar.status()["degraded"] == []


def test_a_read_only_volume_is_said_at_the_start(tmp_path: Path) -> None:
    """The setting cannot work there, and nobody should wait a week to learn it."""
    with mock.patch("sidecar.sources.removal.os.statvfs") as statvfs:
        statvfs.return_value.f_flag = os.ST_RDONLY
        with Keeping(tmp_path) as sidecar:
            sidecar.settle()
            (degraded,) = sidecar.status()["degraded"]
            assert "mounted read-only" in degraded


def test_names_that_only_look_rotated_are_kept(tmp_path: Path) -> None:
    """A log whose own name ends with a date is no rotated file, whatever its age.

    Catches: going by the name alone.
    """
    with Keeping(tmp_path) as sidecar:
        dated = sidecar.logs / "a-2026-01-01.log"
        numbered = sidecar.logs / "b.log"
        sidecar.write(dated, lines("a", 5))
        sidecar.write(numbered, lines("b", 5))
        sidecar.let_pass(100 * HOUR)
        assert dated.exists()
        assert numbered.exists()


@pytest.mark.parametrize("after", ["emptied by us", "emptied by others"])
def test_empty_directories_of_past_days_and_dead_tasks_go(tmp_path: Path, after: str) -> None:
    """A dated directory, and one of a task that is no more, goes when it is empty; one of a living
    task, of today, of no such name, and the root stay.

    Catches: removing whatever is empty; pruning a living task's directory.
    """
    with Keeping(tmp_path) as sidecar:
        sidecar.shipper.checkpoints.record(TaskKnown("task-dead"))
        alive = Member.join(tmp_path / "state", "task-alive")
        today = time.strftime("%Y-%m-%d")
        gone = ["2020-01-02", "2020/01/03", "task-dead/deep"]
        stay = ["task-alive", "errors", today]
        for name in gone + stay:
            (sidecar.logs / name).mkdir(parents=True)
            if after == "emptied by us" and name != "task-alive":
                rotated(sidecar, log=f"{name}/a.log")
        if after == "emptied by us":
            for name in gone:
                assert (sidecar.logs / name).exists()
            sidecar.let_pass(HOUR + 600)
            for name in gone + stay[1:]:
                assert not (sidecar.logs / name / "a.log.1").exists()
                (sidecar.logs / name / "a.log").unlink()
                os.utime(sidecar.logs / name, (sidecar._wall(), sidecar._wall()))
            sidecar.pass_time(20, each=0.5)
        sidecar.let_pass(HOUR - 900)
        assert all((sidecar.logs / name).exists() for name in gone)
        sidecar.let_pass(1800)
        assert not any((sidecar.logs / name).exists() for name in gone)
        assert not (sidecar.logs / "task-dead").exists()
        assert all((sidecar.logs / name).exists() for name in stay)
        alive.leave()


def test_the_last_empty_directory_goes_with_its_last_file(tmp_path: Path) -> None:
    """A dated directory whose last file was removed is not waited for again."""
    with Keeping(tmp_path) as sidecar:
        away = rotated(sidecar, log="2020-01-02/a.log")
        real = os.unlink

        def together(path: Any, **more: Any) -> None:
            real(path, **more)
            (away.parent / "a.log").unlink()

        with mock.patch.object(unlinking.os, "unlink", together):
            sidecar.let_pass(HOUR + 600)
        assert not away.parent.exists()
        assert sidecar.logs.exists()


def test_a_refusal_in_the_answer_is_no_acknowledgement(tmp_path: Path) -> None:
    """Lines that a 200 refuses for their age are rejected, and keep their file."""
    with Keeping(tmp_path) as sidecar:
        old = "2001-02-03T04:05:06Z too old"
        path = sidecar.logs / "a.log"
        sidecar.fake.script("a.log", Accepted(0, 1))
        sidecar.write(path, [old])
        sidecar.settle()
        away = path.with_name("a.log.1")
        path.rename(away)
        sidecar.write(path, lines("second", 5))
        sidecar.let_pass(10 * HOUR)
        assert away.exists()

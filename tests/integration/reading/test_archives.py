"""R06, R07, R10: copies and archives of rotated files, whatever became of the files themselves."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from pathlib import Path
from unittest import mock

import pytest

from sidecar.sources.identity import archives
from sidecar.sources.opening import open_file
from tests.support.shipping import Shipping, append, everything_is_settled, lines, text

ARRIVAL = {"timestamp": "arrival"}
LONG = 60
"""Lines that make a file longer than the fingerprint's 1,024 bytes; three are shorter."""


def compress(path: Path) -> Path:
    """As gzip does: beside it, with its time, and the file deleted at the end."""
    to = path.with_name(path.name + ".gz")
    seen = path.stat()
    to.write_bytes(gzip.compress(path.read_bytes()))
    os.utime(to, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    path.unlink()
    return to


def rotate(log: Path) -> Path:
    """Rename NAME to NAME.1, and older ones on; gives the path of the youngest."""
    for number in range(8, 0, -1):
        for suffix in ("", ".gz"):
            old = log.with_name(f"{log.name}.{number}{suffix}")
            if old.exists():
                old.rename(log.with_name(f"{log.name}.{number + 1}{suffix}"))
    rotated = log.with_name(log.name + ".1")
    log.rename(rotated)
    return rotated


@pytest.mark.parametrize("count", [3, LONG])
@pytest.mark.parametrize("clean", [False, True])
def test_r10_rest_comes_from_the_archive(
    tmp_path: Path, log: Path, count: int, clean: bool
) -> None:
    """A file begun, then rotated and compressed while the sidecar is down: the rest comes from the
    archive, once, in the same stream; later starts ship nothing of it again.

    Catches: passing over names that end in .gz; reading an archive from its beginning.
    """
    append(log, lines("begun", count))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        sidecar.stop(clean=clean)
        append(log, lines("rest", count))
        compress(rotate(log))
        append(log, lines("new", count))
        sidecar.start()
        sidecar.pass_time(5)
        expected = lines("begun", count) + lines("rest", count) + lines("new", count)
        assert sidecar.messages("app.log") == expected
        assert sidecar.streams() == ["app.log"]
        everything_is_settled(sidecar.status(), len(text(expected)))
        for clean_again in (True, False):
            rotate(log)
            append(log, ["more"])
            sidecar.restart(clean=clean_again)
            sidecar.pass_time(12)
        assert sidecar.messages("app.log") == [*expected, "more", "more"]


@pytest.mark.parametrize("delay", [False, True])
def test_r10_archives_made_while_down_bring_what_was_written(
    tmp_path: Path, log: Path, delay: bool
) -> None:
    """Several generations written, rotated and compressed while the sidecar is down, each the last
    but one with delaycompress: all are shipped, in the order in which they were written.

    Catches: taking up an archive only where its beginning was read before.
    """
    append(log, ["begun"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        sidecar.stop()
        expected = ["begun"]
        for generation in range(4):
            append(log, more := lines(f"generation {generation}", 30))
            expected += more
            then = time.time() + 10 + generation
            os.utime(log, (then, then))
            rotated = rotate(log)
            if delay:
                rotated = log.with_name("app.log.2")
            if rotated.exists():
                compress(rotated)
        append(log, ["newest"])
        os.utime(log, (then + 1, then + 1))
        sidecar.start()
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == [*expected, "newest"]
        assert sidecar.streams() == ["app.log"]


@pytest.mark.parametrize("keep", [False, True])
def test_r10_archive_of_what_was_read_is_not_shipped(tmp_path: Path, log: Path, keep: bool) -> None:
    """A rotated file read to its end is compressed, with the file kept or not: nothing comes
    twice, then, after the archive is renamed, and after restarts.

    Catches: forgetting a source together with its file; claiming an archive that is unknown.
    """
    append(log, lines("a", LONG))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        rotated = rotate(log)
        append(log, ["new"])
        sidecar.pass_time(12)
        kept = rotated.read_bytes()
        compress(rotated)
        if keep:
            rotated.write_bytes(kept)
            os.utime(rotated, (1, 1))
        sidecar.pass_time(12)
        rotate(log)
        append(log, ["newer"])
        for clean in (True, False):
            sidecar.pass_time(12)
            sidecar.restart(clean=clean)
        sidecar.pass_time(12)
        assert sidecar.messages("app.log") == [*lines("a", LONG), "new", "newer"]


def test_i03_archive_with_the_number_of_an_empty_file(tmp_path: Path, log: Path) -> None:
    """While the sidecar is down the empty file is deleted, and its inode number goes to the archive
    of another: that is not the empty file grown.

    Catches: an archive taken for whatever had its number and no content yet.
    """
    append(log, lines("a", LONG))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        rotated = rotate(log)
        append(log, [])
        sidecar.pass_time(12)
        sidecar.stop()
        number = log.stat().st_ino
        content = gzip.compress(rotated.read_bytes())
        rotated.unlink()
        log.rename(rotated.with_name("app.log.1.gz")).write_bytes(content)
        assert log.with_name("app.log.1.gz").stat().st_ino == number
        sidecar.start()
        sidecar.pass_time(12)
        assert sidecar.messages("app.log") == lines("a", LONG)


def test_r10_archive_of_a_file_that_is_open_and_not_read_yet(tmp_path: Path, log: Path) -> None:
    """A file that was empty when it was found and could not be read since, for want of room, is
    read through its descriptor; its archive, which came meanwhile, holds nothing new.

    Catches: comparing an archive with those sources only of which something was read.
    """
    append(log, [])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        assert str(log) in sidecar.open_files()
        with mock.patch.object(sidecar.shipper, "_has_room", return_value=False):
            append(log, lines("a", LONG))
            compress(rotate(log))
            append(log, ["after"])
            for _ in range(30):
                sidecar.step()
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == [*lines("a", LONG), "after"]


def test_r10_unfinished_archive_waits(tmp_path: Path, log: Path) -> None:
    """An archive that is being written is left until it is whole; nothing of it comes twice.

    Catches: reading an archive that ends before its content does.
    """
    append(log, ["begun"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        sidecar.stop()
        append(log, lines("rest", LONG))
        archive = compress(rotate(log))
        whole = archive.read_bytes()
        archive.write_bytes(whole[: len(whole) // 2])
        sidecar.start()
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == ["begun"]
        archive.write_bytes(whole)
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == ["begun", *lines("rest", LONG)]


def test_r10_damaged_archive_gives_what_it_holds(tmp_path: Path, log: Path) -> None:
    """An archive that stays cut is named, and what can be read of it is shipped; others go on.

    Catches: waiting for ever for the end of an archive.
    """
    append(log, ["begun"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        sidecar.stop()
        append(log, rest := lines("rest " + os.urandom(8).hex(), 50_000))
        archive = compress(rotate(log))
        archive.write_bytes(archive.read_bytes()[:-4_000])
        sidecar.start()
        sidecar.pass_time(2 * archives.DAMAGE_PATIENCE)
        messages = sidecar.messages("app.log")
        assert messages[:1_001] == ["begun", *rest[:1_000]]
        assert len(messages) < 50_001


@pytest.mark.parametrize("clean", [False, True])
def test_r10_restart_in_the_middle_of_an_archive(
    tmp_path: Path, log: Path, clean: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stop while an archive is half read, clean or not: it is read on where it stood.

    Catches: offsets of the compressed bytes in the checkpoint.
    """
    monkeypatch.setattr("sidecar.sources.reading.READ_BYTES", 4_096)
    append(log, ["begun"])
    with Shipping(tmp_path, entry=ARRIVAL, drain={"deadline": "300ms"}) as sidecar:
        sidecar.settle()
        sidecar.stop()
        append(log, lines("rest", 10_000))
        compress(rotate(log))
        sidecar.start()
        while len(sidecar.messages("app.log")) < 2_000:
            sidecar.step()
        doubts = 0 if clean else sidecar.shipper.delivery.under_way
        sidecar.restart(clean=clean)
        sidecar.settle()
        messages = sidecar.messages("app.log")
        counted = sidecar.totals.possible_duplicates
        assert set(messages) == {"begun", *lines("rest", 10_000)}
        assert len(messages) - 10_001 <= counted, doubts


@pytest.mark.parametrize("how", ["appended", "made anew"])
@pytest.mark.parametrize("down", [False, True])
def test_r10_archive_that_becomes_longer(tmp_path: Path, log: Path, how: str, down: bool) -> None:
    """An archive that was read, and is appended to or made anew with more in it: what is new of it
    is shipped, once.

    Catches: an archive that is looked through once and for all; its beginning read again.
    """
    append(log, ["live"])
    archive = log.with_name("app.log.1.gz")
    with Shipping(tmp_path, entry=ARRIVAL | {"partial": "2s"}) as sidecar:
        sidecar.settle()
        expected: list[str] = []
        for part in ("one", "two", "three"):
            if down:
                sidecar.stop(clean=False)
            expected += lines(part, LONG)
            if how == "appended":
                with archive.open("ab") as file:
                    file.write(gzip.compress(text(lines(part, LONG)).encode()))
            else:
                (tmp_path / "new").write_bytes(gzip.compress(text(expected).encode()))
                (tmp_path / "new").replace(archive)
            if down:
                sidecar.start()
            sidecar.pass_time(20)
            assert sorted(sidecar.messages("app.log")) == sorted(["live", *expected])
        assert sidecar.messages("app.log") == ["live", *expected]
        assert sidecar.status()["backlog"]["bytes"] == 0


@pytest.mark.parametrize("included", [False, True])
def test_r05_archives_older_than_the_state_directory(
    tmp_path: Path, log: Path, included: bool
) -> None:
    """An archive from before the state directory was made is left alone, unless an include matches
    it: then it is shipped decompressed.

    Catches: shipping the compressed bytes; judging an archive by the time it was found.
    """
    old = log.with_name("app.log.1")
    append(old, ["from before"])
    os.utime(old, (time.time() - 86_400, time.time() - 86_400))
    compress(old)
    append(log, ["now"])
    entry = {"include": [f"{log.parent}/*.log*" if included else f"{log.parent}/*.log"]}
    with Shipping(tmp_path, entry=entry | ARRIVAL) as sidecar:
        sidecar.pass_time(3)
        sidecar.restart()
        sidecar.pass_time(3)
        assert sidecar.messages("app.log") == (["from before", "now"] if included else ["now"])


def take_away(log: Path, names: str, by: str, generation: int) -> None:
    """One rotation of the file by the scheme."""
    to = log.with_name(f"app.log-20261127-{generation:010d}")
    if names == "sequential":
        for number in range(8, 0, -1):
            old = log.with_name(f"app.log.{number}")
            if old.exists():
                old.rename(log.with_name(f"app.log.{number + 1}"))
        to = log.with_name("app.log.1")
    if by == "rename":
        log.rename(to)
    else:
        shutil.copy2(log, to)
        os.truncate(log, 0)


@pytest.mark.parametrize("names", ["sequential", "time-stamped"])
@pytest.mark.parametrize("oldest", ["kept", "deleted"])
@pytest.mark.parametrize("by", ["rename", "copytruncate"])
@pytest.mark.parametrize("down", [False, True])
def test_r06_every_scheme(
    tmp_path: Path, log: Path, names: str, oldest: str, by: str, down: bool
) -> None:
    """Each scheme of names, of keeping and of taking the file away, while the sidecar looks on or
    is down for two rotations: everything that lies there arrives once.

    Catches: knowing one kind of name alone; taking a copy for a new file.
    """
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        expected = []
        for generation in range(3):
            append(log, more := lines(f"read {generation}", 20))
            sidecar.settle()
            if down:
                sidecar.stop(clean=generation % 2 == 0)
            for rest in range(2):
                append(log, unread := lines(f"unread {generation} {rest}", 5))
                more += unread
                take_away(log, names, by, 2 * generation + rest)
                if not down:
                    sidecar.settle()
            if down:
                sidecar.start()
            sidecar.settle()
            expected += more
            rotated = sorted(log.parent.glob("app.log[.-]*"), key=os.path.getmtime)
            for each in rotated[:-2] if oldest == "deleted" else []:
                each.unlink()
        sidecar.pass_time(12)
        assert sorted(sidecar.messages("app.log")) == sorted(expected)
        assert sidecar.streams() == ["app.log"]


@pytest.mark.parametrize("by", ["rename", "copytruncate", "compress"])
def test_r07_rotation_while_cloudwatch_is_unreachable(tmp_path: Path, log: Path, by: str) -> None:
    """Rotations in an outage: what was read and not delivered, and what was not even read, arrives
    once it is over, in order.

    Catches: letting go of a rotated file before its bytes are settled.
    """
    append(log, expected := lines("before", 10))
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        sidecar.fake.down = True
        for generation in range(4):
            append(log, more := lines(f"generation {generation}", 30))
            expected += more
            for _ in range(10):
                sidecar.step(1.0)
            if by == "copytruncate":
                shutil.copy2(log, log.with_name(f"app.log.{9 - generation}"))
                os.truncate(log, 0)
            else:
                rotated = rotate(log)
                if by == "compress":
                    compress(rotated)
        sidecar.fake.down = False
        sidecar.pass_time(20)
        assert sidecar.messages("app.log") == expected
        assert sidecar.totals.bytes_gone == 0


@pytest.mark.parametrize("compressed", [False, True])
def test_r03_names_move_between_a_scan_and_an_open(
    tmp_path: Path, log: Path, compressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotation renames files after a scan saw their names and before they are opened: each is
    read for what it is, once, also when the names move on again.

    Catches: knowing a file by the number its name had in a scan that is over.
    """
    append(log, ["begun"])
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        expected = ["begun"]
        for generation in range(3):
            append(log, more := lines(f"generation {generation}", 30))
            expected += more
            rotated = rotate(log)
            if compressed:
                compress(rotated)
            append(log, [f"new {generation}"])
            expected += [f"new {generation}"]
        moved: list[bool] = []

        def late(path: str) -> int:
            if not moved and path.startswith(f"{log}.2"):
                moved.append(True)
                rotate(log)
            return open_file(path)

        module = "archives" if compressed else "candidate"
        monkeypatch.setattr(f"sidecar.sources.identity.{module}.open_file", late)
        sidecar.pass_time(3)
        assert moved
        append(log, ["end"])
        sidecar.pass_time(12)
        assert sorted(sidecar.messages("app.log")) == sorted([*expected, "end"])
        sidecar.restart()
        sidecar.pass_time(12)
        assert sorted(sidecar.messages("app.log")) == sorted([*expected, "end"])

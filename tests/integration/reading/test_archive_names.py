"""R06, R10: archives under other names than NAME.N.gz, and in other directories."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from tests.support.shipping import Shipping, append, lines

ARRIVAL = {"timestamp": "arrival"}
LONG = 60
"""Lines that make a file longer than the fingerprint's 1,024 bytes; three are shorter."""


def archived(log: Path, name: str) -> Path:
    """Rename aside, compress to `name`, and delete, as log4j2 and logback do."""
    aside = log.rename(log.with_name(f"{log.name}123.tmp"))
    to = log.parent / name
    to.parent.mkdir(exist_ok=True)
    seen = aside.stat()
    to.write_bytes(gzip.compress(aside.read_bytes()))
    os.utime(to, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    aside.unlink()
    return to


BESIDE = ["app.2026-11-27.{}.log.gz", "app-{}.log.gz", "app-2026112{}.log.gz"]
ELSEWHERE = ["old/app.log.{}.gz", "old/app-2026112{}.log.gz"]


@pytest.mark.parametrize("clean", [None, True, False])
@pytest.mark.parametrize(
    ("name", "count"),
    [(name, count) for name in BESIDE for count in (3, LONG)]
    + [(name, 3 * LONG) for name in ELSEWHERE],
)
def test_r10_archive_with_the_number_before_the_extension_or_elsewhere(
    tmp_path: Path, log: Path, name: str, count: int, clean: bool | None
) -> None:
    """The forms of log4j2, logback and logrotate's `extension` and `olddir`: what was read of the
    file is not shipped again from its archive, the rest is, once, in the same stream; while the
    sidecar runs (`clean` is None), and over a stop.

    Catches: archives known by NAME.N.gz and NAME-DATE.gz alone, or in the same directory alone.
    """
    append(log, lines("begun", count))
    expected = lines("begun", count)
    with Shipping(tmp_path, entry=ARRIVAL | {"partial": "2s"}) as sidecar:
        sidecar.settle()
        for number in range(3):
            if clean is not None:
                sidecar.stop(clean=clean)
            append(log, lines(f"rest {number}", count))
            archived(log, name.format(number))
            append(log, lines(f"new {number}", count))
            expected += lines(f"rest {number}", count) + lines(f"new {number}", count)
            if clean is not None:
                sidecar.start()
            sidecar.pass_time(20)
            assert sorted(sidecar.messages("app.log")) == sorted(expected)
        for _ in range(2):
            sidecar.restart()
            sidecar.pass_time(20)
        assert sidecar.streams() == ["app.log"]
        assert sorted(sidecar.messages("app.log")) == sorted(expected)
        assert sidecar.status()["backlog"]["bytes"] == 0


@pytest.mark.parametrize("name", BESIDE)
def test_r10_archive_of_a_file_that_is_included_by_its_name(
    tmp_path: Path, log: Path, name: str
) -> None:
    """An include without a wildcard takes them too: what was written while the sidecar was down is
    found in the archive.

    Catches: the archive's own name asked for alone.
    """
    append(log, lines("begun", LONG))
    with Shipping(tmp_path, entry=ARRIVAL | {"include": [str(log)]}) as sidecar:
        sidecar.settle()
        sidecar.stop()
        append(log, lines("rest", LONG))
        archived(log, name.format(1))
        append(log, ["new"])
        sidecar.start()
        sidecar.pass_time(20)
        assert sidecar.messages("app.log") == [*lines("begun", LONG), *lines("rest", LONG), "new"]


@pytest.mark.parametrize("name", ["app.log.1.gz", *BESIDE, ELSEWHERE[0]])
def test_r10_what_is_open_and_has_no_name_is_read_before_its_successor(
    tmp_path: Path, log: Path, name: str
) -> None:
    """A file of many reads is compressed and deleted while it is read: the rest of it comes before
    the new file's lines, which have no times of their own to be put in order by.

    Catches: newer files of a stream that wait only for those that have a name.
    """
    old, new = lines("old " + "x" * 200, 20_000), lines("new", 50)
    append(log, old)
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.step()
        sidecar.step()
        archived(log, name.format(1))
        append(log, new)
        sidecar.pass_time(20)
        assert sidecar.messages("app.log") == [*old, *new]


def test_i01_archive_elsewhere_of_a_file_that_begins_alike(tmp_path: Path) -> None:
    """Two tasks' logs begin with the same kilobytes, of which one was not written on: the archive
    of the other, in another directory, is not taken for that one's.

    Catches: an archive known by its beginning alone, while the file that it is taken for is there.
    """
    banner = lines("banner", 3 * LONG)
    idle, busy = tmp_path / "logs/x/app.log", tmp_path / "logs/y/app.log"
    append(busy, banner)
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        append(idle, banner)
        sidecar.pass_time(5)
        sidecar.stop()
        append(busy, lines("busy", LONG))
        archived(busy, "old/app.log.1.gz")
        append(busy, ["new"])
        sidecar.start()
        sidecar.pass_time(20)
        append(idle, ["idle"])
        sidecar.pass_time(20)
        assert sidecar.messages("x/app.log") == [*banner, "idle"]
        shipped = [message for name in sidecar.streams() for message in sidecar.messages(name)]
        wanted = [*banner, "idle", *banner, *lines("busy", LONG), "new"]
        assert sorted(shipped) == sorted(wanted)


def test_r03_what_was_not_seen_to_grow_is_read_before_its_successor(
    tmp_path: Path, log: Path
) -> None:
    """Two files wait for an older one that takes many reads. The first was empty when it was found
    and has grown unseen: it is read before the second all the same.

    Catches: the order of a stream judged by sizes that were seen before the wait.
    """
    first, second, third = (lines(f"{name} " + "x" * 200, 20_000) for name in "abc")
    append(log, first)
    with Shipping(tmp_path, entry={"timestamp": "arrival"}) as sidecar:
        sidecar.step()
        sidecar.step()
        log.rename(tmp_path / "logs/app.log.1")
        append(log, "")
        sidecar.step(1.0)
        sidecar.step(1.0)
        append(log, second)
        (tmp_path / "logs/app.log.1").rename(tmp_path / "logs/app.log.2")
        log.rename(tmp_path / "logs/app.log.1")
        append(log, third)
        sidecar.pass_time(20)
        assert sidecar.messages("app.log") == [*first, *second, *third]

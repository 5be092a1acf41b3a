"""C02: what an earlier process had under way is passed over, wherever reading goes on after it."""

from __future__ import annotations

import gzip
import os
from array import array
from collections import Counter
from pathlib import Path

import pytest

from sidecar.model.digest import Events, checksums, distinct, pack
from sidecar.model.journal import IntentSent, IntentSpan, SourceClaimed
from sidecar.registry.journal_file import JournalFile
from sidecar.registry.members import Member
from sidecar.sources.identity import inspection
from tests.integration.delivering.asking import Asked, now_ms
from tests.integration.delivering.stepped import GROUP, Stepped, append, settings_for, stepping
from tests.integration.delivering.test_after_a_crash import killed_under_way, shipped_before


def _intent(batch: int, lines: list[str], start: int) -> IntentSent:
    """What a member of the past notes before it sends these lines of source 1, all of one time."""
    count, length, at = len(lines), len(lines[0]), now_ms()
    starts = array("q", range(start, start + count * length, length))
    events = Events(
        array("q", [at] * count),
        checksums([line.rstrip("\n") for line in lines]),
        array("q", [1] * count),
        starts,
        array("q", [each + length for each in starts]),
    )
    span = IntentSpan(1, start, start + count * length)
    return IntentSent(
        batch, GROUP, "a.log", (span,), count, at, at, 0, False, at, pack(events), distinct(events)
    )


def test_c02_a_file_given_up_and_found_again_is_read_on(tmp_path: Path) -> None:
    """A file that cannot be found any more is given up with bytes of unknown outcome in it; when
    it is back, only what was written since is read.

    Catches: keeping the ranges to pass over of a file that was given up, which then lie before
    the position: a read of a negative length, and a source that is stuck for good.
    """
    destination = Asked()
    logs = tmp_path / "logs"
    path, other = logs / "a.log", logs / "b.log"
    settings = settings_for(tmp_path, delivery={"memory": "1MiB"})
    shipped_before(settings, destination, path, "before\n")
    shipped_before(settings, destination, other, "other\n")
    killed_under_way(settings, destination, "request", lambda: append(path, "unknown\n"))
    append(other, "x" * 20_000 + "\n")
    os.utime(other, (1_000_000_000, 1_000_000_000))  # the older file is read first
    append(path, "rest\n")
    with stepping(settings, destination) as sidecar:
        # The outage leaves no room for a.log: it is known, and nothing of it is read.
        destination.down = True
        sidecar.step()
        away = path.rename(tmp_path / "away.log")
        sidecar.until(lambda: sidecar.totals.bytes_gone == len("rest\n"))
        away.rename(path)
        append(path, "more\n")
        destination.down = False
        sidecar.ship()
        assert sidecar.source("a.log")["state"] != "stuck"
        assert sidecar.totals.possible_duplicates == 0

    stored = Counter(destination.messages(GROUP, "a.log"))
    assert stored == Counter(["before", "unknown", "more"])


def test_c02_ranges_that_overlap_are_passed_over_as_one(tmp_path: Path) -> None:
    """Two requests of a dead member have bytes in common: neither is read before both are known.

    Catches: going back to the start of the second range from the end of the first.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    lines = [f"line {number:04d}\n" for number in range(300)]
    append(path, "".join(lines))
    dead = Member.join(settings.state_dir, "dead")
    journal = JournalFile(dead.directory, member=dead.id, at_ms=now_ms())
    inode = path.stat().st_ino
    journal.append(
        SourceClaimed(1, str(path.parent), str(path), inode, GROUP, "a.log", "dead", 0, 0, 1)
    )
    for batch, first, last in ((1, 100, 300), (2, 100, 150), (3, 120, 200)):
        journal.append(_intent(batch, lines[first:last], first * len(lines[0])))
    journal.sync(0.0)
    journal.close()
    dead.leave()
    destination.down = True
    with stepping(settings, destination) as sidecar:
        sidecar.pass_time(2.0)
        assert sidecar.source("a.log")["state"] != "stuck"
        destination.down = False
        sidecar.ship()
        assert sidecar.source("a.log")["acknowledged"] == path.stat().st_size

    assert set(destination.messages(GROUP, "a.log")) == {line.strip() for line in lines}


@pytest.mark.parametrize("from_archive", [False, True])
def test_c02_an_outcome_may_come_in_while_an_archive_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_archive: bool
) -> None:
    """A file was compressed, and a request of its lines, read from the file or from the archive
    already, is resolved while the archive is looked through again: the checkpoint moves.

    Catches: asking what was kept of the archive for bytes before a checkpoint that is newer.
    """
    monkeypatch.setattr(inspection, "SLICE_BYTES", 4096)
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    rest = [f"rest {number:06d}" for number in range(20_000)]

    def compress() -> None:
        append(path, "".join(f"{line}\n" for line in rest))
        with gzip.open(path.with_name("a.log.1.gz"), "wb") as archive:
            archive.write(path.read_bytes())
        path.unlink()

    shipped_before(settings, destination, path, "before\n")
    append(path, "unknown\n")
    killed_under_way(settings, destination, "reply", compress if from_archive else lambda: None)
    if not from_archive:
        compress()
    with stepping(settings, destination) as sidecar:
        sidecar.until(lambda: sidecar.totals.outcomes_resolved)
        sidecar.until(lambda: "rest 019999" in destination.messages(GROUP, "a.log"))
        sidecar.until(sidecar.settled)
        sidecar.pass_time(2.0)
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == ["before", "unknown", *rest]


def test_c02_what_the_copy_lacks_is_gone(tmp_path: Path) -> None:
    """A request that came to nothing before a kill had lines that were written after the copy was
    made, and before the truncation. What the copy holds of it is sent, the rest counted as gone.

    Catches: looking for the rest in the copy, again and again, as if that were truncated.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    before = "".join(f"before {number:06d}\n" for number in range(100))
    shipped_before(settings, destination, path, before)
    life = Stepped(settings, destination)
    destination.down = True
    append(path, "copied\nlate\n")
    life.until(lambda: any(life.shipper.checkpoints.ledger.owed))
    life.die()
    destination.down = False
    path.with_name("a.log.1").write_text(f"{before}copied\n")
    os.truncate(path, 0)
    append(path, "new\n")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.bytes_gone == len("late\n")

    stored = Counter(destination.messages(GROUP, "a.log"))
    assert stored == Counter([*before.splitlines(), "copied", "new"])

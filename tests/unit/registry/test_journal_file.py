"""Writing the journal, on volumes that fail."""

import errno
import stat
from pathlib import Path

import pytest

from sidecar.model.journal import Entry, Settled, SourceClaimed, encode
from sidecar.model.ledger import Ledger
from sidecar.registry.file_system import FileSystem
from sidecar.registry.journal_file import (
    BUFFER_LIMIT,
    COMPACT_RETRY_SECONDS,
    WRITE_RETRY_SECONDS,
    JournalFile,
)
from sidecar.registry.journal_recovery import load
from tests.unit.entries import claimed, delivered, intent
from tests.unit.registry.faults import FaultyFileSystem, Killed, always, failing, killed_at


class Writer:
    """A member that journals, syncs and compacts by turns, under a clock of its own."""

    def __init__(self, directory: Path, files: FileSystem, **limits: int) -> None:
        self.ledger = Ledger()
        self.now = 0.0
        self.durable = 0
        self.journal = JournalFile(directory, member="m", at_ms=0, files=files, **limits)

    def record(self, entry: Entry) -> None:
        """One thing happened."""
        self.ledger.apply(entry)
        self.journal.append(entry)

    def work(self, steps: int) -> None:
        """Deliver `steps` batches of 10 bytes; sync each second one, compact each fourth."""
        for step in range(1, steps + 1):
            self.now += 10.0
            start = 10 * (step - 1)
            self.record(intent(self.ledger.next_batch, (1, start, start + 10)))
            self.journal.flush(self.now)
            self.record(delivered(1, start, start + 10, batch=self.ledger.next_batch - 1))
            self.journal.flush(self.now)
            if step % 2 == 0 and self.journal.sync(self.now):
                self.durable = start + 10
            if step % 4 == 0 or self.journal.compaction_due(self.now):
                self.journal.compact(self.ledger, self.now, 0)


def started(directory: Path, files: FileSystem, **limits: int) -> Writer:
    """A writer that claimed source 1 and made that durable."""
    writer = Writer(directory, files, **limits)
    writer.record(claimed(1))
    writer.journal.sync(0.0)
    return writer


def acknowledged(directory: Path) -> int:
    """The checkpoint of source 1 as it is on the volume; -1 when nothing is known of it."""
    record = load(directory).ledger.sources.get(1)
    return -1 if record is None else record.acknowledged


def calls_of_a_healthy_run(directory: Path) -> int:
    """How many changing calls nine batches make."""
    directory.mkdir()
    files = FaultyFileSystem()
    writer = started(directory, files)
    files.mend()
    writer.work(9)
    return len(files.calls)


def test_what_was_written_is_loaded(tmp_path: Path) -> None:
    """Through appends and compactions the volume tells what the ledger holds, with no warning."""
    writer = started(tmp_path, FileSystem())
    writer.work(9)
    writer.journal.close()
    loaded = load(tmp_path)
    assert loaded.ledger == writer.ledger
    assert loaded.warnings == []


def test_the_previous_pair_is_kept_and_older_ones_go(tmp_path: Path) -> None:
    """After three compactions two snapshots and their journals are there, readable by the group."""
    writer = started(tmp_path, FileSystem())
    writer.work(12)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["journal.3", "journal.4", "snapshot.3", "snapshot.4"]
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o007 == 0 for path in tmp_path.iterdir())


def test_lines_wait_for_the_flush_and_go_in_one_write(tmp_path: Path) -> None:
    """Appending costs no call; a flush of many lines costs one, and without lines none."""
    files = FaultyFileSystem()
    writer = started(tmp_path, files)
    files.calls.clear()
    for number in range(100):
        writer.record(delivered(1, number, number + 1))
    assert files.calls == []
    assert writer.journal.flush(1.0)
    assert writer.journal.flush(1.0)
    assert files.calls == ["write"]


def test_a_sync_costs_nothing_when_nothing_was_written(tmp_path: Path) -> None:
    """Only lines since the last sync are worth an fsync, each of which EFS bills."""
    files = FaultyFileSystem()
    writer = started(tmp_path, files)
    files.calls.clear()
    assert writer.journal.sync(1.0)
    assert files.calls == []


@pytest.mark.parametrize(
    ("error", "length"),
    [(errno.EIO, 1), (errno.EIO, 3), (errno.ENOSPC, 2), (errno.EROFS, 1000)],
)
def test_c05_a_volume_that_fails_at_any_call_stops_nothing(
    tmp_path: Path, error: int, length: int
) -> None:
    """Wherever one, three or all calls fail, nothing is raised, and afterwards all is written.

    Would catch: `compact` without its `except OSError`, or `_refused` not counting.
    """
    total = calls_of_a_healthy_run(tmp_path / "healthy")
    for first in range(1, total + 1):
        directory = tmp_path / str(first)
        directory.mkdir()
        files = FaultyFileSystem()
        writer = started(directory, files)
        files.break_with(failing(range(first, first + length), error))
        writer.work(9)
        assert writer.journal.failures > 0 or files.calls[first - 1] in ("close", "remove")
        assert acknowledged(directory) <= writer.ledger.sources[1].acknowledged
        files.mend()
        assert mended(writer)
        assert writer.journal.problem is None
        assert load(directory).ledger == writer.ledger


def mended(writer: Writer) -> bool:
    """What the pump does on; whether it ends with all of it on the volume."""
    writer.now += 10.0
    if writer.journal.compaction_due(writer.now):
        writer.journal.compact(writer.ledger, writer.now, 0)
    return writer.journal.sync(writer.now)


def test_c02_a_kill_at_any_call_leaves_a_checkpoint_between_synced_and_true(
    tmp_path: Path,
) -> None:
    """Wherever the process dies, the volume knows all that was synced and nothing that was not.

    Nor is anything of it taken for damaged: with that no unknown outcome could be reconciled.
    Would catch: removing older generations before the new snapshot was renamed into place.
    """
    total = calls_of_a_healthy_run(tmp_path / "healthy")
    for at in range(1, total + 1):
        directory = tmp_path / str(at)
        directory.mkdir()
        files = FaultyFileSystem()
        writer = started(directory, files)
        files.break_with(killed_at(at))
        with pytest.raises(Killed):
            writer.work(9)
        loaded = load(directory)
        record = loaded.ledger.sources[1]
        assert writer.durable <= record.acknowledged <= writer.ledger.sources[1].acknowledged
        assert loaded.warnings == []


def test_c05_after_a_torn_write_the_next_one_starts_on_a_fresh_line(tmp_path: Path) -> None:
    """Half a line on a full volume spoils itself only: the lines after it are read.

    Would catch: `flush` not putting a line feed before what it repeats.
    """
    files = FaultyFileSystem()
    writer = started(tmp_path, files)
    files.break_with(always(errno.ENOSPC, "write"))
    writer.record(delivered(1, 0, 10))
    assert not writer.journal.flush(10.0)
    assert "No space left" in (writer.journal.problem or "")
    assert writer.journal.failures == 1
    files.mend()
    writer.record(delivered(1, 10, 20))
    assert writer.journal.flush(20.0)
    assert writer.journal.problem is None
    loaded = load(tmp_path)
    assert loaded.ledger == writer.ledger
    assert "1 of 5 lines are damaged" in loaded.warnings[0]


def test_a_short_write_is_gone_on_with(tmp_path: Path) -> None:
    """A write that takes a part of the bytes is no failure; the rest follows."""

    class Sparing(FileSystem):
        def write(self, descriptor: int, content: bytes | memoryview) -> int:
            return super().write(descriptor, content[:7])

    writer = started(tmp_path, Sparing())
    writer.work(3)
    loaded = load(tmp_path)
    assert loaded.ledger == writer.ledger
    assert loaded.warnings == []


def test_a_failed_write_is_not_tried_at_once_again(tmp_path: Path) -> None:
    """On a broken volume a pump that flushes each step makes one call a second."""
    files = FaultyFileSystem()
    writer = started(tmp_path, files)
    writer.record(delivered(1, 0, 10))
    files.break_with(always(errno.EIO))
    for step in range(10):
        assert not writer.journal.flush(100.0 + step * WRITE_RETRY_SECONDS / 10)
    assert len(files.calls) == 1
    writer.journal.flush(100.0 + WRITE_RETRY_SECONDS)
    assert len(files.calls) == 2


def test_c05_a_failed_sync_is_never_believed_later(tmp_path: Path) -> None:
    """What an fsync failed on is written anew by a compaction, as the kernel forgets it.

    Would catch: `sync` keeping `_unsynced` and trying the fsync again.
    """
    files = FaultyFileSystem()
    writer = started(tmp_path, files)
    writer.record(delivered(1, 0, 10))
    files.break_with(always(errno.EIO, "sync"))
    assert not writer.journal.sync(1.0)
    files.mend()
    writer.record(delivered(1, 10, 20))
    assert not writer.journal.sync(2.0)
    assert writer.journal.compaction_due(2.0)
    assert writer.journal.compact(writer.ledger, 2.0, 0)
    writer.record(delivered(1, 20, 30))
    assert writer.journal.sync(3.0)
    assert load(tmp_path).ledger == writer.ledger


def test_c05_the_lines_kept_during_an_outage_are_bounded(tmp_path: Path) -> None:
    """Past the bound they make way for one compaction, which brings all of them.

    Would catch: `append` without its look at BUFFER_LIMIT.
    """
    files = FaultyFileSystem()
    writer = started(tmp_path, files)
    files.break_with(always(errno.EROFS))
    many = Settled(None, tuple(delivered(1, n, n + 1).spans[0] for n in range(10_000)))
    line = len(encode(many))
    for _ in range(BUFFER_LIMIT // line + 2):
        writer.record(many)
        writer.journal.flush(10.0)
    assert len(writer.journal._buffer) == 0
    assert not writer.journal.compact(writer.ledger, 20.0, 0)
    assert not writer.journal.compaction_due(20.0)
    assert writer.journal.compaction_due(20.0 + COMPACT_RETRY_SECONDS)
    assert acknowledged(tmp_path) == 0
    files.mend()
    assert writer.journal.compact(writer.ledger, 30.0, 0)
    assert acknowledged(tmp_path) == 10_000


def test_a_rename_whose_reply_was_lost_loses_no_line(tmp_path: Path) -> None:
    """Whether the snapshot came into being or not, later lines follow what is read."""

    class Doubtful(FileSystem):
        def rename(self, old: Path, new: Path) -> None:
            super().rename(old, new)
            raise OSError(errno.EIO, "lost reply")

    writer = started(tmp_path, Doubtful())
    writer.record(delivered(1, 0, 10))
    assert not writer.journal.compact(writer.ledger, 1.0, 0)
    writer.record(delivered(1, 10, 20))
    assert writer.journal.sync(2.0)
    assert load(tmp_path).ledger == writer.ledger


def test_a_journal_is_due_when_it_outgrew_the_limit_and_its_snapshot(tmp_path: Path) -> None:
    """A ledger of many sources is not written out for every few lines."""
    writer = started(tmp_path, FileSystem(), compact_bytes=1000)
    assert not writer.journal.compaction_due(0.0)
    for number in range(2, 40):
        writer.record(claimed(number))
    writer.journal.flush(1.0)
    assert writer.journal.compaction_due(1.0)
    assert writer.journal.compact(writer.ledger, 1.0, 0)
    while writer.journal.bytes <= 1000:
        writer.record(delivered(1, 0, 10))
        writer.journal.flush(1.0)
    assert not writer.journal.compaction_due(1.0)


def test_a_source_claimed_on_a_full_volume_is_known_afterwards(tmp_path: Path) -> None:
    """New sources during an outage are delivered, and their claim is written when it is over."""
    files = FaultyFileSystem()
    writer = started(tmp_path, files)
    files.break_with(always(errno.ENOSPC))
    writer.record(claimed(2))
    assert not writer.journal.sync(10.0)
    files.mend()
    writer.record(delivered(2, 0, 5))
    assert writer.journal.sync(20.0)
    loaded = load(tmp_path).ledger
    assert isinstance(loaded.sources[2].claim, SourceClaimed)
    assert loaded.sources[2].acknowledged == 5

"""The writer thread: nothing blocks, nothing is lost unseen."""

import errno
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.log_files import LogFile
from app.log_lines import render
from app.log_overflow import Overflow
from app.log_writer import LogWriter


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


class FlakyFile(LogFile):
    """A log file that refuses or hangs when told to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, max_bytes=1 << 20, keep=3)
        self.refuse_append = False
        self.refuse_sync = False
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()

    def append(self, lines: deque[bytes]) -> None:
        self.entered.set()
        self.open.wait(30)
        if self.refuse_append:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().append(lines)

    def sync(self) -> None:
        if self.refuse_sync:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync()


class Rig:
    """A writer over a flaky file, its overflow read from a pipe."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "app-0.log"
        self.file = FlakyFile(self.path)
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self.overflow = Overflow(self._write)
        self.writer = LogWriter(
            self.file, self.overflow, render, sync_every=0.01, patience=0.05, most_lines=100
        )
        self.writer.start()

    def stderr(self) -> list[bytes]:
        content = b""
        try:
            while piece := os.read(self._read, 1 << 16):
                content += piece
        except BlockingIOError:
            pass
        return content.splitlines(keepends=True)

    def on_volume(self) -> list[bytes]:
        return self.path.read_bytes().splitlines(keepends=True) if self.path.exists() else []

    def close(self) -> None:
        self.file.open.set()
        self.writer.close(5)
        os.close(self._write)
        os.close(self._read)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def test_lines_are_in_the_file_in_order_at_close(rig: Rig) -> None:
    """All that was logged before the close is there, from several threads each in its order."""

    def log(thread: int) -> None:
        for number in range(20):
            rig.writer.append(b"%d %d\n" % (thread, number))

    threads = [threading.Thread(target=log, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rig.writer.close()
    lines = rig.on_volume()
    assert len(lines) == 80
    for thread in range(4):
        mine = [line for line in lines if line.startswith(b"%d " % thread)]
        assert mine == [b"%d %d\n" % (thread, number) for number in range(20)]
    assert rig.writer.health().lost == 0


def test_an_idle_writer_has_written_and_synced(rig: Rig) -> None:
    """A line is in the file without any further call."""
    rig.writer.append(b"alone\n")
    until(lambda: rig.on_volume() == [b"alone\n"])
    until(lambda: rig.writer.health().queued == 0)


def test_a_full_volume_sends_the_lines_to_stderr_and_comes_back(rig: Rig) -> None:
    """1 refused: shown, then on stderr; 2 room again: written again, and the log says so."""
    rig.file.refuse_append = True
    rig.writer.append(b"refused\n")
    until(lambda: rig.writer.health().trouble is not None)
    seen: list[bytes] = []
    until(lambda: seen.extend(rig.stderr()) or b"refused\n" in seen)  # type: ignore[func-returns-value]
    assert any(b'"event":"log_file_unwritable"' in line for line in seen)
    rig.writer.append(b"meanwhile\n")
    until(lambda: seen.extend(rig.stderr()) or b"meanwhile\n" in seen)  # type: ignore[func-returns-value]

    rig.file.refuse_append = False
    until(lambda: rig.writer.health().trouble is None)
    rig.writer.append(b"after\n")
    until(lambda: b"after\n" in rig.on_volume())
    assert b'"event":"log_file_recovered"' in rig.on_volume()[0]
    assert b"refused\n" not in rig.on_volume()
    assert rig.writer.health().lost == 0


def test_a_short_refusal_costs_nothing(tmp_path: Path) -> None:
    """Within the patience the lines are held and then written; none goes to stderr."""
    rig = Rig(tmp_path)
    rig.writer._patience = 60
    rig.file.refuse_append = True
    rig.writer.append(b"held\n")
    until(lambda: rig.writer.health().errors > 0)
    rig.file.refuse_append = False
    until(lambda: rig.on_volume() == [b"held\n"])
    assert rig.writer.health().to_stderr == 0
    rig.close()


def test_a_failed_fsync_sends_what_it_covered_to_stderr(rig: Rig) -> None:
    """After a failed fsync the kernel may have dropped the pages: the lines are told again."""
    rig.file.refuse_sync = True
    rig.writer.append(b"doubtful\n")
    seen: list[bytes] = []
    until(lambda: seen.extend(rig.stderr()) or b"doubtful\n" in seen)  # type: ignore[func-returns-value]
    assert rig.writer.health().trouble is not None


def test_a_hung_volume_blocks_nobody(rig: Rig) -> None:
    """1 a write hangs; 2 logging goes on at once, to stderr; 3 it is shown; 4 all is accounted."""
    rig.file.open.clear()
    rig.writer.append(b"first\n")
    assert rig.file.entered.wait(10)
    lines = [b"line %d\n" % number for number in range(300)]
    for line in lines:
        rig.writer.append(line)
    until(lambda: rig.writer.health().trouble is not None)
    assert "has not taken a write" in str(rig.writer.health().trouble)
    seen: list[bytes] = []
    until(lambda: seen.extend(rig.stderr()) or set(lines) <= set(seen))  # type: ignore[func-returns-value]
    rig.file.open.set()
    until(lambda: rig.on_volume() == [b"first\n"])
    assert rig.writer.health().lost == 0


def test_a_close_does_not_wait_for_a_hung_volume(rig: Rig) -> None:
    """What is stuck goes to stderr, and the close returns."""
    rig.file.open.clear()
    rig.writer.append(b"first\n")
    assert rig.file.entered.wait(10)
    rig.writer.append(b"second\n")
    rig.writer.close(0.05)
    assert {b"first\n", b"second\n"} <= set(rig.stderr())


def test_lines_logged_after_the_close_go_to_stderr_or_are_counted(rig: Rig) -> None:
    """A late line is never silently gone."""
    rig.writer.close()
    rig.writer.append(b"late\n")
    assert rig.writer.health().lost == 1


def test_a_stalled_stderr_is_bounded_and_counted() -> None:
    """A pipe nobody reads: the overflow keeps its bound and counts the rest as lost."""
    read, write = os.pipe()
    overflow = Overflow(write, most_lines=10)
    for _ in range(200):
        overflow.append(b"x" * 8192 + b"\n")
    assert overflow.lost > 0
    assert overflow.lost + overflow.accepted == 200
    overflow.close(0.05)
    os.close(read)
    # The thread's write ends with EPIPE now; the descriptor may then be closed.
    overflow._thread.join(10)
    assert not overflow._thread.is_alive()
    os.close(write)

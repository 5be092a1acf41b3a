"""The log file: whole lines, rotation by renaming, and going on after a refusal."""

import errno
import os
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.log_files import LogFile, LogSlot, drop_beyond


def written(path: Path) -> bytes:
    """The rotated files, oldest first, and the current one."""
    numbered = sorted(path.parent.glob(f"{path.name}.*"), key=lambda found: -int(found.suffix[1:]))
    return b"".join(found.read_bytes() for found in [*numbered, path])


@settings(max_examples=60)
@given(
    lines=st.lists(st.integers(1, 300), max_size=60),
    limit=st.integers(1, 500),
    pieces=st.lists(st.integers(1, 9), min_size=1, max_size=10),
)
def test_rotation_keeps_every_byte_in_order(
    tmp_path_factory: pytest.TempPathFactory, lines: list[int], limit: int, pieces: list[int]
) -> None:
    """Whatever the sizes and batches: the files together are the lines, each line in one file."""
    path = tmp_path_factory.mktemp("log") / "app-0.log"
    file = LogFile(path, max_bytes=limit, keep=1000)
    wanted = [b"%d" % number + b"x" * size + b"\n" for number, size in enumerate(lines)]
    rest = deque(wanted)
    turn = 0
    while rest:
        batch = deque(rest.popleft() for _ in range(min(pieces[turn % len(pieces)], len(rest))))
        file.append(batch)
        assert not batch
        turn += 1
    file.append(deque())
    file.close()
    assert written(path) == b"".join(wanted)
    for found in path.parent.iterdir():
        content = found.read_bytes()
        assert content == b"" or content.endswith(b"\n")
        assert len(content) <= limit or content.count(b"\n") == 1


def test_the_numbers_move_up_and_the_last_is_dropped(tmp_path: Path) -> None:
    """`.1` is the newest rotated file; beyond `keep` the oldest goes."""
    path = tmp_path / "app-0.log"
    file = LogFile(path, max_bytes=4, keep=2)
    for number in range(5):
        file.append(deque([b"%d..\n" % number]))
    file.close()
    names = {found.name: found.read_bytes() for found in tmp_path.iterdir()}
    assert names == {"app-0.log": b"4..\n", "app-0.log.1": b"3..\n", "app-0.log.2": b"2..\n"}


def test_a_gap_in_the_numbers_is_filled_and_nothing_dropped(tmp_path: Path) -> None:
    """Somebody removed `.1`: the older ones stay where they are."""
    path = tmp_path / "app-0.log"
    path.write_bytes(b"now\n")
    (tmp_path / "app-0.log.2").write_bytes(b"old\n")
    file = LogFile(path, max_bytes=4, keep=3)
    file.append(deque([b"new\n"]))
    file.close()
    assert written(path) == b"old\nnow\nnew\n"


def test_a_file_torn_by_a_killed_process_gets_its_line_end_first(tmp_path: Path) -> None:
    """The part the dead process left does not run into our first line."""
    path = tmp_path / "app-0.log"
    path.write_bytes(b'whole\n{"torn')
    file = LogFile(path, max_bytes=1000, keep=2)
    file.append(deque([b"mine\n"]))
    file.close()
    assert path.read_bytes() == b'whole\n{"torn\nmine\n'


class Disk:
    """`os.write` with so much room; refuses beyond it as a full volume does."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._write = os.write

    def write(self, descriptor: int, block: bytes) -> int:
        taken = min(self.room, len(block))
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= taken
        return self._write(descriptor, block[:taken])


@pytest.mark.parametrize("room", range(16))
def test_a_cut_line_is_continued_where_it_was_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """However much fits before the volume is full: no byte is missing or twice afterwards."""
    disk = Disk(room)
    monkeypatch.setattr("app.log_files.os.write", disk.write)
    path = tmp_path / "app-0.log"
    file = LogFile(path, max_bytes=1000, keep=2)
    lines = deque([b"first\n", b"second\n", b"third\n"])
    with pytest.raises(OSError, match="No space"):
        file.append(lines)
    assert (file.torn is not None) == (room not in (0, 6, 13))
    disk.room = 1000
    file.append(lines)
    file.close()
    assert path.read_bytes() == b"first\nsecond\nthird\n"
    assert file.torn is None


def test_a_torn_line_is_written_whole_into_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file with its first half was moved away: the other half alone would say nothing."""
    disk = Disk(3)
    monkeypatch.setattr("app.log_files.os.write", disk.write)
    path = tmp_path / "app-0.log"
    file = LogFile(path, max_bytes=1000, keep=2)
    lines = deque([b"first\n"])
    with pytest.raises(OSError, match="No space"):
        file.append(lines)
    path.rename(tmp_path / "elsewhere")
    disk.room = 1000
    file.append(lines)
    file.close()
    assert path.read_bytes() == b"first\n"


def test_a_deleted_file_is_made_anew(tmp_path: Path) -> None:
    """What is written after the next sync is in a file that can be found."""
    path = tmp_path / "app-0.log"
    file = LogFile(path, max_bytes=1000, keep=2)
    file.append(deque([b"gone\n"]))
    path.unlink()
    file.sync()
    file.append(deque([b"kept\n"]))
    file.close()
    assert path.read_bytes() == b"kept\n"


def test_a_rename_that_fails_costs_no_line(tmp_path: Path) -> None:
    """The file grows beyond its limit instead."""
    path = tmp_path / "app-0.log"
    (tmp_path / "app-0.log.1").mkdir()
    (tmp_path / "app-0.log.1" / "x").touch()
    (tmp_path / "app-0.log.2").mkdir()
    (tmp_path / "app-0.log.2" / "x").touch()
    file = LogFile(path, max_bytes=4, keep=2)
    for number in range(5):
        file.append(deque([b"%d..\n" % number]))
    file.close()
    assert path.read_bytes() == b"0..\n1..\n2..\n3..\n4..\n"


def test_each_process_has_a_name_of_its_own_and_gives_it_back(tmp_path: Path) -> None:
    """A taken name is skipped; a free one is used again."""
    first, second = LogSlot(tmp_path), LogSlot(tmp_path)
    assert (first.path.name, second.path.name) == ("app-0.log", "app-1.log")
    first.close()
    third = LogSlot(tmp_path)
    assert third.path.name == "app-0.log"
    second.close()
    third.close()


def test_files_kept_from_a_longer_count_are_dropped(tmp_path: Path) -> None:
    """A smaller `APP_LOG_KEEP` takes effect at the next start, on this log's files alone."""
    for name in ("app-0.log", "app-0.log.2", "app-0.log.3", "app-0.log.9.gz", "app-1.log.9"):
        (tmp_path / name).touch()
    drop_beyond(tmp_path / "app-0.log", 2)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["app-0.log", "app-0.log.2", "app-0.log.9.gz", "app-1.log.9"]

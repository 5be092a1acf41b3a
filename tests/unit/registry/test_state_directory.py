"""The state directory's own files."""

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sidecar.errors import StateError
from sidecar.registry.state_directory import clean_name, prepare, state_created
from tests.unit.registry.faults import FaultyFileSystem, always


def test_the_time_of_the_first_start_is_decided_once(tmp_path: Path) -> None:
    """Whoever comes first writes it; later ones read it whatever their clock says."""
    assert state_created(tmp_path, 1000.5) == 1000.5
    assert state_created(tmp_path, 2000.0) == 1000.5
    assert [path.name for path in tmp_path.iterdir()] == ["created"]


def test_all_who_come_at_once_agree(tmp_path: Path) -> None:
    """One of several wins, and the others take its time."""
    with ThreadPoolExecutor(8) as pool:
        times = set(pool.map(lambda n: state_created(tmp_path, float(n)), range(1, 41)))
    assert len(times) == 1
    assert times == {state_created(tmp_path, 99.0)}


def test_a_damaged_time_falls_back_to_the_files_own(tmp_path: Path) -> None:
    """When the content does not read, the file's modification time is near enough."""
    (tmp_path / "created").write_bytes(b"\0\0\0")
    written = (tmp_path / "created").stat().st_mtime
    assert state_created(tmp_path, 5.0) == written


def test_a_link_whose_reply_was_lost_counts(tmp_path: Path) -> None:
    """On NFS a link may have happened though it says that the name is taken."""

    class Doubtful(FaultyFileSystem):
        def __init__(self) -> None:
            super().__init__()
            real = self.link

            def link(old: Path, new: Path) -> None:
                real(old, new)
                raise FileExistsError(errno.EEXIST, "lost reply")

            self.link = link  # type: ignore[method-assign]

    assert state_created(tmp_path, 1000.0, Doubtful()) == 1000.0


def test_a_read_only_state_directory_is_one_clear_line(tmp_path: Path) -> None:
    """The file and the way out are named."""
    files = FaultyFileSystem()
    files.break_with(always(errno.EROFS))
    with pytest.raises(StateError, match=r"created: cannot note the time.*Read-only"):
        state_created(tmp_path, 1.0, files)


def test_the_folders_are_made_with_what_is_missing_above(tmp_path: Path) -> None:
    """A first start needs nothing but the volume; others have no access."""
    state = tmp_path / "volume" / ".sidecar"
    prepare(state)
    prepare(state)
    assert sorted(path.name for path in state.iterdir()) == ["claims", "members", "rejected"]
    assert state.joinpath("members").stat().st_mode & 0o007 == 0


@pytest.mark.parametrize(
    ("hint", "name"),
    [("abc-1.2_x", "abc-1.2_x"), ("a/b:c d", "a_b_c_d"), ("..", "member"), ("é", "member")],
)
def test_any_hint_makes_a_file_name(hint: str, name: str) -> None:
    """Ids are file names on every file system, and never hidden."""
    assert clean_name(hint) == name


def test_a_long_hint_keeps_its_end() -> None:
    """The end of an ARN is what differs."""
    assert clean_name("arn/" + "x" * 100 + "/end") == "x" * 60 + "_end"

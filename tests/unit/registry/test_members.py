"""Members, their locks and their folders."""

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.errors import StateError
from sidecar.registry.journal_file import JournalFile
from sidecar.registry.journal_recovery import load
from sidecar.registry.members import Member, MembershipLostError, dead_members
from tests.unit.registry.faults import (
    FaultyFileSystem,
    Killed,
    always,
    failing,
    killed_at,
)

IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from sidecar.registry.members import Member, dead_members
if sys.argv[2] == "join":
    member = Member.join(Path(sys.argv[1]), "task")
    print(member.id, flush=True)
    sys.stdin.read()
else:
    print(*[member.id for member in dead_members(Path(sys.argv[1]), own="")])
"""


def another_process(state_dir: Path, act: str) -> subprocess.Popen[str]:
    """A second sidecar, to the file system's locks."""
    return subprocess.Popen(
        [sys.executable, "-c", IN_ANOTHER_PROCESS, str(state_dir), act],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_member_has_a_folder_of_its_own(tmp_path: Path) -> None:
    """Two members of one task differ, their ids begin with the task's and make good names."""
    first = Member.join(tmp_path / "state", "ecs/task:1")
    second = Member.join(tmp_path / "state", "ecs/task:1")
    assert first.id != second.id
    assert first.id.startswith("ecs_task_1-")
    assert first.directory == tmp_path / "state" / "members" / first.id
    assert first.directory.is_dir()
    first.leave()
    second.leave()


def test_a_living_member_is_not_taken_over(tmp_path: Path) -> None:
    """Another process sees the lock held while the member lives, and free once it left."""
    member = Member.join(tmp_path, "task")
    assert another_process(tmp_path, "look").communicate()[0].split() == []
    member.leave()
    assert another_process(tmp_path, "look").communicate()[0].split() == [member.id]


def test_a_killed_member_is_taken_over_at_once(tmp_path: Path) -> None:
    """The lock goes with its process, whatever ended it; no time-out is waited for."""
    process = another_process(tmp_path, "join")
    assert process.stdout is not None
    name = process.stdout.readline().strip()
    assert dead_members(tmp_path, own="") == []
    process.kill()
    process.communicate()
    (dead,) = dead_members(tmp_path, own="")
    assert dead.id == name
    dead.release()


def test_only_one_takes_a_dead_member_over(tmp_path: Path) -> None:
    """While its lock is held for the take-over, nobody else finds it."""
    Member.join(tmp_path, "task").leave()
    (dead,) = dead_members(tmp_path, own="")
    assert dead_members(tmp_path, own="") == []
    dead.release()
    (dead,) = dead_members(tmp_path, own="")
    dead.release()


def test_ones_own_folder_is_not_dead(tmp_path: Path) -> None:
    """The own lock is never tried."""
    member = Member.join(tmp_path, "task")
    member.leave()
    assert dead_members(tmp_path, own=member.id) == []


def test_a_removed_member_leaves_nothing_but_damaged_files(tmp_path: Path) -> None:
    """After the take-over the folder goes; what did not read is kept for a person to look at."""
    member = Member.join(tmp_path, "task")
    JournalFile(member.directory, member=member.id, at_ms=0).close()
    (member.directory / "snapshot.3.broken-9").write_bytes(b"evidence")
    member.leave()
    (dead,) = dead_members(tmp_path, own="")
    assert dead.remove()
    assert list((tmp_path / "members").iterdir()) == []
    (kept,) = (tmp_path / "broken").iterdir()
    assert kept.name == f"{member.id}.snapshot.3.broken-9"


def test_releasing_twice_closes_no_descriptor_of_others(tmp_path: Path) -> None:
    """The number of a closed descriptor may be another file's by then."""
    Member.join(tmp_path, "task").leave()
    (dead,) = dead_members(tmp_path, own="")
    dead.release()
    with (tmp_path / "another").open("wb") as other:
        dead.release()
        other.write(b"still open")
        other.flush()


def test_a_kill_at_any_call_of_joining_leaves_nothing_half_made(tmp_path: Path) -> None:
    """Folders appear with their lock held, so whoever looks finds whole members or none."""
    at = 0
    joined = False
    while not joined:
        at += 1
        state = tmp_path / str(at)
        (state / "members").mkdir(parents=True)
        files = FaultyFileSystem()
        files.break_with(killed_at(at))
        try:
            Member.join(state, "task", files).leave()
            joined = True
        except Killed:
            for dead in dead_members(state, own=""):
                assert (dead.directory / "lock").exists()
                dead.release()
    assert at > 4


def test_a_kill_at_any_call_of_removing_does_not_bring_half_a_folder_back(tmp_path: Path) -> None:
    """A folder is there whole, to be taken over again, or not at all."""
    at = 0
    removed = False
    while not removed:
        at += 1
        state = tmp_path / str(at)
        member = Member.join(state, "task")
        JournalFile(member.directory, member=member.id, at_ms=0).close()
        member.leave()
        files = FaultyFileSystem()
        (dead,) = dead_members(state, own="", files=files)
        files.break_with(killed_at(at))
        try:
            removed = dead.remove()
        except Killed:
            dead.release()
            for again in dead_members(state, own=""):
                assert load(again.directory).warnings == []
                assert (again.directory / "journal.1").exists()
                assert again.remove()
            assert list((state / "members").iterdir()) == []


def test_a_volume_that_refuses_the_removal_is_no_error(tmp_path: Path) -> None:
    """The folder stays then and is taken over once more, which does no harm."""
    Member.join(tmp_path, "task").leave()
    files = FaultyFileSystem()
    (dead,) = dead_members(tmp_path, own="", files=files)
    files.break_with(failing(range(1, 100), errno.EROFS))
    assert not dead.remove()


def test_a_beat_is_written_through_the_lock(tmp_path: Path) -> None:
    """The heartbeat tells who and when, and reaches the server before the call returns."""
    files = FaultyFileSystem()
    member = Member.join(tmp_path, "task", files)
    files.mend()
    assert member.beat(1234)
    assert files.calls == ["write_at_start", "sync"]
    content = (member.directory / "lock").read_bytes()
    assert b'"beat_ms":1234' in content
    says = json.loads(content)
    assert (says["member"], says["task"]) == (member.id, "task")
    member.leave()


@pytest.mark.parametrize("call", ["write_at_start", "sync"])
def test_an_io_error_on_a_beat_means_that_the_lock_is_lost(tmp_path: Path, call: str) -> None:
    """NFS says EIO on the descriptor of a lost lock: another may have taken over already."""
    files = FaultyFileSystem()
    member = Member.join(tmp_path, "task", files)
    files.break_with(always(errno.EIO, call))
    with pytest.raises(MembershipLostError, match=member.id):
        member.beat(1)
    member.leave()
    with pytest.raises(MembershipLostError, match="already left"):
        member.beat(2)


def test_a_full_volume_does_not_end_a_membership(tmp_path: Path) -> None:
    """The beat is missing then, and the reason told, but the lock is held."""
    files = FaultyFileSystem()
    member = Member.join(tmp_path, "task", files)
    files.break_with(always(errno.ENOSPC))
    assert not member.beat(1)
    assert "No space left" in (member.problem or "")
    files.mend()
    assert member.beat(2)
    assert member.problem is None
    member.leave()


def test_a_file_system_without_locks_is_told_apart(tmp_path: Path) -> None:
    """The message says what to mount; no folder is left behind."""

    class Lockless(FaultyFileSystem):
        def lock(self, descriptor: int) -> None:
            raise OSError(errno.ENOLCK, "No locks available")

    with pytest.raises(StateError, match=r"gives no locks.*mount it with NFS 4\.1"):
        Member.join(tmp_path, "task", Lockless())
    assert list((tmp_path / "members").iterdir()) == []


def test_a_state_directory_that_cannot_be_made_is_one_clear_line(tmp_path: Path) -> None:
    """A file in its place is named, with what to do."""
    (tmp_path / "state").write_bytes(b"")
    with pytest.raises(StateError, match=r"state/members: cannot make the folder.*set state_dir"):
        Member.join(tmp_path / "state", "task")


def test_strange_things_among_the_members_are_left_alone(tmp_path: Path) -> None:
    """Files, and folders being made, are no members."""
    (tmp_path / "members").mkdir()
    (tmp_path / "members" / "notes.txt").write_bytes(b"")
    (tmp_path / "members" / ".new-task-1").mkdir()
    assert dead_members(tmp_path, own="") == []

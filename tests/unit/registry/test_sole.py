"""One sidecar at a time on a state directory."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.errors import StateError
from sidecar.registry.sole import Sole
from tests.unit.registry.faults import FaultyFileSystem, always

HOLD = """
import sys
from pathlib import Path
from sidecar.registry.sole import Sole
assert Sole(Path(sys.argv[1]), "first").try_acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_waits_until_the_first_is_gone(tmp_path: Path) -> None:
    """A second sidecar is told who holds it, and gets it as soon as the first was killed."""
    first = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout is not None
    assert first.stdout.readline() == "held\n"
    second = Sole(tmp_path, "second")
    assert not second.try_acquire()
    assert not second.held
    assert second.holder().startswith(f"first (process {first.pid} on ")
    first.kill()
    first.communicate()
    assert second.try_acquire()
    assert second.held
    assert second.holder().startswith("second (")
    second.release()


def test_a_released_one_is_free(tmp_path: Path) -> None:
    """Releasing lets another one of the same process have it, too."""
    first, second = Sole(tmp_path, "a"), Sole(tmp_path, "b")
    assert first.try_acquire()
    assert first.try_acquire()
    assert not second.try_acquire()
    first.release()
    first.release()
    assert second.try_acquire()
    second.release()


def test_a_shorter_name_leaves_no_rest_of_a_longer_one(tmp_path: Path) -> None:
    """What the file says is read as a whole."""
    for member in ("m" * 100, "m"):
        sole = Sole(tmp_path, member)
        assert sole.try_acquire()
        assert sole.holder().split(" ")[0] == member
        sole.release()


def test_a_full_volume_keeps_nobody_from_the_lock(tmp_path: Path) -> None:
    """The name in the file is for people; without it the lock is as good."""
    files = FaultyFileSystem()
    sole = Sole(tmp_path, "m", files)
    files.break_with(always(errno.ENOSPC, "write_at_start"))
    assert sole.try_acquire()
    assert sole.holder() == "another sidecar"
    sole.release()


def test_no_lock_at_all_is_one_clear_line(tmp_path: Path) -> None:
    """A read-only state directory is told at once rather than waited for."""
    files = FaultyFileSystem()
    files.break_with(always(errno.EROFS, "open_lock"))
    with pytest.raises(StateError, match=r"all\.lock: cannot use it: Read-only file system"):
        Sole(tmp_path, "m", files).try_acquire()

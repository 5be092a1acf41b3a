"""The fence: nothing starts without a recent proof that the lock is held."""

import errno
from pathlib import Path

from sidecar.registry.heartbeat import FENCE_SECONDS, Fence, Heartbeat
from sidecar.registry.members import Member
from tests.unit.registry.faults import FaultyFileSystem, always


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_m03_the_fence_shuts_when_no_heartbeat_works() -> None:
    """Open until FENCE_SECONDS after the last proof, and open again with the next one.

    Catches: a fence that only a lost lock shuts.
    """
    clock = Clock()
    fence = Fence(clock)
    clock.now += FENCE_SECONDS - 0.001
    assert fence.is_open
    clock.now += 0.001
    assert not fence.is_open
    assert "no heartbeat" in fence.problem
    fence.proved(clock.now)
    assert fence.is_open


def test_a_proof_counts_from_when_it_began() -> None:
    """A beat that hung for long proves nothing about now; an older one never takes back a newer."""
    clock = Clock()
    fence = Fence(clock)
    clock.now += FENCE_SECONDS
    fence.proved(100.0)
    assert not fence.is_open
    fence.proved(clock.now)
    fence.proved(100.0)
    assert fence.is_open


def test_m03_a_lost_lock_shuts_it_for_good(tmp_path: Path) -> None:
    """EIO on the beat shuts the fence, wakes the pump, and no later proof opens it.

    Catches: a heartbeat whose EIO is taken for a passing fault.
    """
    files = FaultyFileSystem()
    member = Member.join(tmp_path, "task", files)
    fence = Fence()
    woken: list[bool] = []
    heartbeat = Heartbeat(member, fence, lambda: woken.append(True))
    assert heartbeat.beat()
    files.break_with(always(errno.EIO, "sync"))
    assert not heartbeat.beat()
    assert fence.lost is not None
    assert woken == [True]
    fence.proved(float("inf"))
    assert not fence.is_open
    member.leave()


def test_a_full_volume_is_no_lost_lock(tmp_path: Path) -> None:
    """ENOSPC on the beat is told, proves nothing, and is over with the next beat that works."""
    files = FaultyFileSystem()
    member = Member.join(tmp_path, "task", files)
    fence = Fence()
    heartbeat = Heartbeat(member, fence, lambda: None)
    files.break_with(always(errno.ENOSPC, "write_at_start"))
    assert heartbeat.beat()
    assert heartbeat.problem is not None
    assert fence.beats == 0
    files.mend()
    assert heartbeat.beat()
    assert heartbeat.problem is None
    assert fence.beats == 1
    member.leave()

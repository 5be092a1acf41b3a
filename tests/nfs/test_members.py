"""M01 to M04: sidecars on two hosts share one state directory on the volume.

Each promise is the same: every line once, in its stream, in order, whoever ships it.
"""

from __future__ import annotations

import time

from tests.nfs import files
from tests.nfs.hosts import Host
from tests.nfs.pair import SOON_SHOWN, at_work
from tests.nfs.volume import PATIENCE, Volume, eventually
from tests.support.cloudwatch import StrictCloudWatch

FENCED_SECONDS = 12.0
"""Longer than a member that cannot prove it is alive may go on sending: 10 s."""


def test_m01_two_hosts_share_the_writers(volume: Volume, a: Host, b: Host) -> None:
    """Each line is shipped once, whoever wrote it, and both sidecars have their part in it.

    Catches: claiming a stream that a living member has claimed.
    """
    with at_work(volume, a, b) as pair:
        pair.write(rounds=8)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        pair.terminate()


def test_m02_the_other_host_finishes_what_a_killed_member_began(
    volume: Volume, a: Host, b: Host
) -> None:
    """After SIGKILL on a, in the middle of traffic, b ships the rest in the same streams.

    Catches: taking over a dead member's claims without its checkpoints.
    """
    with at_work(volume, a, b, **SOON_SHOWN) as pair:
        pair.write(rounds=3)
        pair.first.kill()
        pair.write(rounds=3)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert pair.second.terminate() == 0


def test_m02_the_other_host_goes_on_after_a_clean_stop(volume: Volume, a: Host, b: Host) -> None:
    """A member that drains and leaves hands over everything: nothing of it is unknown.

    Catches: leaving a claim behind that nobody may take.
    """
    with at_work(volume, a, b) as pair:
        pair.write(rounds=3)
        assert pair.first.terminate() == 0
        pair.write(rounds=3)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert pair.second.status()["totals"]["possible_duplicates"] == 0
        assert pair.second.terminate() == 0


def test_m02_files_of_a_dead_task_that_nobody_claimed_are_found(
    volume: Volume, a: Host, b: Host
) -> None:
    """A sidecar killed before it saw its app's last file: the other host's ships it.

    Catches: leaving a directory to a task that is dead.
    """
    with at_work(volume, a, b, **SOON_SHOWN) as pair:
        pair.first.freeze()
        volume.write(a, f"{pair.first.task}/last.log", 20)
        pair.first.kill()
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert pair.second.terminate() == 0


def test_m03_a_frozen_members_files_wait_for_it_or_are_taken_over(
    volume: Volume, a: Host, b: Host
) -> None:
    """SIGSTOP on a for longer than its fence, under traffic, and SIGCONT: each line once.

    Catches: sending what was ready before the pause without a new heartbeat.
    """
    with at_work(volume, a, b) as pair:
        pair.write(rounds=3)
        pair.first.freeze()
        pair.write(rounds=3)
        time.sleep(FENCED_SECONDS)
        pair.first.thaw()
        pair.write(rounds=3)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        pair.terminate()


def test_m03_a_host_that_is_cut_off_is_taken_over_and_joins_again(
    volume: Volume, a: Host, b: Host
) -> None:
    """Host a is gone with its locks held; b goes on with its streams; a comes back as a member.

    Catches: going on after the lock was lost, or ending for good.
    """
    with at_work(volume, a, b) as pair:
        eventually(pair.first_is_durable)
        a.cut()
        stream = pair.streams(a)[0]
        hanging = a.begin(files.append, volume.path(stream), volume.lines(stream, 20))
        pair.write(3, b)
        # One of these is in a's hands until b has taken over.
        volume.wait_until(lambda: not volume.missing(*pair.streams(b)))
        assert pair.alive(pair.second) == 1
        a.join()
        hanging.result(timeout=PATIENCE)
        pair.write(rounds=3)
        volume.wait_until_shipped()
        eventually(pair.knows_both)
        assert volume.complaints() == []
        pair.terminate()


def test_m03_a_member_without_the_volume_sends_nothing_it_no_longer_owns(
    volume: Volume, a: Host, b: Host, cloudwatch: StrictCloudWatch
) -> None:
    """Host a loses the volume only, with batches in its hands that CloudWatch would take later.

    While CloudWatch refuses, a has read lines and is cut off; its lock goes, b takes over; then
    CloudWatch takes everything from both.
    Catches: fencing that looks at the lock when a batch is made, and not when it is sent.
    """
    with at_work(volume, a, b, **SOON_SHOWN) as pair:
        eventually(pair.first_is_durable)
        cloudwatch.faults.add("throttle", operation="PutLogEvents")
        pair.write(rounds=3)
        eventually(lambda: pair.first.status()["delivery"]["memory_bytes"] > 0)
        a.cut("volume")
        eventually(lambda: pair.alive(pair.second) == 1)
        cloudwatch.faults.clear()
        volume.wait_until_shipped()
        a.join()
        pair.write(rounds=3)
        volume.wait_until_shipped()
        eventually(pair.knows_both)
        assert volume.complaints() == []
        pair.terminate()


def test_m03_a_member_without_cloudwatch_loses_and_doubles_nothing(
    volume: Volume, a: Host, b: Host
) -> None:
    """Host a loses CloudWatch only: its streams wait for it, and b's go on.

    Catches: giving up a claim with a request under way.
    """
    with at_work(volume, a, b, **SOON_SHOWN) as pair:
        before = pair.second.delivered
        a.cut("cloudwatch")
        pair.write(rounds=3)
        volume.wait_until(lambda: pair.second.delivered > before)
        eventually(lambda: pair.first.status()["degraded"])
        a.join()
        volume.wait_until_shipped()
        assert volume.complaints() == []
        pair.terminate()


def test_m04_new_sidecars_replace_old_ones_under_traffic(volume: Volume, a: Host, b: Host) -> None:
    """On each host a new task starts before the old one stops: streams go on unbroken.

    Catches: a new member that reads what the old one still owns.
    """
    with at_work(volume, a, b) as pair, volume.sidecar(a) as third:
        pair.write(rounds=2)
        assert pair.first.terminate() == 0
        pair.write(rounds=2)
        with volume.sidecar(b) as fourth:
            pair.write(rounds=2)
            assert pair.second.terminate() == 0
            pair.write(rounds=2)
            volume.wait_until_shipped()
            assert volume.complaints() == []
            assert (third.terminate(), fourth.terminate()) == (0, 0)

"""M01 to M04: sidecars on two hosts share one state directory on the volume.

Each promise is the same: every line once, in its stream, in order, whoever ships it. Six writers,
three on each host, and streams that outlive the sidecar that began them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest

from tests.nfs import files
from tests.nfs.hosts import Host
from tests.nfs.volume import PATIENCE, HostSidecar, Volume
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import wait_for

WRITERS = 3
"""On each host."""

FENCED_SECONDS = 12.0
"""Longer than a member that cannot prove it is alive may go on sending: 10 s."""


@pytest.fixture
def writers(volume: Volume, a: Host, b: Host) -> list[tuple[Host, str]]:
    """Who writes to which stream: each host to files of its own, in a directory of its own."""
    for host in (a, b):
        a.do(os.makedirs, volume.path(host.name))
    return [(host, f"{host.name}/w{number}.log") for host in (a, b) for number in range(WRITERS)]


def write(volume: Volume, writers: Sequence[tuple[Host, str]], rounds: int = 1) -> None:
    for _ in range(rounds):
        for host, stream in writers:
            volume.write(host, stream, 20)


def alive(sidecar: HostSidecar) -> int:
    """How many living members it knows of."""
    return sum(member["alive"] for member in sidecar.status()["members"])


def delivered(sidecar: HostSidecar) -> int:
    events: int = sidecar.status()["totals"]["events_delivered"]
    return events


def both_at_work(
    volume: Volume, first: HostSidecar, second: HostSidecar, writers: Sequence[tuple[Host, str]]
) -> None:
    """Each knows of both, and each has delivered lines."""
    wait_for(lambda: alive(first) == alive(second) == 2)
    write(volume, writers, rounds=2)
    volume.wait_until_shipped()
    assert delivered(first) > 0
    assert delivered(second) > 0


def test_m01_two_hosts_share_the_writers(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]]
) -> None:
    """Each line is shipped once, whoever wrote it, and both sidecars have their part in it.

    Catches: claiming a stream that a living member has claimed.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        write(volume, writers, rounds=10)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert (first.terminate(), second.terminate()) == (0, 0)


def test_m02_the_other_host_finishes_what_a_killed_member_began(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]]
) -> None:
    """After SIGKILL on a, in the middle of traffic, b ships the rest in the same streams.

    Catches: taking over a dead member's claims without its checkpoints.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        write(volume, writers, rounds=3)
        first.kill()
        write(volume, writers, rounds=3)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert second.terminate() == 0


def test_m02_the_other_host_goes_on_at_once_after_a_clean_stop(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]]
) -> None:
    """A member that drains and leaves hands over everything: nothing of it is unknown.

    Catches: leaving a claim behind that nobody may take.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        write(volume, writers, rounds=3)
        assert first.terminate() == 0
        write(volume, writers, rounds=3)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert second.status()["totals"]["possible_duplicates"] == 0
        assert second.terminate() == 0


def test_m02_files_of_a_dead_host_that_nobody_claimed_are_found(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]]
) -> None:
    """A sidecar killed before it saw its last files: the other host's ships them.

    Catches: leaving a directory to a task that is dead.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        a.do(os.makedirs, volume.path(first.task))
        first.freeze()
        volume.write(a, f"{first.task}/last.log", 20)
        first.kill()
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert second.terminate() == 0


def test_m03_a_frozen_members_files_wait_for_it_or_are_taken_over(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]]
) -> None:
    """SIGSTOP on a for longer than its fence, under traffic, and SIGCONT: each line once.

    Catches: sending what was ready before the pause without a new heartbeat.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        write(volume, writers, rounds=3)
        first.freeze()
        write(volume, writers, rounds=3)
        time.sleep(FENCED_SECONDS)
        first.thaw()
        write(volume, writers, rounds=3)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert (first.terminate(), second.terminate()) == (0, 0)


def test_m03_a_host_that_is_cut_off_is_taken_over_and_joins_again(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]]
) -> None:
    """Host a is gone with its locks held; b finishes its streams; a comes back and is a member.

    Catches: going on after the lock was lost, or ending for good.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        a.cut()
        there = [each for each in writers if each[0] is b]
        hanging = a.begin(files.append, volume.path("a/w0.log"), volume.lines("a/w0.log", 20))
        write(volume, there, rounds=3)
        volume.wait_until(lambda: not volume.missing(*(stream for _, stream in there)))
        wait_for(lambda: alive(second) == 1, PATIENCE)
        a.join()
        hanging.result(timeout=PATIENCE)
        write(volume, writers, rounds=3)
        volume.wait_until_shipped()
        wait_for(lambda: alive(first) == alive(second) == 2)
        assert volume.complaints() == []
        assert (first.terminate(), second.terminate()) == (0, 0)


def test_m03_a_member_without_the_volume_sends_nothing_it_no_longer_owns(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]], cloudwatch: StrictCloudWatch
) -> None:
    """Host a loses the volume only, with batches in its hands that CloudWatch would take later.

    While CloudWatch refuses, a has read lines and is cut off; its lock goes, b takes over; then
    CloudWatch takes everything from both. Catches: fencing that looks at the lock when a batch is
    made, and not when it is sent.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        cloudwatch.faults.add("throttle", operation="PutLogEvents")
        write(volume, writers, rounds=3)
        wait_for(lambda: first.status()["delivery"]["memory_bytes"] > 0, PATIENCE)
        a.cut("volume")
        wait_for(lambda: alive(second) == 1, PATIENCE)
        cloudwatch.faults.clear()
        volume.wait_until_shipped()
        a.join()
        write(volume, writers, rounds=3)
        volume.wait_until_shipped()
        wait_for(lambda: alive(first) == alive(second) == 2)
        assert volume.complaints() == []
        assert (first.terminate(), second.terminate()) == (0, 0)


def test_m03_a_member_without_cloudwatch_loses_and_doubles_nothing(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]]
) -> None:
    """Host a loses CloudWatch only: its streams wait for it, and b's go on.

    Catches: giving up a claim with a request under way.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        before = delivered(second)
        a.cut("cloudwatch")
        write(volume, writers, rounds=3)
        volume.wait_until(lambda: delivered(second) > before)
        wait_for(lambda: first.status()["degraded"], PATIENCE)
        a.join()
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert (first.terminate(), second.terminate()) == (0, 0)


def test_m04_new_sidecars_replace_old_ones_under_traffic(
    volume: Volume, a: Host, b: Host, writers: list[tuple[Host, str]]
) -> None:
    """On each host a new task starts before the old one stops: streams go on unbroken.

    Catches: a new member that reads what the old one still owns.
    """
    with volume.sidecar(a) as first, volume.sidecar(b) as second:
        both_at_work(volume, first, second, writers)
        with volume.sidecar(a) as third:
            write(volume, writers, rounds=2)
            assert first.terminate() == 0
            write(volume, writers, rounds=2)
            with volume.sidecar(b) as fourth:
                write(volume, writers, rounds=2)
                assert second.terminate() == 0
                write(volume, writers, rounds=2)
                volume.wait_until_shipped()
                assert volume.complaints() == []
                assert (third.terminate(), fourth.terminate()) == (0, 0)

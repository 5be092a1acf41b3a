"""M02, M03: a member dies, is frozen, or loses its lock; what it had is finished by one alone."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from tests.integration.delivering.stepped import append
from tests.integration.delivering.test_restarts import numbered, text
from tests.integration.members.fleet import Fleet, are_settled, shown
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for


def says(member: RunningSidecar, event: str) -> bool:
    return event in member.events()


def syncs(member: RunningSidecar) -> int:
    return int(member.status()["totals"]["journal_syncs"])


@pytest.mark.parametrize("ending", ["SIGKILL", "SIGTERM"])
def test_m02_another_finishes_what_a_member_had(
    tmp_path: Path, cloudwatch: StrictCloudWatch, ending: str
) -> None:
    """A member ends, however it ends; the one that lives reads its files on, in their streams.

    1. red has a shared file and one of its own directory; green joins and has nothing.
    2. red ends; both files grow, the shared one is rotated, and its own directory gets another.
    3. green ships all of it: nothing lost, nothing twice, each stream unbroken, and red's
       directory still means red in `{task}`.
    Catches: a take-over at the start alone; a stream's name that is computed anew; a claim of a
    dead member that is taken for a living one's.
    """
    volume = tmp_path / "volume"
    shared, own = volume / "logs" / "shared.log", volume / "logs" / "red" / "app.log"
    late = volume / "logs" / "red" / "late.log"
    lines = numbered(0, 300)
    with Fleet(volume, cloudwatch, entry={"log_stream": "{task}/{path}"}) as fleet:
        red = fleet.start("red")
        for path in (shared, own):
            append(path, text(lines[:100]))
        wait_for(lambda: are_settled([shared, own], red))
        green = fleet.start("green")
        assert green.status()["sources"] == []

        if ending == "SIGTERM":
            assert red.terminate() == 0
        else:
            fleet.signal("red", signal.SIGKILL)
        for path in (shared, own):
            append(path, text(lines[100:200]))
        shared.rename(shared.with_name("shared.log.1"))
        append(shared, text(lines[200:]))
        append(late, text(lines))
        wait_for(lambda: are_settled([shared, own, late], green))
        assert says(green, "member_taken_over")
        wait_for(lambda: len(green.status()["members"]) == 1)
        assert green.status()["totals"]["possible_duplicates"] == 0
        assert green.terminate() == 0

    assert shown(cloudwatch, "red/shared.log") == lines
    assert shown(cloudwatch, "red/red/app.log") == lines[:200]
    assert shown(cloudwatch, "red/red/late.log") == lines
    assert len(cloudwatch.streams()) == 3


def test_m02_files_that_nobody_ever_claimed_are_found_when_their_task_is_dead(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """A task whose sidecar never saw its files, and died, has them shipped by another.

    Catches: a directory that is left to its task and never asked about again.
    """
    volume = tmp_path / "volume"
    path = volume / "logs" / "red" / "deep" / "app.log"
    lines = numbered(0, 50)
    with Fleet(volume, cloudwatch, entry={"log_stream": "{task}/{path}"}) as fleet:
        fleet.start("red")
        green = fleet.start("green")
        fleet.signal("red", signal.SIGSTOP)
        append(path, text(lines))
        append(volume / "logs" / "other.log", "one\n")
        wait_for(lambda: are_settled([volume / "logs" / "other.log"], green))
        assert len(green.status()["sources"]) == 1
        fleet.signal("red", signal.SIGKILL)
        wait_for(lambda: are_settled([path], green))
        assert green.terminate() == 0

    assert shown(cloudwatch, "red/red/deep/app.log") == lines


def test_m02_a_killed_member_starts_again_beside_another(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """The same task's id twice: its sidecar is killed and started again while another lives.

    Whoever of the two takes the files over has them alone.
    Catches: a member that believes a file is its own because the task's id is.
    """
    volume = tmp_path / "volume"
    own = volume / "logs" / "red" / "app.log"
    lines = numbered(0, 300)
    with Fleet(volume, cloudwatch) as fleet:
        red = fleet.start("red")
        append(own, text(lines[:100]))
        wait_for(lambda: are_settled([own], red))
        green = fleet.start("green")
        fleet.signal("red", signal.SIGKILL)
        append(own, text(lines[100:200]))
        again = fleet.start("red")
        wait_for(lambda: are_settled([own], green, again))
        own.rename(own.with_name("app.log.1"))
        append(own, text(lines[200:]))
        wait_for(lambda: are_settled([own], green, again))
        for member in (green, again):
            assert member.terminate() == 0

    assert shown(cloudwatch, "red/app.log") == lines


def test_m03_a_frozen_member_keeps_its_files_and_goes_on(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """A member that is stopped for longer than the fence holds its lock: its files wait for it.

    1. red is stopped; its file grows. green, which sees both, leaves them alone.
    2. red goes on: what was written meanwhile arrives once, in order.
    Catches: a take-over by time alone; a member that does not beat again after the pause.
    """
    volume = tmp_path / "volume"
    shared = volume / "logs" / "shared.log"
    theirs = volume / "logs" / "green" / "app.log"
    lines = numbered(0, 200)
    with Fleet(volume, cloudwatch) as fleet:
        red = fleet.start("red")
        append(shared, text(lines[:100]))
        wait_for(lambda: are_settled([shared], red))
        green = fleet.start("green")
        fleet.signal("red", signal.SIGSTOP)
        append(shared, text(lines[100:]))
        # Longer than the fence of 10 s: a journal is synced once a second at most.
        until = syncs(green) + 13
        while syncs(green) < until:
            append(theirs, "tick\n")
            wait_for(partial(are_settled, [theirs], green))
        assert [each["path"] for each in green.status()["sources"]] == [str(theirs)]
        assert shown(cloudwatch, "shared.log") == lines[:100]
        fleet.signal("red", signal.SIGCONT)
        wait_for(lambda: are_settled([shared], red))
        assert not says(red, "membership_lost")
        assert not says(green, "member_taken_over")
        for member in (red, green):
            assert member.terminate() == 0

    assert shown(cloudwatch, "shared.log") == lines


def test_m03_a_member_that_lost_its_lock_joins_anew(
    tmp_path: Path, cloudwatch: StrictCloudWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EIO on the lock: it stops, becomes another member in the same process, and goes on.

    1. red's lock is lost while its file grows. It says so, and joins under another id.
    2. Its files are shipped to the end by it or by green: nothing lost, nothing twice.
    Catches: a heartbeat whose EIO is only logged; a process that ends; a journal that is still
    written to in a folder that is another's.
    """
    volume = tmp_path / "volume"
    shared = volume / "logs" / "shared.log"
    lines = numbered(0, 400)
    trigger = tmp_path / "cut-off"
    monkeypatch.setenv("CUT_OFF", str(trigger))
    with Fleet(volume, cloudwatch) as fleet:
        red = fleet.start("red", module="tests.integration.members.cut_off")
        before = red.status()["member"]
        append(shared, text(lines[:100]))
        wait_for(lambda: are_settled([shared], red))
        green = fleet.start("green")
        append(shared, text(lines[100:200]))
        wait_for(lambda: are_settled([shared], red))
        trigger.touch()
        wait_for(lambda: says(red, "membership_lost"))
        append(shared, text(lines[200:]))
        wait_for(lambda: are_settled([shared], red, green))
        # While it joins it answers with the last status of the member it was.
        wait_for(lambda: red.status()["member"] != before)
        after = red.status()["member"]
        wait_for(lambda: {each["id"] for each in green.status()["members"]} >= {after})
        wait_for(lambda: len(green.status()["members"]) == 2)
        for member in (red, green):
            assert member.terminate() == 0

    assert shown(cloudwatch, "shared.log") == lines

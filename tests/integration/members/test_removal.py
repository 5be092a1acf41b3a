"""M01, M02: with `delete_after` only the owner deletes, and nothing that may be written to."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.integration.delivering.stepped import append
from tests.integration.delivering.test_restarts import numbered, text
from tests.integration.members.fleet import Fleet, are_settled, shown
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for


def deleted(member: RunningSidecar) -> list[str]:
    return [line["path"] for line in member.log() if line["event"] == "file_deleted"]


def test_m02_the_owner_alone_deletes_and_a_taker_goes_on_with_it(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Rotated files go when their writer has gone on; the last file, and one that is still
    written to under its rotated name, stay.

    1. red has two logs, and green looks on. One is rotated, and its writer goes on: red deletes it.
    2. Both are rotated, and red is killed. One writer goes on, the other writes to the old file.
    3. green takes over: it deletes the first and ships the second, which stays.
    Catches: a deletion by whoever sees the file; one that goes by age alone.
    """
    volume = tmp_path / "volume"
    good, slow = volume / "logs" / "good.log", volume / "logs" / "slow.log"
    lines = numbered(0, 400)
    with Fleet(volume, cloudwatch, entry={"delete_after": "1s", "partial": "1s"}) as fleet:
        red = fleet.start("red")
        for path in (good, slow):
            append(path, text(lines[:100]))
        wait_for(lambda: are_settled([good, slow], red))
        green = fleet.start("green")
        first = good.rename(good.with_name("good.log.1"))
        append(good, text(lines[100:200]))
        wait_for(lambda: deleted(red) == [str(first)])
        assert not first.exists()

        wait_for(lambda: are_settled([good, slow], red))
        second = good.rename(good.with_name("good.log.1"))
        kept = slow.rename(slow.with_name("slow.log.1"))
        fleet.signal("red", signal.SIGKILL)
        append(good, text(lines[200:]))
        append(kept, text(lines[100:]))
        wait_for(lambda: deleted(green) == [str(second)])
        wait_for(lambda: are_settled([good, kept], green))
        assert kept.exists()
        assert deleted(green) == [str(second)]
        assert green.terminate() == 0

    assert shown(cloudwatch, "good.log") == lines
    assert shown(cloudwatch, "slow.log") == lines

"""M01: who claims the files of a stream claims them in their order, whatever stands in the way."""

from __future__ import annotations

import shutil
from pathlib import Path

from sidecar.registry.claims import Claim, Claims
from sidecar.registry.file_system import REAL
from sidecar.registry.members import Member
from tests.integration.delivering.stepped import append
from tests.integration.delivering.test_restarts import numbered, text
from tests.integration.members.fleet import Fleet, shown
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import wait_for


def test_m01_newer_files_wait_while_it_is_not_known_whose_an_older_one_is(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """The oldest file is claimed by a member that is gone, and another member replaces claims just
    now: the stream's newer files are not shipped before it.

    Catches: granting each file of a stream by itself.
    """
    volume = tmp_path / "volume"
    lines = numbered(0, 30)
    names = ["app.log.2", "app.log.1", "app.log"]
    for number, name in enumerate(names):
        append(volume / "logs" / name, text(lines[10 * number : 10 * number + 10]))
    claim_and_vanish(volume, volume / "logs" / names[0])
    replacing = REAL.open_lock(volume / "state" / "claims" / ".replacing")
    REAL.lock(replacing)
    with Fleet(volume, cloudwatch, entry={"include": [f"{volume}/logs/app.log*"]}) as fleet:
        member = fleet.start("red")
        wait_for(lambda: "stream_claimed_by_other" in member.events())
        REAL.close(replacing)
        wait_for(lambda: len(shown(cloudwatch, "app.log")) == len(lines))
        assert member.terminate() == 0
    assert shown(cloudwatch, "app.log") == lines


def claim_and_vanish(volume: Path, path: Path) -> None:
    """A member claims this file, dies before it noted that, and is taken over."""
    state = volume / "state"
    member = Member.join(state, "gone")
    claims = Claims(state, member, spend=lambda _: None)
    claims.make(Claim("file", str(path.parent), str(path.stat().st_ino)))
    member.leave()
    shutil.rmtree(member.directory)

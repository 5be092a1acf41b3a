"""M02: an artifact whose manifest was under way when its member died is its taker's."""

from __future__ import annotations

from pathlib import Path

from sidecar.model.journal import IntentSent, Manifest
from sidecar.registry.claims import Claim
from sidecar.registry.journal_file import JournalFile
from sidecar.registry.members import Member
from tests.integration.members.fleet import GROUP, Fleet
from tests.integration.members.test_order_of_claims import claim_and_vanish
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import wait_for


def test_m02_what_a_taker_is_to_find_out_about_nobody_else_ships(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """An artifact is claimed by a member that is gone, and a living one has its open request.

    Catches: taking artifacts that were acknowledged for all that a member has.
    """
    volume = tmp_path / "volume"
    path = volume / "artifacts" / "report"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"content\n")
    claim_and_vanish(volume, Claim("artifact", str(path)))
    taker = Member.join(volume / "state", "taker")
    journal = JournalFile(taker.directory, member=taker.id, at_ms=1)
    manifest = Manifest(str(path), "4" * 64, 8, 1, path.stat().st_ino)
    journal.append(
        IntentSent(1, GROUP, "report", (), 1, 1, 1, 1, arrival=True, at_ms=1, artifact=manifest)
    )
    assert journal.sync(0.0)
    artifacts = [{"include": [f"{volume}/artifacts/*"], "settle": "100ms"}]
    with Fleet(volume, cloudwatch, artifacts=artifacts) as fleet:
        member = fleet.start("red")
        # What comes later is shipped later.
        (path.parent / "later").write_bytes(b"content\n")
        wait_for(lambda: "artifact_shipped" in member.events())
        (shipped,) = [each for each in member.log() if each["event"] == "artifact_shipped"]
        assert shipped["path"] == str(path.parent / "later")
    journal.close()
    taker.leave()

"""M05: a volume that hangs is one root's trouble."""

from __future__ import annotations

import time

import pytest

from sidecar.sources.reach import FRESH_SECONDS
from tests.nfs import files
from tests.nfs.hosts import Host
from tests.nfs.volume import HostSidecar, Volume, eventually

ATTEMPTS = 4
"""A freeze that comes between the answer and the call it was for is one in fifty."""

STALLED_SECONDS = 15.0
"""A status older than this is of a pump that hangs."""


def test_m05_other_roots_go_on_while_a_volume_hangs(
    volume: Volume, a: Host, b: Host, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Files elsewhere are shipped while the volume hangs, /status answers and names what is stuck.

    It goes away between two looks of the sidecar's: a call that is under way then hangs with it.
    Catches: a look at a volume that was not asked before.
    """
    here = tmp_path_factory.mktemp("local")
    logs = [{"include": [f"{volume.logs}/**/*.log"]}, {"include": [f"{here}/*.log"]}]
    volume.write(a, "w.log", 10)
    files.append(str(here / "local.log"), volume.lines("local.log", 10))
    rarely = {"hot": "2s"}
    with volume.sidecar(b, logs=logs, state_dir=str(here / "state"), poll=rarely) as sidecar:
        volume.wait_until_shipped()
        cut_between_two_looks(volume, a, b, sidecar)
        eventually(lambda: stuck(sidecar) == [volume.path("w.log")])
        for _ in range(5):
            files.append(str(here / "local.log"), volume.lines("local.log", 10))
            volume.wait_until(lambda: not volume.missing("local.log"))
        b.join()
        volume.wait_until_shipped()
        eventually(lambda: not stuck(sidecar))
        assert volume.complaints() == []
        assert sidecar.terminate() == 0


def cut_between_two_looks(volume: Volume, a: Host, b: Host, sidecar: HostSidecar) -> None:
    """Take b's volume away while nobody calls it; once more where somebody did after all."""
    for _ in range(ATTEMPTS):
        sidecar.freeze()
        frozen_at = time.monotonic()
        b.cut("volume")
        volume.write(a, "w.log", 10)
        # What the volume answered before has to be too old to go by.
        eventually(lambda since=frozen_at: time.monotonic() > since + FRESH_SECONDS)
        sidecar.thaw()
        eventually(lambda: stuck(sidecar) or is_stalled(sidecar))
        if not is_stalled(sidecar):
            return
        b.join()
        eventually(lambda: not is_stalled(sidecar))
    pytest.fail("the pump called a volume that does not answer each time")


def is_stalled(sidecar: HostSidecar) -> bool:
    """Has the pump published nothing for long?"""
    age: float = sidecar.status()["stale_seconds"]
    return age > STALLED_SECONDS


def stuck(sidecar: HostSidecar) -> list[str]:
    """The paths whose file system does not answer."""
    return [each["path"] for each in sidecar.status()["sources"] if each["state"] == "stuck"]

"""M05: a volume that hangs is one root's trouble."""

from __future__ import annotations

import pytest

from tests.nfs import files
from tests.nfs.hosts import Host
from tests.nfs.volume import HostSidecar, Volume, eventually


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
    with volume.sidecar(b, logs=logs, state_dir=str(here / "state")) as sidecar:
        volume.wait_until_shipped()
        sidecar.freeze()
        b.cut("volume")
        volume.write(a, "w.log", 10)
        sidecar.thaw()
        eventually(lambda: stuck(sidecar) == [volume.path("w.log")])
        for _ in range(5):
            files.append(str(here / "local.log"), volume.lines("local.log", 10))
            volume.wait_until(lambda: not volume.missing("local.log"))
        b.join()
        volume.wait_until_shipped()
        eventually(lambda: not stuck(sidecar))
        assert volume.complaints() == []
        assert sidecar.terminate() == 0


def stuck(sidecar: HostSidecar) -> list[str]:
    """The paths whose file system does not answer."""
    return [each["path"] for each in sidecar.status()["sources"] if each["state"] == "stuck"]

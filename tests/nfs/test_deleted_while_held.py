"""M05, R08, D09: files that go away under the sidecar on b, here and elsewhere."""

from __future__ import annotations

import os

from tests.nfs import files
from tests.nfs.hosts import Host, server_stopped
from tests.nfs.volume import Volume


def test_r08_what_another_host_deletes_is_read_to_its_end(volume: Volume, a: Host, b: Host) -> None:
    """Lines written just before a file is deleted on a come through the descriptor held on b.

    Catches: letting a descriptor go as soon as the file's name has gone.
    """
    for name in ("one.log", "two.log", "three.log"):
        volume.write(a, name, 10)
    with volume.sidecar(b):
        volume.wait_until_shipped()
        for name in ("one.log", "two.log"):
            a.do(files.append_and_delete, volume.path(name), volume.lines(name, 10))
        volume.write(a, "three.log", 10)
        volume.wait_until_shipped()
        assert volume.complaints() == []


def test_d09_a_silly_rename_is_never_shipped(volume: Volume, a: Host, b: Host) -> None:
    """What b deletes while its sidecar holds it is .nfsXXXX until it is let go: no new source.

    Catches: leaving .nfs out of the names that are never a log, where the pattern takes all names.
    """
    everything = [{"include": [f"{volume.logs}/**"]}]
    for name in ("gone.log", "kept.log"):
        volume.write(b, name, 10)
    with volume.sidecar(b, logs=everything) as sidecar:
        volume.wait_until_shipped()
        b.do(os.unlink, volume.path("gone.log"))
        left = b.do(os.listdir, str(volume.logs))
        assert [name for name in left if name.startswith(".nfs")], left
        sidecar.spend(4)
        volume.write(a, "kept.log", 10)
        volume.wait_until_shipped()
        assert {source["path"] for source in sidecar.status()["sources"]} <= {
            volume.path("gone.log"),
            volume.path("kept.log"),
        }
        assert sidecar.terminate() == 0
    assert volume.complaints() == []
    # The last holder has let it go, and the client removed it.
    assert b.do(os.listdir, str(volume.logs)) == ["kept.log"]


def test_m05_a_stale_handle_costs_its_own_file_and_no_other(
    volume: Volume, a: Host, b: Host
) -> None:
    """A held file that was deleted elsewhere is gone after the server began anew: ESTALE.

    The other files go on, the sidecar lives, and a file made under the name is shipped.
    Catches: an OSError of one file that ends the pump or the reading of all.
    """
    for name in ("stale.log", "other.log"):
        volume.write(a, name, 10)
    with volume.sidecar(b) as sidecar:
        volume.wait_until_shipped()
        a.do(os.unlink, volume.path("stale.log"))
        with server_stopped():
            pass
        volume.write(a, "other.log", 10)
        volume.wait_until_shipped()
        volume.write(a, "stale.log", 10)
        volume.write(a, "other.log", 10)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert sidecar.get_json("/healthz")["healthy"]
        assert sidecar.terminate() == 0

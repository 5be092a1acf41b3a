"""M05: the volume's server does not answer for a while."""

from __future__ import annotations

from tests.nfs import files
from tests.nfs.hosts import Host, server_stopped
from tests.nfs.volume import Volume


def test_m05_nothing_is_lost_while_the_server_is_gone(volume: Volume, a: Host, b: Host) -> None:
    """Lines of before, of while it is gone (they hang with their writer) and of after arrive once.

    Catches: taking a volume that does not answer for one without files.
    """
    for number in range(3):
        volume.write(a, f"w{number}.log", 50)
    with volume.sidecar(b) as sidecar:
        with server_stopped():
            hanging = a.begin(files.append, volume.path("w0.log"), volume.lines("w0.log", 50))
            assert sidecar.status()["member"]
        hanging.result(timeout=200)
        volume.write(a, "w1.log", 50)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert sidecar.terminate() == 0

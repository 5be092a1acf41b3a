"""L08: NULs that host b sees where host a has not written yet."""

from __future__ import annotations

from tests.nfs import files
from tests.nfs.hosts import Host
from tests.nfs.volume import Volume, eventually


def test_l08_a_hole_that_fills_in_later_is_shipped_with_its_content(
    volume: Volume, a: Host, b: Host
) -> None:
    """Writes that reach the server out of order are shipped once, in the file's order.

    Catches: believing NULs at the first look, or at a second one that a cache answers.
    """
    volume.write(a, "w.log", 3)
    with volume.sidecar(b) as sidecar:
        volume.wait_until_shipped()
        path = volume.path("w.log")
        for _ in range(3):
            start = len(files.text(volume.written["w.log"]))
            early, late = (files.text(volume.lines("w.log", 200)) for _ in range(2))
            a.do(files.write_at, path, start + len(early), late)
            eventually(lambda seen=start: sidecar.size_of(path) > seen)
            # It has seen the hole, and sees nothing more until the hole has been filled.
            sidecar.freeze()
            a.do(files.write_at, path, start, early)
            sidecar.thaw()
            volume.wait_until_shipped()
        assert volume.complaints() == []
        assert sidecar.status()["totals"]["nul_bytes_skipped"] == 0


def test_l08_a_hole_that_nobody_fills_is_passed_over_and_counted(
    volume: Volume, a: Host, b: Host
) -> None:
    """What another host wrote after a hole is shipped in the end; the NULs are counted.

    Catches: waiting for a hole without end.
    """
    volume.write(a, "w.log", 3)
    with volume.sidecar(b) as sidecar:
        volume.wait_until_shipped()
        start = len(files.text(volume.written["w.log"]))
        late = files.text(volume.lines("w.log", 20))
        a.do(files.write_at, volume.path("w.log"), start + 5000, late)
        volume.wait_until_shipped()
        volume.write(a, "w.log", 3)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert sidecar.status()["totals"]["nul_bytes_skipped"] == 5000

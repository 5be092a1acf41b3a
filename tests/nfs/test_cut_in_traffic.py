"""M03: a host is cut off while it delivers, with a second of its journal on its own side only."""

from __future__ import annotations

from tests.nfs.hosts import Host
from tests.nfs.pair import SOON_SHOWN, at_work
from tests.nfs.volume import Volume, eventually


def test_m03_what_a_host_delivered_just_before_it_was_cut_off_is_not_sent_again(
    volume: Volume, a: Host, b: Host
) -> None:
    """What a sent before the volume heard of it: b, who takes over, finds it in CloudWatch.

    Catches: believing that what no intent tells of was never sent.
    """
    with at_work(volume, a, b, **SOON_SHOWN) as pair:
        pair.write()
        volume.wait_until_shipped()
        a.cut("volume")
        eventually(lambda: pair.alive(pair.second) == 1)
        pair.write(1, b)
        volume.wait_until(lambda: not volume.missing(*pair.streams(b)))
        a.join()
        pair.write()
        volume.wait_until_shipped()
        assert volume.complaints() == []
        pair.terminate()

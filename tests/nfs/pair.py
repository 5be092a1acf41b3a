"""Two sidecars at work, one on each host, that share a state directory on the volume."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.nfs import files
from tests.nfs.hosts import Host, on_server
from tests.nfs.volume import HostSidecar, Volume, eventually

WRITERS = 3
"""On each host."""

SOON_SHOWN = {"delivery": {"reconcile_wait": "5s"}}
"""Settings where this CloudWatch, which shows at once what it took, need not be asked for longer. A
host that is cut off from it with requests on their way needs all of the default: they may arrive
as late as that, and the lease is over sooner here than on EFS."""


class Pair:
    """`first` runs on host a, `second` on b, each beside an app with its task's directory.

    One more file in `first`'s directory is written on b, as by a function or a batch job.
    """

    def __init__(self, volume: Volume, first: HostSidecar, second: HostSidecar) -> None:
        self.first = first
        self.second = second
        self.guest = (second.host, f"{first.task}/guest.log")
        self.writers = [
            (sidecar.host, f"{sidecar.task}/w{number}.log")
            for sidecar in (first, second)
            for number in range(WRITERS)
        ]
        self._volume = volume

    def write(self, rounds: int = 1, *hosts: Host) -> None:
        """Everybody on these hosts, or on both, appends lines."""
        for _ in range(rounds):
            for host, stream in (*self.writers, self.guest):
                if host in hosts or not hosts:
                    self._volume.write(host, stream, 20)

    def streams(self, host: Host) -> list[str]:
        """What is written on this host."""
        return [stream for writer, stream in (*self.writers, self.guest) if writer is host]

    def knows_both(self) -> bool:
        """Does each know of two living members?"""
        return self.alive(self.first) == self.alive(self.second) == 2

    @staticmethod
    def alive(sidecar: HostSidecar) -> int:
        """How many living members it knows of."""
        return sum(member["alive"] for member in sidecar.status()["members"])

    def first_is_durable(self) -> bool:
        """Is all that the first one noted on the server, and no longer on its host alone?"""
        members = self._volume.state / "members"
        own = self.first.host.do(files.sizes, str(members))
        return own == files.sizes(str(on_server(members)))

    def terminate(self) -> None:
        """Both drain, with nothing left."""
        assert [each.terminate() for each in (self.first, self.second)] == [0, 0]


@contextmanager
def at_work(volume: Volume, a: Host, b: Host, **changes: Any) -> Iterator[Pair]:
    """Each knows the other, and each has delivered what its own app wrote."""
    with volume.sidecar(a, **changes) as first, volume.sidecar(b, **changes) as second:
        pair = Pair(volume, first, second)
        for sidecar in (first, second):
            a.do(os.makedirs, volume.path(sidecar.task))
        eventually(pair.knows_both)
        pair.write(rounds=2)
        volume.wait_until_shipped()
        assert min(first.delivered, second.delivered) > 0
        yield pair

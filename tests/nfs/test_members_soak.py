"""M01 to M04 at random: four sidecars on two hosts, twenty writers, and all that can happen."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.nfs import files
from tests.nfs.hosts import NETWORKS, Host
from tests.nfs.volume import HostSidecar, Volume

WRITERS = 10
"""On each host."""

LONGEST_SECONDS = 40.0
"""Of a freeze or a cut: beyond the fence, the lease and the take-over."""


class Troubles:
    """What befalls hosts and sidecars, and when it is over."""

    def __init__(
        self, chance: random.Random, hosts: list[Host], sidecars: list[HostSidecar]
    ) -> None:
        self.happened: Counter[str] = Counter()
        self.cut: set[Host] = set()
        """Hosts without the volume: whoever writes there hangs."""
        self._chance = chance
        self._hosts = hosts
        self._sidecars = sidecars
        self._ends: dict[Host | HostSidecar, tuple[float, Callable[[], None]]] = {}

    def step(self) -> None:
        """End what is over, and perhaps begin something."""
        self._end(time.monotonic())
        if self._chance.random() < 0.2:
            self._chance.choice((self._kill, self._freeze, self._cut_off))()

    def end(self) -> None:
        self._end(float("inf"))

    def _end(self, now: float) -> None:
        # Hosts first: what was killed on one cannot start before it is back.
        for victim, (until, end) in sorted(
            self._ends.items(), key=lambda each: not isinstance(each[0], Host)
        ):
            if until <= now and not (isinstance(victim, HostSidecar) and victim.host in self._ends):
                del self._ends[victim]
                end()

    def _begin(self, what: str, victim: Host | HostSidecar, end: Callable[[], None]) -> None:
        self.happened[what] += 1
        seconds = self._chance.uniform(1.0, LONGEST_SECONDS)
        self._ends[victim] = (time.monotonic() + seconds, end)

    def _kill(self) -> None:
        if (victim := self._victim()) is not None:
            victim.kill()
            # The task is replaced by another, which reads the same volume.
            self._begin("kills", victim, victim.start)

    def _freeze(self) -> None:
        if (victim := self._victim()) is not None:
            victim.freeze()
            self._begin("freezes", victim, victim.thaw)

    def _cut_off(self) -> None:
        host = self._chance.choice(self._hosts)
        if host in self._ends:
            return
        networks = self._chance.choice((NETWORKS, *((network,) for network in NETWORKS)))
        host.cut(*networks)
        if "volume" in networks:
            self.cut.add(host)

        def join() -> None:
            host.join()
            self.cut.discard(host)

        self._begin(f"cuts from {' and '.join(networks)}", host, join)

    def _victim(self) -> HostSidecar | None:
        """A sidecar that nothing happens to now, if there is one."""
        untouched = [
            each
            for each in self._sidecars
            if each not in self._ends and each.host not in self._ends
        ]
        return self._chance.choice(untouched) if untouched else None


def test_m03_soak_each_line_is_shipped_once_whatever_happens(
    volume: Volume, a: Host, b: Host, measured: list[str], pytestconfig: pytest.Config
) -> None:
    """SIGKILL, SIGSTOP and cuts of either network, at random; --soak-minutes, --soak-seed.

    Catches: whatever none of the single cases does.
    """
    seed = pytestconfig.getoption("soak_seed")
    chance = random.Random(seed)
    for host in (a, b):
        a.do(os.makedirs, volume.path(host.name))
    sidecars = [volume.sidecar(host) for host in (a, b, a, b)]
    for sidecar in sidecars:
        sidecar.start()
    until = time.monotonic() + 60.0 * pytestconfig.getoption("soak_minutes")
    troubles = Troubles(chance, [a, b], sidecars)
    while time.monotonic() < until:
        for host in {a, b} - troubles.cut:
            for number in chance.sample(range(WRITERS), 3):
                write(volume, host, f"{host.name}/w{number}.log", chance)
        troubles.step()
    troubles.end()
    volume.wait_until_shipped()
    lines = sum(map(len, volume.written.values()))
    measured.append(f"soak with seed {seed}: {lines} lines, {dict(troubles.happened)}")
    measured.append(f"unknown outcomes and what told them: {dict(resolutions(sidecars))}")
    assert volume.complaints() == []
    assert [sidecar.terminate() for sidecar in sidecars] == [0] * len(sidecars)


def resolutions(sidecars: list[HostSidecar]) -> Counter[str]:
    """By how it was found out, how many requests' outcomes were; and the doubles counted."""
    found: Counter[str] = Counter()
    for sidecar in sidecars:
        for line in sidecar.log(all_runs=True):
            if line["event"] == "outcome_resolved":
                found[line["why"]] += 1
                found["possible_duplicates"] += line["possible_duplicates"]
    return found


def write(volume: Volume, host: Host, stream: str, chance: random.Random) -> None:
    """Some lines, and now and then a rotation before them."""
    if volume.written[stream] and chance.random() < 0.1:
        host.do(files.rotate, volume.path(stream))
    volume.write(host, stream, chance.randrange(1, 40))

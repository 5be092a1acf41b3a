"""M04: a rolling deployment, old and new tasks overlapping, under traffic."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.integration.delivering.stepped import append
from tests.integration.members.fleet import Fleet, are_settled, shown
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import PATIENCE, wait_for


class Writer(threading.Thread):
    """Writes numbered lines to one file, in bursts with pauses a drain can end in, until told to
    stop; one burst at the least."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.lines: list[str] = []
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while True:
            for _ in range(20):
                line = f"{self.path.name} {len(self.lines):06d}"
                append(self.path, f"{line}\n")
                self.lines.append(line)
            if self._stop_asked.wait(1.0):
                return

    def end(self) -> None:
        self._stop_asked.set()
        self.join(PATIENCE)


def test_m04_a_rolling_deployment_loses_nothing_and_doubles_nothing(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Three tasks are replaced one after the other while they and two functions write.

    Each new task starts before the old one's app stops and its sidecar drains. Every line arrives
    once, every file in one stream and in its order, and every drain ends with status 0.
    Catches: a drain that leaves the others to wait for the ring; a take-over that reads from 0;
    two members that both believe a shared file is theirs.
    """
    volume = tmp_path / "volume"
    functions = [Writer(volume / "logs" / "shared" / f"{name}.log") for name in ("one", "two")]
    apps: dict[str, Writer] = {}

    def deploy(fleet: Fleet, task: str) -> None:
        fleet.start(task)
        apps[task] = Writer(volume / "logs" / task / f"{task}.log")
        apps[task].start()

    with Fleet(volume, cloudwatch) as fleet:
        for function in functions:
            function.start()
        for number in range(3):
            deploy(fleet, f"old{number}")
        for number in range(3):
            deploy(fleet, f"new{number}")
            apps[f"old{number}"].end()
            assert fleet.members[f"old{number}"].terminate() == 0
        living = [fleet.members[f"new{number}"] for number in range(3)]
        for writer in [*functions, *apps.values()]:
            writer.end()
        written = [writer.path for writer in [*functions, *apps.values()]]
        shipped = {
            path for path in written if str(path.relative_to(volume / "logs")).startswith("old")
        }
        wait_for(lambda: are_settled(set(written) - shipped, *living))
        for member in living:
            assert member.status()["totals"]["possible_duplicates"] == 0
            assert member.terminate() == 0

    for writer in [*functions, *apps.values()]:
        name = str(writer.path.relative_to(volume / "logs"))
        assert shown(cloudwatch, name) == writer.lines

"""Writers that rotate, a real sidecar that is killed, and a CloudWatch that fails in every way."""

from __future__ import annotations

import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.chaos.disturbance import Disturbance
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/chaos"
WRITERS = 3
ROTATE_BYTES = 1_000_000
BYTES_PER_SECOND = 500_000
PATIENCE = 600.0


def run(seed: int, until: float) -> bool:
    """One soak, to `until` on the monotonic clock; prints its report."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, StrictCloudWatch() as cloudwatch:
        volume = Path(folder)
        (volume / "logs").mkdir()
        settings = {
            "state_dir": str(volume / "state"),
            "log_group": GROUP,
            "logs": [{"include": [f"{volume}/logs/*.log"]}],
            "drain": {"deadline": "110s", "quiet": "100ms"},
        }
        written: list[Counter[str]] = [Counter() for _ in range(WRITERS)]
        threads = [
            threading.Thread(target=write, args=(volume / "logs", number, until, written[number]))
            for number in range(WRITERS)
        ]
        sidecar = RunningSidecar(volume, settings, cloudwatch.environment())
        disturbance = Disturbance(cloudwatch, chance)
        kills = outages = 0
        with sidecar:
            for thread in threads:
                thread.start()
            while time.monotonic() < until:
                disturbance.change()
                if chance.random() < 0.1:
                    outages += 1
                    mode = chance.choice(("refuse", "reset"))
                    cloudwatch.faults.add("down", seconds=chance.uniform(1.0, 10.0), mode=mode)
                time.sleep(chance.uniform(1.0, 5.0))
                if chance.random() < 0.5:
                    kills += 1
                    sidecar.kill()
                    sidecar.start()
            for thread in threads:
                thread.join()
            disturbance.calm()
            wait_for(lambda: sidecar.status()["backlog"]["bytes"] == 0, PATIENCE)
            counted = sidecar.status()["totals"]["possible_duplicates"]
            status = sidecar.terminate(PATIENCE)
        wait_for(lambda: cloudwatch.deferred.pending == 0, PATIENCE)
        stored = Counter(
            event.message for events in cloudwatch.all_events().values() for event in events
        )
        expected: Counter[str] = sum(written, Counter())
        lost, twice = (expected - stored).total(), (stored - expected).total()
        print(
            f"soak: seed {seed}, {expected.total()} events, {kills} kills, {outages} outages, "
            f"lost {lost}, twice {twice}, possible_duplicates {counted}, exit status {status}, "
            f"violations {len(cloudwatch.violations)}\n"
            f"  faults: {disturbance.fired}",
            flush=True,
        )
        return not (lost or twice or counted or status or cloudwatch.violations)


def write(logs: Path, number: int, until: float, written: Counter[str]) -> None:
    """Append numbered lines, and rotate by renaming at a size, keeping every generation."""
    path, line, generation = logs / f"w{number}.log", 0, 0
    while time.monotonic() < until:
        lines = [f"writer {number} line {line + each:08d} " + "x" * 70 for each in range(50)]
        line += 50
        written.update(lines)
        text = "".join(f"{each}\n" for each in lines)
        with path.open("a") as file:
            file.write(text)
            size = file.tell()
        if size > ROTATE_BYTES:
            generation += 1
            path.rename(logs / f"w{number}.log.{generation}")
        time.sleep(len(text) / BYTES_PER_SECOND)

"""`python -m tests.chaos [--minutes N] [--seed S]`: writers that rotate, a sidecar that is killed,
a CloudWatch that fails. Exit status 0 when nothing is lost and every double was counted.
"""

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/chaos"
WRITERS = 3
ROTATE_BYTES = 1_000_000
BYTES_PER_SECOND = 500_000
FAULTS = ("throttle", "server_error", "reset_before", "reset_after", "cut_reply")


def main() -> int:
    parser = argparse.ArgumentParser(description="A soak under faults.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    chance = random.Random(options.seed)
    until = time.monotonic() + 60.0 * options.minutes
    with tempfile.TemporaryDirectory() as folder, StrictCloudWatch() as cloudwatch:
        volume = Path(folder)
        (volume / "logs").mkdir()
        settings = {
            "state_dir": str(volume / "state"),
            "log_group": GROUP,
            "logs": [{"include": [f"{volume}/logs/*.log"]}],
        }
        written: list[Counter[str]] = [Counter() for _ in range(WRITERS)]
        threads = [
            threading.Thread(target=write, args=(volume / "logs", number, until, written[number]))
            for number in range(WRITERS)
        ]
        sidecar = RunningSidecar(volume, settings, cloudwatch.environment())
        kills = 0
        with sidecar:
            for thread in threads:
                thread.start()
            while time.monotonic() < until:
                kind = chance.choice(FAULTS)
                cloudwatch.faults.add(
                    kind, operation="PutLogEvents", probability=0.2, seed=chance.randrange(10**6)
                )
                time.sleep(chance.uniform(1.0, 5.0))
                cloudwatch.faults.clear()
                if chance.random() < 0.5:
                    kills += 1
                    sidecar.kill()
                    sidecar.start()
            for thread in threads:
                thread.join()
            wait_for(lambda: sidecar.status()["backlog"]["bytes"] == 0, patience=120.0)
            counted = sidecar.status()["totals"]["possible_duplicates"]
            status = sidecar.terminate()
        stored = Counter(
            event.message for events in cloudwatch.all_events().values() for event in events
        )
        expected: Counter[str] = sum(written, Counter())
        lost, twice = (expected - stored).total(), (stored - expected).total()
        print(
            f"seed {options.seed}: {expected.total()} lines, {kills} kills, lost {lost}, "
            f"twice {twice} of {counted} counted, exit status {status}, "
            f"violations {len(cloudwatch.violations)}"
        )
        return 0 if not lost and twice <= counted and not cloudwatch.violations else 1


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


if __name__ == "__main__":
    sys.exit(main())

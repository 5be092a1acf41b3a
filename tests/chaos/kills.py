"""The proof of reconciling: SIGKILL at random moments while large files are shipped.

A real sidecar ships a file of unique lines and one of heavily repeating lines, with times of their
own and with the time of arrival, and is killed at random moments while every fault is on at random.
Clean when nothing is lost, nothing is stored twice, and nothing was counted as possibly so; over a
hundred kills and more each fault must have hit a request, too.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.disturbance import Disturbance
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/kills"
MODES = ("auto", "arrival")
LONGEST_LIFE = 4.0
"""Seconds after which a life is ended at the latest."""

PATIENCE = 900.0

THOROUGH = 100
"""Kills from which on each fault must have hit a request."""


def run(seed: int, kills: int, megabytes: float, modes: Sequence[str]) -> bool:
    """One run a mode of time, which share the kills."""
    print(f"seed {seed}: {kills} kills, {megabytes:g} MB a file", flush=True)
    share = max(1, kills // len(modes))
    runs = [prove(mode, share, megabytes, random.Random(f"{seed} {mode}")) for mode in modes]
    return all(runs)


def prove(mode: str, kills: int, megabytes: float, chance: random.Random) -> bool:
    """One run; prints its report, and gives whether nothing is lost and nothing twice."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, StrictCloudWatch() as cloudwatch:
        volume = Path(folder)
        written = {
            "unique.log": write(volume / "logs" / "unique.log", megabytes, unique(mode)),
            "repeating.log": write(volume / "logs" / "repeating.log", megabytes, repeating(mode)),
        }
        settings = {
            "state_dir": str(volume / "state"),
            "log_group": GROUP,
            "logs": [{"include": [f"{volume}/logs/*.log"], "timestamp": mode}],
            "drain": {"deadline": "110s", "quiet": "100ms"},
        }
        sidecar = RunningSidecar(volume, settings, cloudwatch.environment())
        total = sum(map(Counter.total, written.values()))
        disturbance = Disturbance(cloudwatch, chance)
        for number in range(kills):
            disturbance.change()
            with sidecar:
                # So far by this kill, that the last ones find something to ship too.
                goal = total * (number + 1) // (kills + 1) * chance.uniform(0.7, 1.0)
                before, patience = cloudwatch.requests["PutLogEvents"], time.monotonic() + 20.0
                if chance.random() < 0.9:
                    # Nine of ten after it has begun to send.
                    while cloudwatch.requests["PutLogEvents"] == before:
                        if time.monotonic() > patience:
                            break
                        time.sleep(0.005)
                until = time.monotonic() + chance.uniform(0.05, LONGEST_LIFE)
                while time.monotonic() < until and cloudwatch.count() < goal:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0.0, 0.3))
        disturbance.calm()
        with sidecar:
            wait_for(lambda: sidecar.status()["backlog"]["bytes"] == 0, PATIENCE)
            totals = sidecar.status()["totals"]
            status = sidecar.terminate(PATIENCE)
        wait_for(lambda: cloudwatch.deferred.pending == 0, PATIENCE)
        lost = twice = 0
        for name, expected in written.items():
            stored = Counter(cloudwatch.messages(GROUP, name))
            lost += (expected - stored).total()
            twice += (stored - expected).total()
        counted = totals["possible_duplicates"]
        fired = disturbance.fired
        unheard = kills >= THOROUGH and min(fired.values()) == 0
        print(
            f"{mode}: {total} events, {kills} kills, "
            f"lost {lost}, twice {twice}, possible_duplicates {counted}, "
            f"reads {cloudwatch.requests['GetLogEvents']}, exit status {status}, "
            f"violations {len(cloudwatch.violations)}, {time.monotonic() - began:.0f} s\n"
            f"  faults: {fired}\n  outcomes resolved: {resolved(sidecar.log_path)}",
            flush=True,
        )
        return not (lost or twice or counted or status or cloudwatch.violations or unheard)


def resolved(log: Path) -> dict[str, int]:
    """How often which way an unknown outcome was resolved, over all lives."""
    ways: Counter[str] = Counter()
    for line in log.read_bytes().splitlines():
        if b'"outcome_resolved"' in line:
            said = json.loads(line)
            how = "all" if not said["missing"] else "none" if not said["found"] else "some"
            ways[f"{said['why']}, {how} stored"] += 1
    return dict(ways)


def write(path: Path, megabytes: float, lines: Iterator[str]) -> Counter[str]:
    """Fill a file; gives its lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written: Counter[str] = Counter()
    room = int(megabytes * 1_000_000)
    with path.open("w", encoding="utf-8") as file:
        while room > 0:
            line = next(lines)
            written[line] += 1
            room -= file.write(line + "\n")
    return written


def unique(mode: str) -> Iterator[str]:
    """No two lines alike; in `auto` a hundred share a millisecond."""
    base = int(time.time() * 1000) - 6 * 3_600_000
    for number in range(10**9):
        stamp = stamped(base + number // 100) if mode == "auto" else "line"
        yield f"{stamp} unique {number:09d} " + "x" * 60


def repeating(mode: str) -> Iterator[str]:
    """Seven texts over and over; in `auto` a thousand lines share a second."""
    base = int(time.time()) - 6 * 3600
    for number in range(10**9):
        stamp = stamped((base + number // 1000) * 1000) if mode == "auto" else "again"
        yield f"{stamp} heartbeat {number % 7} " + "y" * 60


def stamped(at_ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"

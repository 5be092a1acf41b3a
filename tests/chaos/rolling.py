"""A rolling deployment: each task is replaced by another under traffic, old and new overlapping."""

from __future__ import annotations

import random
import signal
import tempfile
import threading
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/rolling"
FUNCTIONS = 3
"""Writers beside the tasks, with files that are no task's."""

ROTATE_BYTES = 40_000
PATIENCE = 300.0


class Writer(threading.Thread):
    """Writes numbered lines in bursts, with pauses a drain can end in, and rotates by renaming."""

    def __init__(self, path: Path, seed: int) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.lines: list[str] = []
        self._chance = random.Random(seed)
        self._stop_asked = threading.Event()

    def run(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        generation = 0
        while True:
            first = len(self.lines)
            count = self._chance.randint(50, 150)
            burst = [f"{number:06d} {'x' * 60}" for number in range(first, first + count)]
            self.lines += burst
            with self.path.open("a") as file:
                file.writelines(f"{line}\n" for line in burst)
                size = file.tell()
            if size > ROTATE_BYTES:
                generation += 1
                self.path.rename(self.path.with_name(f"{self.path.name}.{generation}"))
            if self._stop_asked.wait(self._chance.uniform(0.5, 1.5)):
                return

    def end(self) -> None:
        self._stop_asked.set()
        self.join()


class Task:
    """An app that writes, and its sidecar."""

    def __init__(self, volume: Path, name: str, cloudwatch: StrictCloudWatch, seed: int) -> None:
        folder = volume / "tasks" / name
        folder.mkdir(parents=True)
        settings = {
            "state_dir": str(volume / "state"),
            "log_group": GROUP,
            "task": name,
            "logs": [{"include": [f"{volume}/logs/**/*.log"]}],
            "drain": {"deadline": "110s", "quiet": "100ms"},
        }
        self.sidecar = RunningSidecar(folder, settings, cloudwatch.environment())
        self.app = Writer(volume / "logs" / name / "app.log", seed)

    def start(self) -> None:
        self.sidecar.start()
        self.app.start()

    def begin_to_stop(self) -> None:
        """As ECS does: the app first, then SIGTERM; the drain takes as long as it takes."""
        self.app.end()
        assert self.sidecar.process is not None
        self.sidecar.process.send_signal(signal.SIGTERM)

    def has_stopped(self) -> int:
        """Wait for its end; gives the exit status."""
        assert self.sidecar.process is not None
        return self.sidecar.process.wait(PATIENCE)


def run(seed: int, tasks: int) -> bool:
    """One deployment; prints its report."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, StrictCloudWatch() as cloudwatch:
        volume = Path(folder)
        shared = volume / "logs" / "shared"
        functions = [Writer(shared / f"{name}.log", seed + name) for name in range(FUNCTIONS)]
        old, new = (
            [Task(volume, f"{age}{n}", cloudwatch, seed + n) for n in range(tasks)]
            for age in ("old", "new")
        )
        try:
            for writer in functions:
                writer.start()
            for task in old:
                task.start()
            for before, after in zip(old, new, strict=True):
                after.start()
                time.sleep(chance.uniform(0.0, 2.0))
                before.begin_to_stop()
            statuses = [task.has_stopped() for task in old]
            for writer in [*functions, *(task.app for task in new)]:
                writer.end()
            writers = [*functions, *(task.app for task in (*old, *new))]
            written = sum(len(writer.lines) for writer in writers)
            wait_for(lambda: _count(cloudwatch) >= written, PATIENCE)
            for task in new:
                task.begin_to_stop()
            statuses += [task.has_stopped() for task in new]
        finally:
            for task in (*old, *new):
                task.sidecar.kill()
        wrong = [each for writer in writers if (each := _complaint(cloudwatch, volume, writer))]
        strangers = {stream for _, stream in cloudwatch.all_events()} - {
            _stream(volume, writer) for writer in writers
        }
        print(
            f"rolling: seed {seed}, {tasks} tasks replaced, {written} lines of {len(writers)} "
            f"writers, exit statuses {dict(Counter(statuses))}, wrong streams {len(wrong)}, "
            f"other streams {sorted(strangers)}, violations {len(cloudwatch.violations)}",
            *wrong,
            sep="\n  ",
            flush=True,
        )
        return not (wrong or strangers or any(statuses) or cloudwatch.violations)


def _count(cloudwatch: StrictCloudWatch) -> int:
    return sum(len(events) for events in cloudwatch.all_events().values())


def _stream(volume: Path, writer: Writer) -> str:
    return str(writer.path.relative_to(volume / "logs"))


def _complaint(cloudwatch: StrictCloudWatch, volume: Path, writer: Writer) -> str:
    """What is wrong with a writer's stream, as CloudWatch shows it; empty when nothing is."""
    stream = _stream(volume, writer)
    events = sorted(cloudwatch.events(GROUP, stream), key=lambda event: event.timestamp)
    shown = [event.message for event in events]
    if shown == writer.lines:
        return ""
    stored, expected = Counter(shown), Counter(writer.lines)
    disorder = sum(one > other for one, other in pairwise(shown))
    lost, twice = (expected - stored).total(), (stored - expected).total()
    return f"{stream}: lost {lost}, twice {twice}, out of order {disorder}"

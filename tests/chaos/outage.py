"""An outage in real time: CloudWatch is gone for minutes while a writer goes on at 5 MB/s.

Prints what it took. Clean when nothing is lost or twice, memory stayed within `delivery.memory` of
what it was before, and the drain left nothing.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/outage"
BYTES_PER_SECOND = 5_000_000
LINE_BYTES = 100
ROTATE_BYTES = 100_000_000
BEFORE = AFTER = 30.0
"""Seconds of writing before the outage, and beyond it."""

MEMORY = 32 * 1024 * 1024
PATIENCE = 1800.0


def run(minutes: float) -> bool:
    """One outage; prints its report."""
    with tempfile.TemporaryDirectory() as folder, StrictCloudWatch() as cloudwatch:
        volume = Path(folder)
        (volume / "logs").mkdir()
        settings = {
            "state_dir": str(volume / "state"),
            "log_group": GROUP,
            "logs": [{"include": [f"{volume}/logs/*.log"], "timestamp": "arrival"}],
            "delivery": {"memory": MEMORY},
        }
        sidecar = RunningSidecar(volume, settings, cloudwatch.environment())
        with sidecar, writing(volume / "logs" / "app.log") as writer:
            usage = Usage(sidecar)
            usage.watch(BEFORE)
            before = usage.peak
            with cloudwatch_down(cloudwatch):
                usage.watch(60.0 * minutes)
                during, degraded = usage.peak, sidecar.status()["degraded"]
                backlog = sidecar.status()["backlog"]["bytes"]
            ended, stored = time.monotonic(), cloudwatch.count()
            wait_for(lambda: cloudwatch.count() > stored, PATIENCE)
            first = time.monotonic() - ended
            rates = Rates(cloudwatch)
            rates.watch(AFTER, lambda: sidecar.status()["backlog"]["bytes"] > BYTES_PER_SECOND)
            caught_up = time.monotonic() - ended
            usage.watch(1.0)
            writer.set()
            wait_for(lambda: sidecar.status()["backlog"]["bytes"] == 0, PATIENCE)
            totals = sidecar.status()["totals"]
            status = sidecar.terminate(PATIENCE)
        written, lost, twice = compared(volume / "logs", cloudwatch)
        counted = totals["possible_duplicates"]
        print(
            f"outage of {minutes:g} minutes at {BYTES_PER_SECOND / 1e6:g} MB/s: {written} lines, "
            f"lost {lost}, twice {twice}, possible_duplicates {counted}, "
            f"exit status {status}, violations {len(cloudwatch.violations)}\n"
            f"  memory: {before >> 20} MiB before, {during >> 20} MiB at the most during the "
            f"outage, {usage.peak >> 20} MiB after; descriptors at most {usage.descriptors}\n"
            f"  backlog at its end {backlog / 1e6:.0f} MB; first event after {first:.1f} s; "
            f"MB stored in each second after: {rates.described()}; "
            f"caught up after {caught_up:.0f} s\n"
            f"  degraded: {degraded}",
            flush=True,
        )
        flat = during <= before + MEMORY
        return not (lost or twice or counted or status or cloudwatch.violations) and flat


@contextmanager
def cloudwatch_down(cloudwatch: StrictCloudWatch) -> Iterator[None]:
    """Nothing listens."""
    fault = cloudwatch.faults.add("down")
    yield
    cloudwatch.faults.clear(fault)


@contextmanager
def writing(path: Path) -> Iterator[threading.Event]:
    """Write numbered lines to `path` until the block ends or the event is set; rotate by size."""
    stop = threading.Event()
    thread = threading.Thread(target=_write, args=(path, stop))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def _write(path: Path, stop: threading.Event) -> None:
    lines = BYTES_PER_SECOND // LINE_BYTES // 10
    began = time.monotonic()
    filling = "x" * (LINE_BYTES - 11)
    generation = 0
    for step in count():
        first = step * lines
        text = "".join(f"{number:09d} {filling}\n" for number in range(first, first + lines))
        with path.open("a") as file:
            file.write(text)
            size = file.tell()
        if size > ROTATE_BYTES:
            generation += 1
            path.rename(path.with_name(f"{path.name}.{generation}"))
        if stop.wait(max(0.0, began + (step + 1) / 10 - time.monotonic())):
            return


class Usage:
    """The most memory and descriptors that the sidecar was seen to take since the last `watch`."""

    def __init__(self, sidecar: RunningSidecar) -> None:
        assert sidecar.process is not None
        self._folder = Path(f"/proc/{sidecar.process.pid}")
        self.peak = self.descriptors = 0

    def watch(self, seconds: float) -> None:
        """Look once a second for so long."""
        self.peak = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status = (self._folder / "status").read_text().splitlines()
            resident = next(line for line in status if line.startswith("VmRSS:"))
            self.peak = max(self.peak, int(resident.split()[1]) * 1024)
            self.descriptors = max(self.descriptors, len(list((self._folder / "fd").iterdir())))
            time.sleep(1.0)


class Rates:
    """What CloudWatch stores, second by second."""

    def __init__(self, cloudwatch: StrictCloudWatch) -> None:
        self._cloudwatch = cloudwatch
        self._seconds: list[float] = []

    def watch(self, seconds: float, goes_on: Any) -> None:
        """For so long, and while it `goes_on`."""
        until = time.monotonic() + seconds
        while time.monotonic() < until or goes_on():
            before = self._cloudwatch.count()
            time.sleep(1.0)
            self._seconds.append((self._cloudwatch.count() - before) * LINE_BYTES / 1e6)

    def described(self) -> str:
        """The first ten."""
        return ", ".join(f"{each:.0f}" for each in self._seconds[:10])


def compared(logs: Path, cloudwatch: StrictCloudWatch) -> tuple[int, int, int]:
    """Lines written, lost, and stored too often; the number at a line's start tells them apart."""
    size = sum(path.stat().st_size for path in logs.iterdir())
    written = size // LINE_BYTES
    seen = bytearray(written)
    twice = 0
    for batch in cloudwatch.store.batches(GROUP, "app.log"):
        for message in batch.messages():
            number = int(message[:9])
            twice += seen[number]
            seen[number] = 1
    return written, written - sum(seen), twice

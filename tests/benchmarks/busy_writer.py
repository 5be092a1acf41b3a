"""Processor time of a `sidecar run` beside a writer of many small writes: what being woken costs.

`python -m tests.benchmarks.busy_writer [WRITES A SECOND]`, 20,000 by default, for ten seconds.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.running import processor_seconds, seconds_until, sidecar_over
from tests.support.cloudwatch import StrictCloudWatch

SECONDS = 10
LINE = b"a short line of a busy writer, written by itself\n"


def main() -> None:
    """Print the processor time, and how long after the last write everything was delivered."""
    rate = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as name, StrictCloudWatch() as cloudwatch:
        folder = Path(name)
        (folder / "logs").mkdir()
        with sidecar_over(folder, cloudwatch, {"timestamp": "arrival"}) as sidecar:
            started = processor_seconds(sidecar)
            written = 0
            with (folder / "logs/busy.log").open("ab", buffering=0) as file:
                began = time.monotonic()
                while (now := time.monotonic() - began) < SECONDS:
                    while written < now * rate:
                        file.write(LINE)
                        written += 1
                    time.sleep(0.001)
            used = processor_seconds(sidecar) - started
            late = seconds_until(lambda: sidecar.status()["totals"]["events_delivered"] == written)
            print(
                f"{written} writes in {SECONDS} s, {written * len(LINE) / SECONDS / 1e6:.2f} MB/s"
            )
            print(f"processor              {used / SECONDS * 100:8.1f} % of a core")
            print(f"delivered              {late:8.2f} s after the last write")


if __name__ == "__main__":
    main()

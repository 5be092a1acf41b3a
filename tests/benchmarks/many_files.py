"""What many files cost: time to the first event, memory, descriptors, metadata operations.

`python -m tests.benchmarks.many_files [COUNT]`, 10,000 by default: a real `sidecar run` with the
configuration's defaults over COUNT files of ten lines in directories of a hundred.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.running import (
    most_memory,
    open_files,
    processor_seconds,
    seconds_until,
    sidecar_over,
)
from tests.support.cloudwatch import StrictCloudWatch

LINES = 10
IDLE_SECONDS = 15.0


def main() -> None:
    """Print one line a figure."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as name, StrictCloudWatch() as cloudwatch:
        folder = Path(name)
        for number in range(count):
            path = folder / f"logs/{number // 100:04d}/{number:06d}.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"file {number} line {line}\n" for line in range(LINES)))
        with sidecar_over(folder, cloudwatch, {"log_stream": "{task}"}) as sidecar:
            said = time.monotonic()
            first = seconds_until(lambda: cloudwatch.requests["PutLogEvents"])
            seconds_until(lambda: sidecar.status()["totals"]["events_delivered"] == count * LINES)
            every = time.monotonic() - said
            at_start = sidecar.status()["totals"]["metadata_operations"]
            busy = processor_seconds(sidecar)
            time.sleep(IDLE_SECONDS)
            poll = sidecar.status()["poll"]
            idle = (processor_seconds(sidecar) - busy) / IDLE_SECONDS
            print(f"{count} files, {count * LINES} lines, one stream")
            print(f"first event            {first:8.2f} s after the start was logged")
            print(f"all events             {every:8.2f} s")
            print(f"processor, until then  {busy:8.2f} s, interpreter's start included")
            print(f"processor, idle        {idle * 100:8.1f} % of a core")
            print(f"largest resident set   {most_memory(sidecar):8.0f} MiB")
            print(f"open files             {open_files(sidecar):8d}")
            print(f"metadata operations    {at_start:8d} at the start: look and read")
            print(f"  a second afterwards  {poll['operations_per_second']:8.1f}")
            hot, cold = poll["hot_seconds"], poll["cold_seconds"]
            print(f"effective intervals    {hot:8.1f} s hot, {cold} s cold")


if __name__ == "__main__":
    main()

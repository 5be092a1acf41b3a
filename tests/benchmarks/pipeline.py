"""Processor time of a whole `sidecar run` a GB of lines, read from files that lie there.

`python -m tests.benchmarks.pipeline [MB]`, 200 by default, for each kind of line.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.benchmarks.running import (
    most_memory,
    processor_seconds,
    seconds_until,
    sidecar_over,
)
from tests.support.cloudwatch import StrictCloudWatch

TEXT = "GET /datasets/{n} answered 200 after some milliseconds, as it mostly does, from host-{n}"
JSON = '{{"timestamp": "{t}", "level": "info", "n": {n}, "event": "' + TEXT + '"}}'
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "text, arrival": (TEXT, {"timestamp": "arrival"}),
    "text, ISO time": ("{t} INFO " + TEXT, {}),
    "JSON, ISO time": (JSON, {}),
}


def main() -> None:
    """Print one line a kind."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    for kind, (form, entry) in KINDS.items():
        with tempfile.TemporaryDirectory() as name, StrictCloudWatch() as cloudwatch:
            folder = Path(name)
            size, lines = written(folder / "logs", form, megabytes)
            with sidecar_over(folder, cloudwatch, entry) as sidecar:
                started = processor_seconds(sidecar)
                taken = seconds_until(
                    lambda n=lines: sidecar.status()["totals"]["events_delivered"] >= n  # type: ignore[misc]
                )
                used = processor_seconds(sidecar) - started
                print(
                    f"{kind:<16} {used / size * 1e9:6.1f} processor s/GB,"
                    f" {size / taken / 1e6:5.0f} MB/s, {most_memory(sidecar):4.0f} MiB",
                    flush=True,
                )


def written(folder: Path, form: str, megabytes: int) -> tuple[int, int]:
    """Four files of the form's lines; their bytes and lines."""
    began = datetime.now(UTC) - timedelta(hours=1)
    folder.mkdir()
    size = lines = 0
    for number in range(4):
        with (folder / f"{number}.log").open("w") as file:
            part = 0
            while part < megabytes * 1_000_000 // 4:
                at = began + timedelta(milliseconds=lines // 8)
                line = form.format(n=lines, t=at.isoformat(timespec="milliseconds"))
                part += file.write(line + "\n")
                lines += 1
            size += part
    return size, lines


if __name__ == "__main__":
    main()

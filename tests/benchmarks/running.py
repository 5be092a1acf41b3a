"""What a benchmark reads of a running `sidecar run`: its processor time, memory, files, status."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar

GROUP = "/bench"


def sidecar_over(
    folder: Path, cloudwatch: StrictCloudWatch, entry: dict[str, Any], **settings: Any
) -> RunningSidecar:
    """A sidecar that reads `folder`/logs, with the configuration's defaults but for `entry`."""
    return RunningSidecar(
        folder,
        {
            "state_dir": str(folder / "state"),
            "log_group": GROUP,
            "logs": [{"include": [f"{folder}/logs/**/*.log"]} | entry],
            **settings,
        },
        cloudwatch.environment(),
    )


def processor_seconds(sidecar: RunningSidecar) -> float:
    """User and system time of the process so far."""
    fields = Path(f"/proc/{process_id(sidecar)}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def most_memory(sidecar: RunningSidecar) -> float:
    """The largest resident set so far, in MiB."""
    for line in Path(f"/proc/{process_id(sidecar)}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def open_files(sidecar: RunningSidecar) -> int:
    return len(list(Path(f"/proc/{process_id(sidecar)}/fd").iterdir()))


def seconds_until(condition: Callable[[], object], patience: float = 300.0) -> float:
    """How long it takes from now until the condition holds."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience:
            raise TimeoutError(f"not within {patience} s")
        time.sleep(0.2)  # asking costs the sidecar, too
    return time.monotonic() - began


def process_id(sidecar: RunningSidecar) -> int:
    assert sidecar.process is not None
    return sidecar.process.pid

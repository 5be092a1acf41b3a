"""What sharing a volume costs: operations a second of each task, with 1, 10 and more tasks on it.

`python -m tests.benchmarks.members [TASKS…]`, 1 and 10 by default: so many real `sidecar run`
processes on one volume, first with nothing to look at, so that sharing is all there is, then with
the configuration's defaults and a line a second in a file of each task. Figures are the sidecars'
own counters; where strace is installed, the system calls of one of them on the volume as well.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.benchmarks.running import GROUP, process_id
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

SECONDS = 30.0
TRACED_SECONDS = 15.0
NOTHING_TO_LOOK_AT = {"hot": "1h", "cold": "1h"}

# EFS, elastic throughput: a metadata operation is billed as 4 KiB read, an fsync as 32 KiB written.
DOLLARS_READ, DOLLARS_WRITTEN = 0.03 / 2**18, 0.06 / 2**15

CALLS = (
    "openat,open,statx,newfstatat,fstat,getdents64,flock,link,linkat,rename,unlink,mkdir,rmdir,"
    "read,pread64,write,pwrite64,fsync,fdatasync"
)


def main() -> None:
    """Print a line for each number of tasks and kind of work."""
    numbers = [int(each) for each in sys.argv[1:]] or [1, 10]
    print("tasks  work          operations/s a task   heartbeats/s   all together/s   $ a day")
    for tasks in numbers:
        for work, poll in (("sharing alone", NOTHING_TO_LOOK_AT), ("a line a second", {})):
            measure(tasks, work, poll)


def measure(tasks: int, work: str, poll: dict[str, str]) -> None:
    """Run so many sidecars and print what they did in `SECONDS`."""
    with (
        tempfile.TemporaryDirectory() as name,
        StrictCloudWatch() as cloudwatch,
        ExitStack() as all_,
    ):
        folder = Path(name)
        (folder / "volume/logs").mkdir(parents=True)
        members = [
            all_.enter_context(sidecar_of(folder, f"task{number}", poll, cloudwatch))
            for number in range(tasks)
        ]
        wait_for(lambda: all(_knows(each, tasks) for each in members), 300.0)
        stop = threading.Event()
        writer = threading.Thread(target=write, args=(folder, tasks, stop))
        if not poll:
            writer.start()
        time.sleep(SECONDS / 3)  # what came with the start is over
        for each in members:
            each.status()  # who is asked for the first time reads the others' ledgers
        before = [_counted(each) for each in members]
        began = time.monotonic()
        time.sleep(SECONDS)
        spent = sum(_counted(each) - was for each, was in zip(members, before, strict=True))
        rate = spent / (time.monotonic() - began) / tasks
        beats = 1 / 3
        # Of a heartbeat's two operations the fsync is billed as written, the other goes with it.
        dollars = 86_400 * tasks * ((rate - 2 * beats) * DOLLARS_READ + beats * DOLLARS_WRITTEN)
        figures = f"{rate:19.2f}   {beats:12.2f}   {rate * tasks:14.1f}   {dollars:7.2f}"
        print(f"{tasks:5}  {work:<15}{figures}")
        for call, count in traced(members[0], folder / "volume").most_common():
            print(f"         {count / TRACED_SECONDS:6.2f} {call}/s")
        stop.set()
        if not poll:
            writer.join()


def sidecar_of(
    folder: Path, task: str, poll: dict[str, str], cloudwatch: StrictCloudWatch
) -> RunningSidecar:
    """A sidecar of this task, with the defaults but for `poll`."""
    own = folder / task
    own.mkdir()
    settings: dict[str, Any] = {
        "task": task,
        "state_dir": f"{folder}/volume/state",
        "log_group": GROUP,
        "logs": [{"include": [f"{folder}/volume/logs/**/*.log"]}],
        "poll": poll,
    }
    return RunningSidecar(own, settings, cloudwatch.environment())


def write(folder: Path, tasks: int, stop: threading.Event) -> None:
    """A line a second in a file of each task."""
    number = 0
    while not stop.wait(1.0):
        for task in range(tasks):
            path = folder / f"volume/logs/task{task}/app.log"
            path.parent.mkdir(exist_ok=True)
            with path.open("a") as file:
                file.write(f"line {number}\n")
        number += 1


def traced(member: RunningSidecar, volume: Path) -> Counter[str]:
    """The system calls on the volume in `TRACED_SECONDS`; none without strace."""
    strace = shutil.which("strace")
    calls: Counter[str] = Counter()
    if strace is None:
        return calls
    command = [strace, "-f", "-qq", "-y", "-e", f"trace={CALLS}", "-p", str(process_id(member))]
    with tempfile.NamedTemporaryFile() as output:
        with subprocess.Popen([*command, "-o", output.name]) as process:
            time.sleep(TRACED_SECONDS)
            process.send_signal(signal.SIGINT)
        for line in Path(output.name).read_text(errors="replace").splitlines():
            call = re.match(r"\d+ +(\w+)\(", line)
            if call and str(volume) in line:
                calls[call[1]] += 1
    return calls


def _knows(member: RunningSidecar, tasks: int) -> bool:
    return len(member.status()["members"]) == tasks


def _counted(member: RunningSidecar) -> int:
    """Operations so far."""
    totals = member.status()["totals"]
    return int(totals["metadata_operations"] + totals["data_operations"] + totals["journal_syncs"])


if __name__ == "__main__":
    main()

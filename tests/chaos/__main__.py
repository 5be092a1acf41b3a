"""`python -m tests.chaos`: what must not lose or double anything, for as long as one likes.

--minutes N    a soak: real processes under SIGKILL and faults, and random programs beside them
--kills N      SIGKILL at random moments while large files are shipped
--programs N   random programs over files, faults and deaths, in this process
--tasks N      a rolling deployment of so many tasks under traffic
--outage N     so many real minutes without CloudWatch, while a writer goes on

Exit status 0 when nothing is lost or twice; the report's seed repeats a run.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import time

from tests.chaos import kills, outage, programs, rolling, soak


def main() -> int:
    parser = argparse.ArgumentParser(description="Nothing lost, nothing twice, whatever happens.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--kills", type=int)
    parser.add_argument("--megabytes", type=float, default=20.0, help="of each file, with --kills")
    parser.add_argument(
        "--mode", choices=kills.MODES, action="append", help="of time, with --kills"
    )
    parser.add_argument("--programs", type=int)
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--outage", type=float)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    seed = options.seed
    if options.kills is not None:
        modes = options.mode or kills.MODES
        return 0 if kills.run(seed, options.kills, options.megabytes, modes) else 1
    if options.programs is not None:
        report = programs.run(seed, count=options.programs)
        print(report.described())
        return 0 if report.is_clean else 1
    if options.tasks is not None:
        return 0 if rolling.run(seed, options.tasks) else 1
    if options.outage is not None:
        return 0 if outage.run(options.outage) else 1
    return 0 if soaked(seed, options.minutes) else 1


def soaked(seed: int, minutes: float) -> bool:
    """Programs in a process of their own meanwhile: they would hold up the doubles' threads."""
    until = time.monotonic() + 60.0 * minutes
    beside = [sys.executable, "-m", "tests.chaos.programs", str(seed), str(minutes)]
    with subprocess.Popen(beside) as child:
        clean = soak.run(seed, until)
        return child.wait() == 0 and clean


if __name__ == "__main__":
    sys.exit(main())

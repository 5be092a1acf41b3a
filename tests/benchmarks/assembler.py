"""How fast bytes become records: ``python -m tests.benchmarks.assembler [MEGABYTES]``.

One run prints every case beside the same run's cheapest possible reading (split and decode), so
that ratios can be compared between machines.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from sidecar.model.assembler import Assembler
from sidecar.model.assembly_rules import AssemblyRules

FEED = 1 << 20
NOW = 1_795_424_329_000
LINES = 1000


def stamp(index: int) -> str:
    """A time with milliseconds, ten lines a second."""
    clock = f"08:{index // 600 % 60:02}:{index // 10 % 60:02}"
    return f"2026-11-23T{clock}.{index * 7 % 1000:03}Z"


def text_line(index: int, size: int) -> str:
    """A line with an ISO time, as a service writes it."""
    head = (
        f"2026-11-23T08:{index // 100 % 60:02}:{index // 10 % 60:02}.{index * 7 % 1000:03}Z INFO "
    )
    return head + f"request {index} served ".ljust(size - len(head) - 1, "x")


def json_line(index: int, size: int) -> str:
    """A JSON line, its time first, as structlog writes it."""
    head = f'{{"timestamp":"{stamp(index)}","level":"info","request":{index},"event":"'
    return head.ljust(size - 3, "x") + '"}'


def block(make: Callable[[int, int], str], size: int) -> bytes:
    """About FEED bytes of lines of ``size`` bytes each, line feed included."""
    lines = [make(index, size) for index in range(FEED // size)]
    return "".join(line + "\n" for line in lines).encode()


def speed(rules: AssemblyRules | None, source: bytes, megabytes: int) -> float:
    """MB/s of CPU time over ``megabytes`` of ``source`` again and again."""
    assembler = None if rules is None else Assembler(rules, stream="s")
    offset = 0
    begin = time.process_time()
    while offset < megabytes << 20:
        if assembler is None:
            source.decode().split("\n")
        else:
            consumed = assembler.feed(source, offset, NOW).consumed
            assert consumed == offset + len(source)
        offset += len(source)
    return offset / (time.process_time() - begin) / 1e6


def main() -> None:
    """Print the table."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 32
    arrival, auto = AssemblyRules.of(timestamp="arrival"), AssemblyRules.of()
    euro = AssemblyRules.of(drop=["DEBUG"])
    cases = {
        "split and decode only": (None, text_line),
        "arrival": (arrival, text_line),
        "arrival, not ASCII": (arrival, lambda i, n: text_line(i, n - 2) + "é"),
        "ISO text, auto": (auto, text_line),
        "JSON, auto": (auto, json_line),
        "ISO text, auto, one drop rule": (euro, text_line),
    }
    print(f"{'case':32}{'100 B lines':>20}{'1 kB lines':>20}")
    base: dict[int, float] = {}
    for name, (rules, make) in cases.items():
        row = f"{name:32}"
        for size in (100, 1000):
            rate = speed(rules, block(make, size), megabytes)
            base.setdefault(size, rate)
            row += f"{rate:9.0f} MB/s {rate / base[size]:5.2f}"
        print(row)


if __name__ == "__main__":
    main()

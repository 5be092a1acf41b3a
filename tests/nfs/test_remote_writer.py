"""M05, D04, L02: what a writer on host a does is seen by the sidecar on host b, by looking."""

from __future__ import annotations

import os
import statistics
import time

from tests.nfs import files
from tests.nfs.hosts import Host
from tests.nfs.volume import Volume, eventually

QUIET_OPERATIONS = (0, 5, 1, 7, 3, 6)
"""How many operations a file stays quiet before its next line: what a host has cached, it believes
for seconds from when it cached it, and a line may fall anywhere into them."""

MOST_OPERATIONS = 10
"""From a line's fsync to its arrival. In an interval of `poll.hot` the file, its directory and the
members cost about four; one look may just have begun, and one more may come while the line is sent.
A sidecar that is answered from its host's cache needs several intervals."""


def test_m05_a_line_of_another_host_arrives_at_the_next_look(
    volume: Volume, a: Host, b: Host, measured: list[str]
) -> None:
    """Lines written with fsync on a arrive from the sidecar on b in order, each within an interval.

    Catches: looking with fstat on the held descriptor, which b's cache answers for seconds.
    """
    volume.write(a, "w.log", 1)
    with volume.sidecar(b, poll={"hot": "1s"}) as sidecar:
        volume.wait_until_shipped()
        operations, seconds = [], []
        for quiet in QUIET_OPERATIONS:
            sidecar.spend(quiet)
            volume.write(a, "w.log", 1)
            before, written = sidecar.operations, time.monotonic()
            volume.wait_until_shipped()
            seconds.append(time.monotonic() - written)
            operations.append(sidecar.operations - before)
        measured.append(
            f"from a's fsync to arrival through b {min(seconds):.1f} / "
            f"{statistics.median(seconds):.1f} / {max(seconds):.1f} s (min, median, max), "
            f"operations {operations}"
        )
        assert volume.complaints() == []
        assert max(operations) <= MOST_OPERATIONS


def test_m05_a_burst_of_another_host_arrives_whole_and_in_order(
    volume: Volume, a: Host, b: Host
) -> None:
    """Several writers on a, thousands of lines each, are shipped by b: none lost, doubled, moved.

    Catches: taking the size of one look for the end of the file at the next.
    """
    volume.write(a, "w0.log", 1)
    with volume.sidecar(b) as sidecar:
        for _ in range(4):
            for number in range(4):
                volume.write(a, f"w{number}.log", 1000)
        volume.wait_until_shipped()
        assert volume.complaints() == []
        assert sidecar.terminate() == 0


def test_m05_the_first_file_of_another_host_is_found_at_the_next_look(
    volume: Volume, a: Host, b: Host
) -> None:
    """A directory that was empty since the start is looked at like any other that is new.

    Catches: taking a directory that was never seen to change for one that is quiet since ever.
    """
    logs = [
        {"include": [f"{volume.logs}/{directory}/*.log"], "root": str(volume.logs)}
        for directory in ("busy", "empty")
    ]
    for directory in ("busy", "empty"):
        a.do(os.makedirs, volume.path(directory))
    volume.write(a, "busy/w.log", 1)
    # What it took for quiet it would not look at while this test is patient.
    with volume.sidecar(b, logs=logs, poll={"hot": "200ms", "cold": "1h"}) as sidecar:
        volume.wait_until_shipped()
        sidecar.spend(10)
        volume.write(a, "empty/w.log", 1)
        volume.write(a, "busy/w.log", 1)
        volume.wait_until_shipped()
        assert volume.complaints() == []


def test_l02_a_line_that_another_host_writes_in_pieces_is_one_event(
    volume: Volume, a: Host, b: Host
) -> None:
    """A partial line waits for its line feed, though its pieces come from elsewhere.

    Catches: shipping what was read up to the end of the file.
    """
    volume.write(a, "w.log", 1)
    with volume.sidecar(b) as sidecar:
        volume.wait_until_shipped()
        (line,) = volume.lines("w.log", 1)
        descriptor = a.do(os.open, volume.path("w.log"), os.O_WRONLY | os.O_APPEND)
        for piece in (line[:5], line[5:9]):
            before = sidecar.partial_bytes
            a.do(os.write, descriptor, piece.encode())
            a.do(os.fsync, descriptor)
            eventually(lambda before=before: sidecar.partial_bytes > before)
        a.do(os.write, descriptor, f"{line[9:]}\n".encode())
        a.do(os.close, descriptor)
        volume.wait_until_shipped()
        assert volume.complaints() == []


def test_d04_a_file_renamed_into_place_by_another_host_is_found_once(
    volume: Volume, a: Host, b: Host
) -> None:
    """A file made under a temporary name on a is shipped from byte 0 under its own, and once.

    Catches: taking the new name of a known inode for another file.
    """
    volume.write(a, "first.log", 1)
    with volume.sidecar(b):
        volume.wait_until_shipped()
        a.do(os.makedirs, volume.path("deep/er"))
        lines = volume.lines("deep/er/w.log", 50)
        a.do(files.append, volume.path("deep/er/.w.tmp"), lines)
        a.do(os.rename, volume.path("deep/er/.w.tmp"), volume.path("deep/er/w.log"))
        volume.wait_until_shipped()
        volume.write(a, "deep/er/w.log", 1)
        volume.wait_until_shipped()
        assert volume.complaints() == []

"""C01, C02, C04 through real processes: stops, kills at any moment, damaged state."""

from __future__ import annotations

import json
import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sidecar.model.journal import VERSION
from tests.integration.commands.shell import sidecar as run_to_its_end
from tests.integration.delivering.stepped import GROUP, append, fates_add_up
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch that must see nothing unlawful."""
    with StrictCloudWatch() as double:
        yield double
        assert double.violations == []


def running(folder: Path, cloudwatch: StrictCloudWatch, **changes: Any) -> RunningSidecar:
    """A sidecar for folder/logs, not started yet."""
    settings: dict[str, Any] = {
        "state_dir": str(folder / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{folder}/logs/**/*.log"]}],
        "poll": {"hot": "100ms", "cold": "1s"},
        "drain": {"quiet": "100ms", "deadline": "60s"},
    }
    return RunningSidecar(folder, settings | changes, cloudwatch.environment())


def is_settled(sidecar: RunningSidecar, *paths: Path) -> bool:
    """Are these files acknowledged to their ends?"""
    known = {source["path"]: source["acknowledged"] for source in sidecar.status()["sources"]}
    return all(known.get(str(path)) == path.stat().st_size for path in paths)


def holds_more_than(cloudwatch: StrictCloudWatch, events: int) -> bool:
    """Has it stored more than so many events, doubled ones included?"""
    return cloudwatch.count() > events


def numbered(first: int, last: int, filling: str = "") -> list[str]:
    return [f"line {number:07d} {filling}".rstrip() for number in range(first, last)]


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_c01_clean_stop_and_start_lose_and_double_nothing(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Three lives, each stopped by SIGTERM while the file grows in between: every line once.

    Catches: a drain that ends before the last answer, or a snapshot that is not read at start.
    """
    path = tmp_path / "logs" / "a.log"
    sidecar = running(tmp_path, cloudwatch)
    lines = numbered(0, 3000)
    for life in range(3):
        append(path, text(lines[life * 1000 : life * 1000 + 900]))
        with sidecar:
            append(path, text(lines[life * 1000 + 900 : life * 1000 + 1000]))
            assert sidecar.terminate() == 0
    assert cloudwatch.messages(GROUP, "a.log") == lines


def test_c02_sigkill_at_any_moment_loses_nothing_and_doubles_nothing(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """20 MB of unique lines, seven kills at random moments: all stored, once, in order.

    What was under way is asked for. Catches: a checkpoint written before the answer, an intent
    written after the request, or a take-over that reads the ranges of its intents at once.
    """
    random_ = random.Random(20261123)
    paths = [tmp_path / "logs" / f"{number}.log" for number in range(4)]
    filling = "x" * 188
    lines = [[f"file {n} {line}" for line in numbered(0, 25_000, filling)] for n in range(4)]
    for path, content in zip(paths, lines, strict=True):
        append(path, text(content))
    total = sum(map(len, lines))
    sidecar = running(tmp_path, cloudwatch, delivery={"in_flight": 4})
    slow = cloudwatch.faults.add("slow", operation="PutLogEvents", seconds=0.05)
    killed_at = []
    for kill in range(7):
        stored = cloudwatch.count()
        goal = min(total - 1, stored + random_.randrange(total // 8))
        with sidecar:
            # Somewhere between the first request of this life and several MB further.
            wait_for(partial(holds_more_than, cloudwatch, goal))
            assert sidecar.process is not None
            assert sidecar.process.poll() is None
        killed_at.append(cloudwatch.count())
        if kill == 3:
            cloudwatch.faults.clear(slow)
            slow = cloudwatch.faults.add("slow", operation="PutLogEvents", seconds=0.02)
    cloudwatch.faults.clear()
    with sidecar:
        wait_for(lambda: is_settled(sidecar, *paths))
        status = sidecar.status()
        fates_add_up(status, *paths)
        assert sidecar.terminate() == 0

    assert killed_at[2] < total, "the first kills came while it was shipping"
    assert cloudwatch.requests["GetLogEvents"] > 0, "and hit requests under way"
    assert status["totals"]["possible_duplicates"] == 0
    for path, content in zip(paths, lines, strict=True):
        shown = sorted(cloudwatch.events(GROUP, path.name), key=lambda event: event.timestamp)
        assert [event.message for event in shown] == content


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _content: b"",
    "cut": lambda content: content[: len(content) * 2 // 3],
    "NUL": lambda content: bytes(len(content)),
    "newer": lambda content: newer(content),
}


def newer(content: bytes) -> bytes:
    """The file as a sidecar of a later version would have begun it."""
    first, _, rest = content.partition(b"\n")
    header = json.loads(first[9:])
    keys = [key for key, value in header.items() if key == "version" and value == VERSION]
    assert keys, header
    header[keys[0]] = 99
    body = json.dumps(header, separators=(",", ":")).encode()
    return b"%08x %s\n%s" % (zlib.crc32(body), body, rest)


def state_files(folder: Path, kind: str) -> list[Path]:
    """The member's files of one kind, the newest last."""
    found = (folder / "state" / "members").glob(f"*/{kind}.*")
    return sorted(found, key=lambda path: int(path.suffix[1:]))


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("kind", ["journal", "snapshot"])
def test_c04_damaged_state_is_loud_and_shipping_goes_on(
    tmp_path: Path, cloudwatch: StrictCloudWatch, kind: str, damage: str
) -> None:
    """The newest journal or snapshot is damaged: said in the log, every line still arrives.

    With a damaged snapshot the one before is used, so that nothing is sent twice. Catches: a
    damaged file that is fatal, taken for whole, or passed over in silence.
    """
    path = tmp_path / "logs" / "a.log"
    lines = numbered(0, 300)
    sidecar = running(tmp_path, cloudwatch)
    append(path, text(lines[:100]))
    with sidecar:
        wait_for(lambda: is_settled(sidecar, path))
        append(path, text(lines[100:200]))
        wait_for(lambda: is_settled(sidecar, path))
        if kind == "snapshot":
            assert sidecar.terminate() == 0
    damaged = state_files(tmp_path, kind)[-1]
    damaged.write_bytes(DAMAGE[damage](damaged.read_bytes()))
    append(path, text(lines[200:]))
    with sidecar:
        wait_for(lambda: is_settled(sidecar, path))
        said = [line for line in sidecar.log() if line["event"] == "journal_damaged"]
        # A last line that was cut is the mark of a kill, and no damage.
        quiet = kind == "journal" and damage == "cut"
        assert quiet or any(damaged.name in line["problem"] for line in said)
        assert quiet or all(line["level"] == "error" for line in said)
        assert sidecar.terminate() == 0

    counts = Counter(cloudwatch.messages(GROUP, "a.log"))
    assert sorted(counts) == lines
    if kind == "snapshot":
        assert counts.total() == len(lines), "the pair before the damaged snapshot knows it all"


def test_c04_state_of_a_newer_version_alone_is_refused_in_one_line(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Where all there is was written by a newer sidecar, the start is refused with status 2.

    The line names the file and what to do; nothing is sent and nothing changed. Catches: starting
    from nothing, which would send everything again.
    """
    path = tmp_path / "logs" / "a.log"
    append(path, "one\n")
    sidecar = running(tmp_path, cloudwatch)
    with sidecar:
        wait_for(lambda: is_settled(sidecar, path))
        assert sidecar.terminate() == 0
    files = [*state_files(tmp_path, "journal"), *state_files(tmp_path, "snapshot")]
    for file in files:
        file.write_bytes(newer(file.read_bytes()))
    before = {file: file.read_bytes() for file in files}

    result = run_to_its_end(
        "run", "--config", str(sidecar.config), environ=cloudwatch.environment()
    )

    assert result.returncode == 2
    [said] = [line for line in result.stderr.splitlines() if line.startswith("sidecar: ")]
    assert "newer" in said
    assert str(tmp_path / "state") in said
    assert "Traceback" not in result.stderr
    assert cloudwatch.messages(GROUP, "a.log") == ["one"]
    assert {file: file.read_bytes() for file in files} == before

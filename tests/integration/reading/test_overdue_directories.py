"""D08, I04: what waits for the budget, and what must not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.support.shipping import Shipping, append, everything_is_settled, lines

DIRECTORIES = 30
ARRIVAL: dict[str, Any] = {"timestamp": "arrival"}


@contextmanager
def in_debt(sidecar: Shipping) -> Iterator[None]:
    """Looks have cost more than the budget allows, and go on to."""
    with mock.patch.object(sidecar.shipper._budget, "has_room", return_value=False):
        yield


@pytest.fixture
def directories(tmp_path: Path) -> list[Path]:
    """All below the root, each with a file of its own."""
    found = [tmp_path / f"logs/{number:02d}" for number in range(DIRECTORIES)]
    for directory in found:
        append(directory / "a.log", ["first"])
    return found


def test_d08_one_directory_a_step_is_scanned_whatever_the_debt(
    tmp_path: Path, directories: list[Path]
) -> None:
    """With looks always in debt a rotation in each of many directories is found all the same, one
    directory in each step and no more.

    Catches: asking the budget before the first scan; scanning all that is due at any cost.
    """
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        for directory in directories:
            (directory / "a.log").rename(directory / "a.log.1")
            append(directory / "a.log", ["second"])
        found = [sidecar.totals.sources_claimed]
        with in_debt(sidecar):
            # The root has its turn among them.
            for _ in range(DIRECTORIES + 2):
                sidecar.step(1.0)
                found.append(sidecar.totals.sources_claimed)
        assert all(later - earlier <= 1 for earlier, later in pairwise(found))
        for directory in directories:
            assert sidecar.messages(f"{directory.name}/a.log") == ["first", "second"]


@pytest.mark.parametrize("rest", [0, 3])
def test_i04_moved_to_a_directory_that_is_scanned_late(
    tmp_path: Path, directories: list[Path], rest: int
) -> None:
    """Files that were moved to directories whose scans are overdue go on there: none is given up
    before its new place was looked into, and nothing of it is read twice.

    Catches: giving a file up some seconds after its name is gone, whatever was not scanned since.
    """
    with Shipping(tmp_path, entry=ARRIVAL, descriptors=1) as sidecar:
        sidecar.settle()
        for directory, to in zip(directories, directories[1:] + directories[:1], strict=True):
            append(directory / "a.log", lines("rest", rest))
            (directory / "a.log").rename(to / "moved.log")
        with in_debt(sidecar):
            for _ in range(2 * DIRECTORIES):
                sidecar.step(1.0)
        sidecar.pass_time(30)
        assert sidecar.streams() == [f"{directory.name}/a.log" for directory in directories]
        for stream in sidecar.streams():
            assert sidecar.messages(stream) == ["first", *lines("rest", rest)]
        size = sum(path.stat().st_size for path in tmp_path.rglob("*.log"))
        everything_is_settled(sidecar.status(), size)
        assert sidecar.status()["totals"]["bytes_gone"] == 0


def test_d08_a_backlog_is_read_whatever_the_debt(tmp_path: Path) -> None:
    """With looks always in debt, and CloudWatch away at first, many generations of several files
    are shipped, each stream in its order: what is known to be unread waits for older files and for
    room, never for the budget.

    Catches: asking the budget for each try of a file that waits for an older one of its stream, or
    for room.
    """
    expected: dict[str, list[str]] = {}
    for name in ("a.log", "b.log", "c.log"):
        path = tmp_path / "logs" / name
        for number in range(20, -1, -1):
            content = [f"{number} {index} {'x' * 200}" for index in range(2000)]
            append(path.with_name(f"{name}.{number}") if number else path, content)
            expected[name] = expected.get(name, []) + content
    with Shipping(tmp_path, entry=ARRIVAL, delivery={"memory": "8MiB"}) as sidecar:
        with in_debt(sidecar):
            for number in range(1000):
                sidecar.fake.down = number < 100
                sidecar.step()
        assert sidecar.status()["backlog"]["bytes"] == 0
        for name, content in expected.items():
            assert sidecar.messages(name) == content

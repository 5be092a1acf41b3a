"""D08: 10,000 files: what they cost is bounded."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.support.shipping import Shipping, append

FILES = 10_000
BUDGET = 50
SLACK = 2.0
"""Seconds of the budget that may be saved up, or owed."""

POLL: dict[str, Any] = {"hot": "1s", "cold": "60s", "budget": BUDGET}


def run(sidecar: Shipping, seconds: float) -> None:
    """A step without a status: to write one of 10,000 sources takes longer than the step."""
    sidecar.now += seconds
    sidecar.beat()
    sidecar.shipper.run_once(sidecar.now)


def test_d08_ten_thousand_files(tmp_path: Path) -> None:
    """All lines of 10,000 files arrive; descriptors stay within their bound; looks stay within the
    budget, and the intervals they really have are shown.

    Catches: a look that is not asked of the budget; a descriptor for each file.
    """
    for number in range(FILES):
        path = tmp_path / f"logs/{number // 100:03d}/{number:05d}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"line {number}\n")
    entry = {"timestamp": "arrival", "log_stream": "all"}
    with Shipping(tmp_path, entry=entry, poll=POLL, descriptors=128) as sidecar:
        for _ in range(20):
            sidecar.step()
        messages = sidecar.messages("all")
        assert sorted(messages) == sorted(f"line {number}" for number in range(FILES))
        assert len(sidecar.open_files()) <= 128
        spent, began = sidecar.shipper._budget.spent, sidecar.now
        while sidecar.now < began + 20:
            run(sidecar, 0.05)
        operations = sidecar.shipper._budget.spent - spent
        # A look at a closed file opens it, and is charged when that is known.
        assert operations <= BUDGET * (20 + SLACK)
        assert operations >= BUDGET * 10
        sidecar.step()
        poll = sidecar.status()["poll"]
        assert poll["stretched"] > 100
        assert poll["hot_seconds"] >= FILES / BUDGET
        assert poll["operations_per_second"] <= BUDGET * 1.1


def test_d08_a_hot_file_among_many_cold_ones(tmp_path: Path) -> None:
    """Where the budget does not suffice, a file that is written to is still looked at far sooner
    than its many quiet neighbours.

    Catches: one queue for all that is due, in which a hot file waits behind every cold one.
    """
    count = 4_000
    for number in range(count):
        path = tmp_path / f"logs/{number:05d}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"line {number}\n")
        os.utime(path, (time.time() - 86_400,) * 2)
    hot = tmp_path / "logs/hot.log"
    append(hot, ["first"])
    entry = {"timestamp": "arrival", "log_stream": "all"}
    with Shipping(tmp_path, entry=entry, poll=POLL, descriptors=8_000) as sidecar:
        for _ in range(20):
            sidecar.step()
        for number in range(200):
            append(hot, [f"hot {number}"])
            run(sidecar, 1.0)
        sidecar.step()
        behind = 200 - sum(text.startswith("hot ") for text in sidecar.messages("all"))
        assert behind <= 8


def test_d08_old_files_are_not_hot(tmp_path: Path) -> None:
    """Files that nobody has written to for a day do not stretch the intervals as hot ones would.

    Catches: taking each file for one that changed when it was found.
    """
    for number in range(1_000):
        path = tmp_path / f"logs/{number:05d}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"line {number}\n")
        os.utime(path, (time.time() - 86_400,) * 2)
    append(tmp_path / "logs/hot.log", ["first"])
    with Shipping(tmp_path, entry={"timestamp": "arrival"}, poll=POLL) as sidecar:
        for _ in range(20):
            sidecar.step()
        assert sidecar.status()["poll"]["hot_seconds"] == 1.0


def test_budget_is_kept_however_often_the_pump_steps(tmp_path: Path) -> None:
    """A busy writer that wakes the pump all the time does not make more looks than are allowed.

    Catches: taking one due look a step before the budget is asked.
    """
    for number in range(500):
        append(tmp_path / f"logs/{number}.log", ["line"])
    with Shipping(tmp_path, poll=POLL | {"budget": 10}) as sidecar:
        sidecar.settle()
        sidecar.pass_time(10)
        spent, began = sidecar.shipper._budget.spent, sidecar.now
        for _ in range(2000):
            run(sidecar, 0.005)
        assert sidecar.shipper._budget.spent - spent <= 10 * (sidecar.now - began + SLACK)

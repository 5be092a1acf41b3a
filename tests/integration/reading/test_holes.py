"""L08: runs of NULs, which over NFS may fill in later."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shipping import Shipping, append, lines

PATIENCE = 5.0
"""Seconds after which a run is believed (contract)."""


def fill(path: Path, offset: int, text: str) -> None:
    """Write in the middle of a file, as a delayed write of another connection does."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(text.encode())


@pytest.mark.parametrize("when", [0.1, 0.9])
def test_l08_a_hole_that_fills_in(tmp_path: Path, log: Path, when: float) -> None:
    """A run of NULs that becomes text within a second is shipped once, as what it became, and in
    its place; the lines before it do not wait.

    Catches: believing NULs at first sight; shipping what follows them first.
    """
    append(log, "one\n" + "\0" * 4 + "three\n")
    with Shipping(tmp_path, poll={"hot": "100ms", "cold": "100ms", "budget": 1000}) as sidecar:
        until = sidecar.now + when
        while sidecar.now < until:
            sidecar.step()
        assert sidecar.messages("app.log") == ["one"]
        fill(log, 4, "two\n")
        sidecar.settle()
        assert sidecar.messages("app.log") == ["one", "two", "three"]
        assert sidecar.totals.nul_bytes_skipped == 0
        assert "notes" not in sidecar.status()["sources"][0]


def test_l08_many_holes_that_stay(tmp_path: Path, log: Path) -> None:
    """Holes all over a file of megabytes are believed together, five seconds at most after they
    were there, however many; each NUL is counted, every line around them shipped in order.

    Catches: holding each hole for a second of its own.
    """
    text = lines("line " + "x" * 1000, 3000)
    with log.open("w") as file:
        for number, line in enumerate(text):
            file.write(f"{line}\n" + "\0" * 50 * (number % 100 == 99 and number < 2999))
    with Shipping(tmp_path, entry={"timestamp": "arrival"}) as sidecar:
        until = sidecar.now + PATIENCE
        while sidecar.now < until:
            sidecar.step()
        assert sidecar.messages("app.log") == text
        assert sidecar.totals.nul_bytes_skipped == 50 * 29
        assert sidecar.status()["backlog"]["bytes"] == 0


def test_l08_a_growing_file_with_holes_does_not_wait_for_ever(tmp_path: Path, log: Path) -> None:
    """A writer that leaves a new hole with each write holds nothing back for more than five
    seconds.

    Catches: starting a hole's second anew whenever the file grows.
    """
    with Shipping(tmp_path, entry={"timestamp": "arrival"}) as sidecar:
        for number in range(100):
            append(log, "\0" * 10 + f"line {number}\n")
            sidecar.step()
        shipped = len(sidecar.messages("app.log"))
        assert shipped >= 100 - PATIENCE * 10
        sidecar.pass_time(PATIENCE)
        assert sidecar.messages("app.log") == [f"line {number}" for number in range(100)]


def test_l08_a_drain_waits_for_a_hole(tmp_path: Path, log: Path) -> None:
    """A stop while a run is doubted ends when it is believed, with nothing left.

    Catches: counting what stands behind a held NUL as an incomplete line.
    """
    append(log, "one\n" + "\0" * 10 + "two\n")
    with Shipping(tmp_path) as sidecar:
        sidecar.step()
        assert sidecar.stop() == 0
        assert sidecar.messages("app.log") == ["one", "two"]


def test_l08_holes_over_a_restart(tmp_path: Path, log: Path) -> None:
    """A kill while a run is doubted loses nothing and ships nothing twice; a believed run is not
    counted again.

    Catches: a checkpoint behind a run that is not believed yet.
    """
    append(log, "one\n" + "\0" * 10 + "two\n")
    with Shipping(tmp_path) as sidecar:
        sidecar.step()
        sidecar.step()
        sidecar.restart(clean=False)
        fill(log, 4, "between..\n")
        sidecar.pass_time(PATIENCE)
        append(log, "\0" * 10 + "three\n")
        sidecar.pass_time(PATIENCE)
        sidecar.restart()
        append(log, ["four"])
        sidecar.settle()
        expected = ["one", "between..", "two", "three", "four"]
        assert sidecar.messages("app.log") == expected

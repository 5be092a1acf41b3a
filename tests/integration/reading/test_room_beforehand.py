"""L08: files that are made larger before they are written, as memory-mapped appenders do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.shipping import Shipping, append, lines, text

KIBI = 1024
ARRIVAL = {"timestamp": "arrival"}


class Appender:
    """Writes within room of `size` bytes, made at the beginning; cuts the rest off at its end."""

    def __init__(self, path: Path, size: int, *, sparse: bool = False) -> None:
        path.parent.mkdir(exist_ok=True)
        self.path, self.at = path, 0
        path.write_bytes(b"" if sparse else bytes(size))
        os.truncate(path, size)

    def write(self, content: str) -> None:
        with self.path.open("r+b") as file:
            file.seek(self.at)
            self.at += file.write(content.encode())

    def cut(self) -> None:
        os.truncate(self.path, self.at)


@pytest.mark.parametrize("size", [8 * KIBI, 300 * KIBI, 9 * KIBI * KIBI])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("kill", [False, True])
def test_l08_room_made_beforehand_fills_in(
    tmp_path: Path, size: int, sparse: bool, kill: bool
) -> None:
    """Each line is shipped when it is written, once, although the file never grows; what is empty
    is no backlog, and is cut off in the end without a line read again or counted as gone.

    Catches: NULs at a file's end believed, or looked at only when the file grows.
    """
    log = tmp_path / "logs/app.log"
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        sidecar.settle()
        appender = Appender(log, size, sparse=sparse)
        expected: list[str] = []
        for round_ in range(4):
            appender.write(text(more := lines(f"round {round_}", 40)) + "half")
            expected += more
            sidecar.pass_time(8)
            assert sidecar.messages("app.log") == expected
            assert sidecar.status()["backlog"]["bytes"] == 0
            if kill:
                sidecar.restart(clean=False)
                sidecar.pass_time(8)
            appender.write(" and whole\n")
            expected.append("half and whole")
        sidecar.pass_time(8)
        assert sidecar.stop() == 0
        appender.cut()
        sidecar.start()
        append(log, ["end"])
        sidecar.pass_time(8)
        assert sidecar.messages("app.log") == [*expected, "end"]
        assert (sidecar.totals.bytes_gone, sidecar.totals.nul_bytes_skipped) == (0, 0)


@pytest.mark.parametrize("size", [8 * KIBI, 9 * KIBI * KIBI])
@pytest.mark.parametrize("last", ["", "half"])
def test_l08_room_that_is_never_filled(tmp_path: Path, size: int, last: str) -> None:
    """Such a file, rotated as it is: its last line is shipped, the room is counted and named, and
    nothing is left.

    Catches: a file that is never read to its end; a last line with NULs.
    """
    log = tmp_path / "logs/app.log"
    with Shipping(tmp_path, entry=ARRIVAL | {"partial": "2s"}) as sidecar:
        sidecar.settle()
        appender = Appender(log, size)
        appender.write(text(lines("a", 40)) + last)
        sidecar.pass_time(8)
        log.rename(tmp_path / "logs/app.log.1")
        append(log, ["new"])
        sidecar.pass_time(20)
        assert sorted(sidecar.messages("app.log")) == sorted(
            [*lines("a", 40), "new", *([last] if last else [])]
        )
        assert sidecar.status()["backlog"]["bytes"] == 0
        assert sidecar.totals.nul_bytes_skipped == size - appender.at
        assert sidecar.stop() == 0


def test_l08_what_stands_far_behind_a_hole(tmp_path: Path) -> None:
    """A hole of megabytes with lines behind it is believed like any other, however long.

    Catches: a long run taken for room that nothing was written behind.
    """
    log = tmp_path / "logs/app.log"
    with Shipping(tmp_path, entry=ARRIVAL) as sidecar:
        append(log, "one\n")
        os.truncate(log, 9 * KIBI * KIBI)
        append(log, "two\n")
        sidecar.pass_time(5)
        assert sidecar.messages("app.log") == ["one", "two"]
        assert sidecar.status()["backlog"]["bytes"] == 0

"""T02 where the file that was copied is deleted rather than truncated, as by a move to another file
system, or by a rotation that ends before anybody looks."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.support.shipping import Shipping, append, lines

ENTRY = {"timestamp": "arrival"}


def copy_and_delete(log: Path, name: str = "app.log.1") -> Path:
    """Leave a copy of the file instead of it."""
    copy = log.with_name(name)
    shutil.copy(log, copy)
    log.unlink()
    return copy


@pytest.mark.parametrize("count", [2, 60])
@pytest.mark.parametrize("more", [0, 3])
@pytest.mark.parametrize("down", [None, "stopped", "killed"])
def test_t02_copy_of_a_deleted_file_holds_what_was_not_read(
    tmp_path: Path, log: Path, count: int, more: int, down: str | None
) -> None:
    """What was read is not read again from the copy; what was not comes from there.

    Catches: a copy that is a new file because the original is deleted, not truncated.
    """
    append(log, lines("old", count))
    with Shipping(tmp_path, entry=ENTRY) as sidecar:
        sidecar.settle()
        if down:
            sidecar.stop(clean=down == "stopped")
        append(log, lines("more", more))
        copy_and_delete(log)
        if down:
            sidecar.start()
        sidecar.pass_time(5)
        append(log, lines("new", 2))
        sidecar.pass_time(5)

        assert sidecar.messages("app.log") == [
            *lines("old", count),
            *lines("more", more),
            *lines("new", 2),
        ]
        assert sidecar.status()["backlog"]["bytes"] == 0


def test_t02_copy_that_was_seen_beside_its_original(tmp_path: Path, log: Path) -> None:
    """It held nothing new while the original lived, and does not once that is gone."""
    append(log, lines("old", 60))
    with Shipping(tmp_path, entry=ENTRY) as sidecar:
        sidecar.settle()
        shutil.copy(log, log.with_name("app.log.1"))
        sidecar.settle()
        log.unlink()
        sidecar.pass_time(30)

        assert sidecar.messages("app.log") == lines("old", 60)
        assert sidecar.status()["backlog"]["bytes"] == 0


@pytest.mark.parametrize("down", [False, True])
def test_r05_renamed_file_beside_its_copy(tmp_path: Path, log: Path, down: bool) -> None:
    """The file itself goes on, whatever its name; its copy is passed over.

    Catches: reading a record's file on in a copy though the file is there.
    """
    append(log, lines("old", 60))
    with Shipping(tmp_path, entry=ENTRY) as sidecar:
        sidecar.settle()
        if down:
            sidecar.stop(clean=False)
        shutil.copy(log, log.with_name("app.log.1"))
        log.rename(log.with_name("app.log.2"))
        append(log.with_name("app.log.2"), lines("last", 2))
        append(log, lines("new", 2))
        if down:
            sidecar.start()
        sidecar.pass_time(5)

        assert sidecar.messages("app.log") == [
            *lines("old", 60),
            *lines("last", 2),
            *lines("new", 2),
        ]
        assert sidecar.status()["backlog"]["bytes"] == 0


@pytest.mark.parametrize("same", [["ok"] * 200, ["starting", "listening on 8080", "bye"]])
@pytest.mark.parametrize("down", [False, True])
def test_r06_generation_that_is_like_a_deleted_one_is_shipped(
    tmp_path: Path, log: Path, same: list[str], down: bool
) -> None:
    """A file that was written and rotated unseen, with the lines of the one deleted before it, may
    be taken for no copy: it is shipped.

    Catches: taking lines that any file may have for a proof.
    """
    append(log, same)
    with Shipping(tmp_path, entry=ENTRY) as sidecar:
        sidecar.settle()
        if down:
            sidecar.stop(clean=False)
        append(log.with_name("app.log.1"), [*same, "end"])
        log.unlink()
        if down:
            sidecar.start()
        sidecar.pass_time(5)

        assert sidecar.messages("app.log") == [*same, *same, "end"]
        assert sidecar.status()["backlog"]["bytes"] == 0

"""R01, W02: the files of one stream are read one after the other, the older one first."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

from sidecar.settings import Settings
from sidecar.sources.discovery import Found
from sidecar.sources.identity import examination
from sidecar.sources.identity.candidate import Candidate, examine
from tests.integration.delivering.asking import Asked
from tests.integration.delivering.stepped import GROUP, append, settings_for, stepping

SHORT = [f"short {number}" for number in range(100)]
LONG = [f"long {number:06d} {'x' * 90}" for number in range(9000)]
"""More than a source reads in a turn."""


def by_arrival(volume: Path, **changes: object) -> Settings:
    logs = [{"include": [f"{volume}/logs/*.log"], "timestamp": "arrival"}]
    return settings_for(volume, logs=logs, **changes)


def lines(*of: list[str]) -> str:
    return "".join(f"{line}\n" for each in of for line in each)


def rotate(path: Path, content: str) -> None:
    """Rename the file away, and begin the next one with this."""
    path.rename(path.with_name(f"{path.name}.1"))
    append(path, content)


def test_r01_much_that_was_written_before_a_rotation_comes_before_the_next_file(
    tmp_path: Path,
) -> None:
    """A writer leaves more than a turn's worth behind in the old file: all of it is shown before
    the new file's first line, though no line has a time of its own.

    Catches: a new file that has its turn between two of the older one's.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    append(path, "first\n")
    with stepping(by_arrival(tmp_path), destination) as sidecar:
        sidecar.ship()
        append(path, lines(LONG))
        rotate(path, lines(SHORT))
        sidecar.ship()
        sidecar.until(lambda: "short 99" in destination.messages(GROUP, "a.log"))

    assert destination.messages(GROUP, "a.log") == ["first", *LONG, *SHORT]


def test_r05_a_rotation_while_files_are_looked_into_does_not_bring_the_newer_first(
    tmp_path: Path,
) -> None:
    """At a start a file's rotated sibling gets its next name between the scan and the look at it:
    its lines, which are older, come first all the same.

    Catches: admitting what was seen at rest of names that are being turned.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    older = path.with_name("a.log.1")
    append(older, lines(["older"]))
    append(path, lines(["newer"]))

    def while_it_rotates(found: Found, *rest: Any) -> Candidate | None:
        if found.path == str(older) and older.exists():
            older.rename(path.with_name("a.log.2"))
        return examine(found, *rest)

    with (
        mock.patch.object(examination, "examine", while_it_rotates),
        stepping(by_arrival(tmp_path), destination) as sidecar,
    ):
        sidecar.until(lambda: len(destination.messages(GROUP, "a.log")) == 2)

    assert destination.messages(GROUP, "a.log") == ["older", "newer"]

"""What became of dead letters that were sent again: beside them, and durable before and after.

`rejected/replays` is a file of its own, since a running sidecar appends to its letters. Before a
request the letters it carries are noted as under way, and afterwards what came of it. Whoever finds
letters under way knows that a replay was killed in between, and that they may be stored.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from sidecar.errors import StateError
from sidecar.model import json_text
from sidecar.registry.file_system import REAL
from sidecar.registry.letters import Key
from sidecar.registry.state_directory import REJECTED, unreadable, unusable

_NAME: Final = "replays"

Mark: TypeAlias = Literal["under way", "replayed", "refused", "waiting"]


def marks(state_dir: Path) -> dict[Key, tuple[Mark, str]]:
    """The latest mark of each letter that has one, with the reason of a refusal."""
    path = state_dir / REJECTED / _NAME
    found: dict[Key, tuple[Mark, str]] = {}
    try:
        with path.open("rb") as file:
            for line in file:
                try:
                    entry = json_text.loads(line)
                    mark = entry["mark"], str(entry.get("reason", ""))
                    for source, offset in entry["letters"]:
                        found[source, offset] = mark
                except (ValueError, TypeError, KeyError):
                    continue
    except (FileNotFoundError, NotADirectoryError):
        return found
    except OSError as error:
        raise unreadable(path, error) from error
    return found


class Replays:
    """Writes the marks; one process at a time, as the file's lock sees to."""

    def __init__(self, state_dir: Path) -> None:
        """Raises StateError where another replay is under way, or nothing can be written."""
        self._path = state_dir / REJECTED / _NAME
        try:
            self._descriptor = REAL.open_append(self._path)
        except OSError as error:
            raise unusable(self._path, "note what is sent again", error) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            if isinstance(error, BlockingIOError | PermissionError):
                raise StateError(
                    str(self._path), "another replay is under way", "wait until it has ended"
                ) from error
            raise unusable(self._path, "lock it", error) from error

    def mark(self, letters: Sequence[Key], mark: Mark, at_ms: int, reason: str = "") -> None:
        """Note it, durably. Raises StateError where the volume refuses: then nothing may be sent.

        It begins on a line of its own, since the last one may have been cut short.
        """
        entry = {"at": at_ms, "mark": mark, "reason": reason, "letters": letters}
        try:
            REAL.write_all(self._descriptor, b"\n" + json_text.dumps(entry) + b"\n")
            REAL.sync(self._descriptor)
        except OSError as error:
            raise unusable(self._path, "note what is sent again", error) from error

    def close(self) -> None:
        """Let file and lock go."""
        os.close(self._descriptor)

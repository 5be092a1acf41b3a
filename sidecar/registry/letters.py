"""Reads the dead letters of all members, while they may still be written to."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sidecar.model import json_text
from sidecar.registry.rejected import DeadLetter
from sidecar.registry.state_directory import REJECTED, unreadable

SUFFIX = ".jsonl"

Key = tuple[str, int]
"""Source and offset: there is one letter of each."""


class KeptLetter(NamedTuple):
    """A letter and the member that wrote it."""

    member: str
    letter: DeadLetter

    @property
    def key(self) -> Key:
        """What tells it from every other letter."""
        return self.letter.source, self.letter.offset


def kept_letters(state_dir: Path) -> Iterator[KeptLetter]:
    """Every letter once, file after file; a line that is no letter is passed over.

    Raises StateError for a file that cannot be read. A last line may be half written, and a line
    that failed half-way stands a second time, whole.
    """
    folder = state_dir / REJECTED
    seen: set[Key] = set()
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise unreadable(folder, error) from error
    for path in paths:
        try:
            with path.open("rb") as file:
                for line in file:
                    letter = _letter(line)
                    if letter is None:
                        continue
                    kept = KeptLetter(path.stem, letter)
                    if kept.key not in seen:
                        seen.add(kept.key)
                        yield kept
        except FileNotFoundError:
            continue
        except OSError as error:
            raise unreadable(path, error) from error


def _letter(line: bytes) -> DeadLetter | None:
    try:
        fields: dict[str, Any] = json_text.loads(line)
        coded = fields.pop("message_base64", None)
        if coded is not None:
            fields["message"] = b64decode(coded)
        letter = DeadLetter(**fields)
        numbers = letter.at, letter.offset, letter.length, letter.timestamp
    except (ValueError, TypeError, AttributeError):
        return None
    return letter if all(type(number) is int for number in numbers) else None

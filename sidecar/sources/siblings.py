"""Which names a rotation gives to a file: NAME.N, NAME-DATE and NAME.DATE, each also .gz.

NAME-DATE.backup is what logrotate makes of a file that was there before it could create it.
NAME.gz is a sibling too: files that have a date in their name are compressed without a rotation.
So is, of archives, the form of log4j2, logback and logrotate's `extension`: STEM-DATE.EXT.gz.
"""

from __future__ import annotations

import fnmatch
import os
import re
from typing import Literal

COMPRESSED = ".gz"

_DATE = r"\d{4}-?\d{2}-?\d{2}(?:[-_T.]?\d{2}(?:[-:_.]?\d{2}){0,2}|-\d{10})?"
_ROTATED = re.compile(
    rf"(?P<name>.+?)(?:\.\d{{1,6}}|[-.]{_DATE}(?:\.\d{{1,6}}|\.backup)?)(?P<gz>\.gz)?\Z"
)

_INSIDE = re.compile(
    rf"(?P<stem>.+?)(?:[-._](?:{_DATE}|\d{{1,6}}))+(?P<extension>\.[A-Za-z]\w*)\.gz\Z"
)

Rotated = Literal["auto", "off"] | tuple[str, ...]


def base_names(name: str, rotated: Rotated) -> list[str]:
    """The names that `name` may have had before it was rotated, the likeliest first.

    With a list of globs, a name that matches one is the sibling of every file whose name it
    begins with; the shortest beginning is a guess, so all of them are given, longest first.
    """
    if rotated == "off":
        return []
    if rotated == "auto":
        match = _ROTATED.match(name)
        bare = [name.removesuffix(COMPRESSED)] if is_compressed(name) and len(name) > 3 else []
        inside = _INSIDE.match(name)
        before = [inside["stem"] + inside["extension"]] if inside else []
        return [match["name"], *bare] if match else [*bare, *before]
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in rotated):
        return [name[:end] for end in range(len(name) - 1, 0, -1) if name[end] in ".-_"]
    return []


def base_paths(path: str, rotated: Rotated) -> list[str]:
    """The paths that `path` may have had before, in the same directory."""
    directory, name = os.path.split(path)
    return [os.path.join(directory, base) for base in base_names(name, rotated)]


def generation(name: str) -> int:
    """How often a file has been rotated, by the number at its name's end; 0 where it has none."""
    number = name.removesuffix(COMPRESSED).rpartition(".")[2]
    return int(number) if number.isdecimal() else 0


def is_compressed(name: str) -> bool:
    return name.endswith(COMPRESSED)

"""The top-level values of a JSON object of which only the beginning is at hand."""

from __future__ import annotations

import re
from collections.abc import Container

import orjson

HEAD = 65_536
"""Characters that are looked at: a time that stands farther back is not found."""

_PARTS = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+')


def top_level_values(text: str, keys: Container[str]) -> dict[str, object]:
    """Strings and numbers under ``keys`` in the object that ``text`` begins with.

    Only whole ones count, and only those of the object itself, none of an object within.
    """
    found: dict[str, object] = {}
    depth = 0
    before = key = name = ""
    for match in _PARTS.finditer(text[:HEAD]):
        part = match[0]
        if part in "{[":
            depth += 1
        elif part in "}]":
            depth -= 1
            if depth == 0:
                break
        elif depth == 1 and part == ":":
            key = name
        elif depth == 1 and part != ",":
            if before == ":" and key and match.end() < min(len(text), HEAD):
                value, known = _scalar(part), _scalar(key)
                if isinstance(known, str) and known in keys and value is not None:
                    found[known] = value
            name = part
        before = part
    return found


def _scalar(part: str) -> object:
    try:
        return orjson.loads(part)
    except orjson.JSONDecodeError:
        return None

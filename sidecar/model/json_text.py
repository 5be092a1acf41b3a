"""JSON that takes any text a file system can hand out."""

import json
from typing import Any

import orjson


def dumps(value: object) -> bytes:
    """Compact JSON on one line; named tuples become arrays.

    File names that are not UTF-8 reach us as lone surrogates, which orjson refuses: those
    values are written with `\\u` escapes instead.
    """
    try:
        return orjson.dumps(value, default=tuple)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode("ascii")


def loads(text: bytes) -> Any:
    """The value `dumps` wrote. Raises ValueError for anything that is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def shown(value: object) -> bytes:
    """JSON for people and their tools, as UTF-8: what is no text in a file name is a `?`."""
    try:
        return orjson.dumps(value, default=str)
    except TypeError:
        text = json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")

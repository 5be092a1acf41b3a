"""Durations, sizes and plain values as people write them."""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from sidecar.settings.section import wrong

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES: Final = {
    "B": 1,
    "kB": 1000,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_QUANTITY: Final = re.compile(r"\s*(?P<sign>-?)(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-z]*)\s*")
_DURATION_REMEDY: Final = "write a number and its unit, as in 50ms, 1s, 2m, 3h or 7d"
_SIZE_REMEDY: Final = "write bytes, or a number and its unit, as in 256KiB, 1MiB or 10MB"


def _duration(value: Any) -> float:
    """Seconds from `50ms`, `1s`, `2m`, `3h`, `7d` or a plain 0."""
    number, unit = _parted(value, "a duration", _DURATION_REMEDY)
    if number == 0 and not unit:
        return 0.0
    if unit not in _SECONDS:
        missing = "has no unit" if not unit else f"has the unknown unit {unit!r}"
        raise wrong(f"the duration {value!r} {missing}", _DURATION_REMEDY)
    return number * _SECONDS[unit]


def _size(value: Any) -> int:
    """Bytes from `256KiB`, `1MiB`, `10MB` or a plain number of bytes."""
    number, unit = _parted(value, "a size", _SIZE_REMEDY)
    if unit and unit not in _BYTES:
        raise wrong(f"the size {value!r} has the unknown unit {unit!r}", _SIZE_REMEDY)
    size = number * _BYTES[unit or "B"]
    if size != int(size):
        raise wrong(f"the size {value!r} is no whole number of bytes", _SIZE_REMEDY)
    return int(size)


def _parted(value: Any, what: str, remedy: str) -> tuple[float, str]:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong(f"{shown(value)} is not {what}", remedy)
    found = _QUANTITY.fullmatch(str(value))
    if found is None:
        raise wrong(f"{shown(value)} is not {what}", remedy)
    if found["sign"]:
        raise wrong(f"{what} cannot be negative, this is {shown(value)}", remedy)
    return float(found["number"]), found["unit"]


def _text(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise wrong(f"must be text, not {shown(value)}", 'put it in quotes: "…"')
    return value


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        raise wrong(f"must be a number, not {shown(value)}", "write digits")
    return value


def shown(value: Any, longest: int = 60) -> str:
    """A value as an error quotes it: in the file's own words and never long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"


Duration = Annotated[float, BeforeValidator(_duration)]
Size = Annotated[int, BeforeValidator(_size)]
Text = Annotated[str, BeforeValidator(_text)]
Whole = Annotated[int, BeforeValidator(_number)]
Number = Annotated[float, BeforeValidator(_number)]

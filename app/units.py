"""Sizes (`10MB`, `256KiB`, `4096`) and durations (`50ms`, `2s`, `10m`) as people write them."""

import re

BYTES = {
    "": 1,
    "b": 1,
    "kb": 1_000,
    "mb": 1_000_000,
    "gb": 1_000_000_000,
    "kib": 1 << 10,
    "mib": 1 << 20,
    "gib": 1 << 30,
}
SECONDS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_size(text: object) -> int:
    """Bytes; raises ValueError. A bare number is bytes."""
    return int(_quantity(text, BYTES, "a size such as 256KiB, 10MB or 4096"))


def parse_duration(text: object) -> float:
    """Seconds; raises ValueError. A bare number is seconds."""
    return _quantity(text, SECONDS, "a duration such as 500ms, 30s or 10m")


def _quantity(text: object, units: dict[str, int] | dict[str, float], wanted: str) -> float:
    matched = QUANTITY.fullmatch(str(text))
    factor = units.get(matched[2].lower()) if matched else None
    if matched is None or factor is None:
        raise ValueError(f"{str(text)!r} is not {wanted}")
    # An integer stays an integer, so that a size over 2**53 is exact.
    number = float(matched[1]) if "." in matched[1] else int(matched[1])
    return number * factor


def show_size(size: float) -> str:
    """For people: `12.3 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:,.0f} {unit}" if unit == "bytes" else f"{size:,.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")

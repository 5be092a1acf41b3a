"""Values that may be known only later: `${NAME}` in a file to fill in, `${Logical.Id}` in a template.

Templates are resolved to the same form, so that one question serves both.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

PLACEHOLDER = re.compile(r"\$\{([\w:.]+)\}")


def is_known(value: Any) -> bool:
    """Is this text, or number, what will stand there when it is deployed?"""
    return value is not None and not (isinstance(value, str) and "${" in value)


def placeholders(text: str) -> set[str]:
    """The names of every `${NAME}` in the text."""
    return set(PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with every `${NAME}` replaced; KeyError for a name without a value."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


def referred(value: Any) -> set[str]:
    """The names that a resolved value depends on, at any depth, attributes left off."""
    return {name.split(".")[0] for text in strings(value) for name in placeholders(text)}


def strings(value: Any) -> Iterator[str]:
    """Every text at any depth, keys left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from strings(each)


def listed(value: Any) -> list[Any]:
    """The list, the one value as a list, or nothing."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def number(value: Any) -> float | None:
    """The number, also where it is written as text, as templates allow; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def truth(value: Any) -> bool | None:
    """True or False, also where they are written as text; None for all else."""
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.lower()) if isinstance(value, str) else None

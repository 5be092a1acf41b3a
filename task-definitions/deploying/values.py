"""Where the values of `${NAME}` come from: --set, the environment, a stack's outputs."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from checker.values import fill, placeholders

NAME = re.compile(r"[A-Z][A-Z0-9_]*")


class RenderError(Exception):
    """Why a file cannot be rendered or registered, as one line for a person."""


def placeholder_of(output: str) -> str:
    """An output's name as a placeholder: FileSystemId is FILE_SYSTEM_ID."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", output).upper()


def from_outputs(stack: Mapping[str, Any]) -> dict[str, str]:
    """The values that a stack's outputs give."""
    return {placeholder_of(o["OutputKey"]): o["OutputValue"] for o in stack.get("Outputs", ())}


def from_arguments(pairs: Iterable[str]) -> dict[str, str]:
    """NAME=VALUE. Raises RenderError."""
    found = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not NAME.fullmatch(name):
            raise RenderError(f"--set {pair}: write NAME=VALUE, NAME in capitals")
        found[name] = value
    return found


def rendered(text: str, *sources: Mapping[str, str]) -> str:
    """The text filled in; the first source that has a value gives it. Raises RenderError."""
    values: dict[str, str] = {}
    missing = []
    for name in sorted(placeholders(text)):
        given = next((source[name] for source in sources if source.get(name)), None)
        if given is None:
            missing.append(name)
        else:
            # Into a JSON text, whatever it holds.
            values[name] = given.replace("\\", "\\\\").replace('"', '\\"')
    if missing:
        raise RenderError(
            f"{', '.join(missing)}: no value; give each by --set NAME=VALUE, as a variable of the"
            " environment, or by --stack, whose outputs have most"
        )
    return fill(text, values)

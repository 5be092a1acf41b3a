"""`${NAME}` and `${NAME:-default}` in the values of a configuration file."""

import re
from collections.abc import Mapping
from typing import Any, Final

from sidecar.errors import ConfigurationError
from sidecar.settings.yaml_file import Document, Key

_REFERENCE: Final = re.compile(
    r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-(?P<text>[^}]*))?\}|(?P<bad>\$\{)"
)


def expand(document: Document, environ: Mapping[str, str]) -> dict[str, Any]:
    """The document's values, expanded; a value that comes to nothing is null.

    As in a shell, the default stands in for a variable that is unset or empty. `$${` is a plain
    `${`. Raises ConfigurationError, naming the key, for a variable that is not set and has no
    default.
    """

    def value_at(key: Key, value: Any) -> Any:
        if isinstance(value, dict):
            return {name: value_at((*key, name), inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [value_at((*key, index), inner) for index, inner in enumerate(value)]
        if isinstance(value, str) and "${" in value:
            return _REFERENCE.sub(lambda found: text_for(key, found), value) or None
        return value

    def text_for(key: Key, found: re.Match[str]) -> str:
        if found["bad"]:
            raise ConfigurationError(
                dotted(key),
                f"a ${{ at position {found.start()} names no variable",
                "write ${NAME} or ${NAME:-default}, or $${ for a plain ${",
                document.place(key),
            )
        if found["name"] is None:
            return "${"
        set_to = environ.get(found["name"])
        if found["default"] is not None:
            return set_to or found["text"]
        if set_to is None:
            name = found["name"]
            raise ConfigurationError(
                dotted(key),
                f"the environment variable {name} is not set",
                f"set it, or give a default: ${{{name}:-…}}",
                document.place(key),
            )
        return set_to

    try:
        return {name: value_at((name,), value) for name, value in document.values.items()}
    except RecursionError:
        raise ConfigurationError(
            str(document.path), "an alias refers to itself", "remove the alias"
        ) from None


def dotted(key: Key) -> str:
    """A key as people write it: `logs[0].include[1]`."""
    text = ""
    for step in key:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text

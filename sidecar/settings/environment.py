"""The settings that need no file: variables of the environment."""

from collections.abc import Mapping
from typing import Any, Final

from sidecar.settings.yaml_file import Key

CONFIG_VARIABLE: Final = "SIDECAR_CONFIG"

# Each variable, and the key of the file it stands for.
VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "SIDECAR_LOGS": ("logs",),
    "SIDECAR_ARTIFACTS": ("artifacts",),
    "SIDECAR_LOG_GROUP": ("log_group",),
    "SIDECAR_STATE_DIR": ("state_dir",),
    "SIDECAR_TASK": ("task",),
    "SIDECAR_HTTP_HOST": ("http", "host"),
    "SIDECAR_HTTP_PORT": ("http", "port"),
    "SIDECAR_LOG_LEVEL": ("log_level",),
}
_GLOBS: Final = frozenset({"SIDECAR_LOGS", "SIDECAR_ARTIFACTS"})


def overlaid(values: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """`values` with what the environment says in its place; an empty variable says nothing."""
    result = dict(values)
    for variable, (section, *rest) in VARIABLES.items():
        text = environ.get(variable, "").strip()
        if not text:
            continue
        if variable in _GLOBS:
            result[section] = [{"include": parted_globs(text)}]
        elif rest:
            inner = result.get(section)
            if inner is None or isinstance(inner, dict):
                result[section] = (inner or {}) | {rest[0]: text}
        else:
            result[section] = text
    return result


def variable_for(key: Key, environ: Mapping[str, str]) -> str | None:
    """The variable that the value under this key came from, if it came from one."""
    for variable, target in VARIABLES.items():
        if key[: len(target)] == target and environ.get(variable, "").strip():
            return variable
    return None


def parted_globs(text: str) -> list[str]:
    """The globs of a comma-separated list; a comma within braces belongs to its glob."""
    globs, depth, start = [], 0, 0
    for at, char in enumerate(text):
        depth += {"{": 1, "}": -1}.get(char, 0)
        if char == "," and depth <= 0:
            globs.append(text[start:at].strip())
            start = at + 1
    globs.append(text[start:].strip())
    return [glob for glob in globs if glob]

"""A YAML file as plain values, with the line each of them stands in."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from sidecar.errors import ConfigurationError

Key = tuple[str | int, ...]


class Document:
    """The values of one file; `place` says where a key stands in it."""

    def __init__(self, path: Path, values: dict[str, Any], node: yaml.Node | None) -> None:
        self.path = path
        self.values = values
        self._node = node

    def place(self, key: Key) -> str:
        """File and line of the key, or of the nearest key around it."""
        node, line = self._node, None
        for step in key:
            found = _child(node, step)
            if found is None:
                break
            at, node = found
            line = at.start_mark.line + 1
        return f"{self.path} line {line}" if line else str(self.path)


def read(path: Path) -> Document:
    """The file's values; raises ConfigurationError for all that keeps them from being read."""
    name = str(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(
            name, "there is no such configuration file", "correct --config or SIDECAR_CONFIG"
        ) from None
    except IsADirectoryError:
        raise ConfigurationError(
            name, "this is a directory", "name the configuration file in it"
        ) from None
    except OSError as error:
        raise ConfigurationError(
            name,
            f"the configuration file cannot be read: {error.strerror}",
            "make it readable for this user",
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            name, f"byte {error.start} is not UTF-8", "save the file as UTF-8"
        ) from None
    return _parse(path, text)


def _parse(path: Path, text: str) -> Document:
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            values = None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise _malformed(path, error) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = str(error).splitlines()[0] if str(error) else "nested too deeply"
        raise ConfigurationError(str(path), f"not YAML: {problem}", "correct the file") from None
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ConfigurationError(
            str(path),
            f"the file holds a {type(values).__name__}, not a mapping of settings",
            "write KEY: VALUE lines, such as log_group: /ecs/reports",
        )
    return Document(path, values, node)


def _malformed(path: Path, error: yaml.MarkedYAMLError) -> ConfigurationError:
    mark = error.problem_mark or error.context_mark
    place = f"{path} line {mark.line + 1} column {mark.column + 1}" if mark else str(path)
    if isinstance(error, _KeyError):
        return ConfigurationError(error.key, error.text, error.remedy, place)
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    remedy = "correct the file"
    if "'\\t'" in problem:
        problem, remedy = "a tab cannot indent or begin a value in YAML", "use spaces"
    elif "'%'" in problem or "'@'" in problem or "'`'" in problem:
        remedy = "put the value in quotes"
    return ConfigurationError("not YAML", problem, remedy, place)


class _KeyError(yaml.constructor.ConstructorError):
    """A key of a mapping that cannot be used."""

    def __init__(self, key: str, text: str, remedy: str, mark: yaml.Mark) -> None:
        super().__init__(None, None, text, mark)
        self.key = key
        self.text = text
        self.remedy = remedy


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which by itself lets the last of two equal keys win unseen."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        first_lines: dict[str, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise _KeyError(
                    str(getattr(key_node, "value", key)),
                    "a key must be text",
                    "put it in quotes",
                    key_node.start_mark,
                )
            if key in first_lines:
                raise _KeyError(
                    key,
                    f"this key stands twice, first in line {first_lines[key]}",
                    "keep one of them",
                    key_node.start_mark,
                )
            first_lines[key] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep)


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    """The node that shows where the step leads, and the node it leads to."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return (node.value[step],) * 2 if step < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key, value
    return None

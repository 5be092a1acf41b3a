"""A file, read: JSON, or YAML with CloudFormation's short forms, which become the long ones."""

import json
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

# A task definition has 64 KiB at most and a template 1 MB; anything far beyond is another file.
LARGEST = 8_000_000


class DocumentError(Exception):
    """Why the file cannot be checked, as one line for a person."""


class Kind(Enum):
    """What a file is, told by its top-level keys."""

    TEMPLATE = "template"
    TASK = "task definition"
    POLICY = "policy"


class _Loader(yaml.SafeLoader):
    """SafeLoader, strict about keys that stand twice, and with `!Ref` and its like."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self.aliases = True
        return super().compose_node(parent, index)

    aliases = False


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if isinstance(key, dict | list):
            raise DocumentError(f"line {line}: a key must be plain text")
        if key in found:
            raise DocumentError(f"line {line}: the key {key} stands there twice; keep one")
        found[key] = loader.construct_object(value_node, deep=True)
    return found


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = _mapping(loader, node) if isinstance(node, yaml.MappingNode) else None
    return {name: value}


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)
_Loader.add_multi_constructor("!", _short_form)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise DocumentError(f"the key {key} stands there twice; keep one")
        found[key] = value
    return found


def read(path: Path) -> str:
    """The file's text. Raises DocumentError."""
    try:
        if path.stat().st_size > LARGEST:
            raise DocumentError(f"is over {LARGEST} bytes: no template and no task definition")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DocumentError("is not UTF-8 text; save it as UTF-8") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DocumentError(f"cannot be read: {reason}") from None


def parse(text: str) -> tuple[Kind, dict[str, Any]]:
    """What the text is, and its content. Raises DocumentError."""
    document = _json(text) if text.lstrip()[:1] in "{[" and text.strip() else None
    if document is None:
        document = _yaml(text)
    if not isinstance(document, dict):
        raise DocumentError("holds no object; it must be a task definition, template or policy")
    # What `describe-task-definition` prints.
    if isinstance(document.get("taskDefinition"), dict):
        document = _registered(document["taskDefinition"])
    return kind_of(document), document


def kind_of(document: Mapping[str, Any]) -> Kind:
    if "Resources" in document or "AWSTemplateFormatVersion" in document:
        return Kind.TEMPLATE
    if "containerDefinitions" in document or "family" in document:
        return Kind.TASK
    if "Statement" in document:
        return Kind.POLICY
    raise DocumentError(
        "is neither a task definition (containerDefinitions), a template (Resources) nor a policy"
        " (Statement): a key may be misspelt"
    )


def _json(text: str) -> Any:
    """None where it is not JSON after all: flow-style YAML begins alike."""
    try:
        return json.loads(text, object_pairs_hook=_once)
    except json.JSONDecodeError as error:
        if "!" in text:
            return None
        raise DocumentError(f"line {error.lineno}: is not JSON: {error.msg}") from None
    except RecursionError:
        raise DocumentError("is nested too deeply") from None


def _yaml(text: str) -> Any:
    try:
        loader = _Loader(text)
        try:
            document = loader.get_single_data()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DocumentError(f"line {line}: is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise DocumentError(f"is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise DocumentError("is nested too deeply") from None
    except (TypeError, ValueError, AttributeError) as error:
        raise DocumentError(f"is not YAML that CloudFormation takes: {error}") from None
    if loader.aliases:
        raise DocumentError("uses YAML aliases (*NAME), which CloudFormation refuses; write it out")
    return document


# What ECS adds to a task definition when it registers it.
_ADDED = {
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
}


def _registered(definition: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key not in _ADDED}

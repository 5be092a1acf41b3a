"""Checks a filled-in Fargate task definition before ECS sees it.

    python task-definitions/check.py FILE…

Prints one line a problem; status 0 none, 1 some, 2 a file cannot be read. Two layers: botocore's
model of the ECS API (names, types and, unlike the API client, enumerations), then the rules in
rules.py for what the API accepts and the task fails on later. Needs botocore.
"""

import json
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator
from rules import RULES, Definition, Problems

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def placeholders(text: str) -> set[str]:
    """The names of every `${NAME}` in the text."""
    return set(PLACEHOLDER.findall(text))


def fill(text: str, values: Mapping[str, str]) -> str:
    """The text with every `${NAME}` replaced; KeyError for a name without a value."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], text)


@cache
def request_shape() -> Shape:
    """What RegisterTaskDefinition takes, as botocore knows it."""
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    assert shape is not None, "the ECS model has no RegisterTaskDefinition"
    return shape


def problems(definition: Definition) -> list[str]:
    """What is wrong with it; the rules are asked only when the names and types are right."""
    shape = request_shape()
    report = ParamValidator().validate(definition, shape)
    if report.has_errors():
        return [line.strip() for line in report.generate_report().splitlines()]
    return [*unknown_values(definition, shape), *(p for rule in RULES for p in rule(definition))]


def unknown_values(value: Any, shape: Shape, path: str = "") -> Problems:
    """ParamValidator takes any string for an enumeration; the API does not."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from unknown_values(member, shape.members[name], f"{path}.{name}".lstrip("."))
    elif isinstance(shape, ListShape):
        for index, member in enumerate(value):
            yield from unknown_values(member, shape.member, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        for name, member in value.items():
            yield from unknown_values(member, shape.value, f"{path}.{name}")
    elif isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {', '.join(shape.enum)}"


def main(arguments: list[str]) -> int:
    """Checks each file; the exit status is the worst of all."""
    if not arguments:
        sys.stderr.write("usage: check.py FILE…\n")
        return 2
    status = 0
    for name in arguments:
        try:
            text = Path(name).read_text(encoding="utf-8")
            definition = json.loads(text)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{name}: {error}\n")
            return 2
        found = [f"${{{empty}}} is not filled in" for empty in sorted(placeholders(text))]
        found = found or problems(definition)
        sys.stdout.writelines(f"{name}: {problem}\n" for problem in found)
        status = max(status, 1 if found else 0)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""botocore's model of the ECS API: names, types and, unlike the API client, enumerations."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

from checker.finding import Finding
from checker.task.view import Definition
from checker.values import is_known

RULE = "ecs_model"


@cache
def request_shape() -> Shape:
    """What RegisterTaskDefinition takes, as botocore knows it."""
    model = botocore.session.get_session().get_service_model("ecs")
    shape = model.operation_model("RegisterTaskDefinition").input_shape
    assert shape is not None, "the ECS model has no RegisterTaskDefinition"
    return shape


def model_findings(definition: Definition) -> list[Finding]:
    """What the API would refuse at once."""
    report = ParamValidator().validate(definition, request_shape())
    lines = report.generate_report().splitlines() if report.has_errors() else []
    if not lines:
        lines = list(_unknown_values(definition, request_shape()))
    return [Finding(RULE, line.strip()) for line in lines]


def _unknown_values(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """ParamValidator takes any string for an enumeration; the API does not."""
    if isinstance(shape, StructureShape):
        for name, member in value.items():
            yield from _unknown_values(member, shape.members[name], f"{path}.{name}".lstrip("."))
    elif isinstance(shape, ListShape):
        for index, member in enumerate(value):
            yield from _unknown_values(member, shape.member, f"{path}[{index}]")
    elif isinstance(shape, MapShape):
        for name, member in value.items():
            yield from _unknown_values(member, shape.value, f"{path}.{name}")
    elif (
        isinstance(shape, StringShape) and is_known(value) and value not in (shape.enum or [value])
    ):
        yield f"{path}: {value!r} is none of {', '.join(shape.enum)}"

"""Parts of a task definition, to break them."""

from collections.abc import Callable
from typing import Any

from tests.deployment.definitions import container

Breaking = Callable[[dict[str, Any]], object]


def app(definition: dict[str, Any]) -> dict[str, Any]:
    return container(definition, "app")


def sidecar(definition: dict[str, Any]) -> dict[str, Any]:
    return container(definition, "sidecar")


def efs(definition: dict[str, Any]) -> dict[str, Any]:
    return definition["volumes"][0]["efsVolumeConfiguration"]


def state(definition: dict[str, Any]) -> dict[str, Any]:
    return definition["volumes"][1]["efsVolumeConfiguration"]


def variable(container: dict[str, Any], name: str, value: str | None) -> None:
    """Sets, or with None removes, one variable."""
    rest = [each for each in container["environment"] if each["name"] != name]
    container["environment"] = rest + ([] if value is None else [{"name": name, "value": value}])

"""docker-compose.yml and the Fargate task definition are the same system."""

from typing import Any

import pytest

from tests.deployment.definitions import COLLECTOR, compose, container, filled

SERVICES = ("app", "sidecar")

# Environment that only one of the two has, and why.
COMPOSE_ONLY = {
    "APP_TASK",  # in ECS the metadata endpoint says it
    "SIDECAR_TASK",
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",  # the stand-in
    "AWS_ACCESS_KEY_ID",  # in ECS the task role
    "AWS_SECRET_ACCESS_KEY",
}
# Environment whose value differs: compose publishes the page, in ECS it stays inside the task.
OTHER_VALUE = {"SIDECAR_HTTP_HOST"}


def seconds(text: str) -> int:
    assert text.endswith("s")
    return int(text[:-1])


def megabytes(text: str) -> int:
    assert text.endswith("m")
    return int(text[:-1])


def described_by_compose(name: str) -> dict[str, Any]:
    service = compose()["services"][name]
    check = service["healthcheck"]
    mounts = [volume.split(":") for volume in service["volumes"]]
    waits = service["depends_on"]
    return {
        "user": service["user"],
        "mounts": {(m[0], m[1], m[2:] == ["ro"]) for m in mounts},
        "waits": {
            (other, how["condition"].removeprefix("service_").upper())
            for other, how in waits.items()
            if other in SERVICES
        },
        "health": (
            check["test"],
            *(seconds(check[key]) for key in ("interval", "timeout", "start_period")),
            check["retries"],
        ),
        "stop": seconds(service["stop_grace_period"]),
        "memory": megabytes(service["mem_limit"]),
        "read_only": service["read_only"],
        "init": service["init"],
        "dropped": service["cap_drop"],
        "tmpfs": sorted(service["tmpfs"]),
        "restarts": service["restart"] == "on-failure",
    }


def described_by_ecs(name: str) -> dict[str, Any]:
    found = container(filled(), name)
    check, linux = found["healthCheck"], found["linuxParameters"]
    return {
        "user": found["user"],
        "mounts": {
            (m["sourceVolume"], m["containerPath"], m["readOnly"]) for m in found["mountPoints"]
        },
        "waits": {(d["containerName"], d["condition"]) for d in found.get("dependsOn", ())},
        "health": (
            check["command"],
            *(check[key] for key in ("interval", "timeout", "startPeriod", "retries")),
        ),
        "stop": found["stopTimeout"],
        "memory": found["memory"],
        "read_only": found["readonlyRootFilesystem"],
        "init": linux["initProcessEnabled"],
        "dropped": linux["capabilities"]["drop"],
        "tmpfs": sorted(
            f"{t['containerPath']}:" + ",".join([f"size={t['size']}m", *t["mountOptions"]])
            for t in linux["tmpfs"]
        ),
        "restarts": found["restartPolicy"]["enabled"],
    }


def test_the_same_containers_and_volumes() -> None:
    """The stand-in for CloudWatch is compose's own; nothing else is on one side only."""
    file, definition = compose(), filled()
    services = {name for name, each in file["services"].items() if "profiles" not in each}
    assert services - {"cloudwatch"} == {c["name"] for c in definition["containerDefinitions"]}
    assert {v["name"] for v in definition["volumes"]} == set(file["volumes"]) - {
        v["name"] for v in filled(COLLECTOR)["volumes"]
    }


@pytest.mark.parametrize("name", SERVICES)
def test_the_same_container(name: str) -> None:
    """Users, mounts, order, health, limits: each as the other file has it."""
    assert described_by_compose(name) == described_by_ecs(name)


@pytest.mark.parametrize("name", SERVICES)
def test_the_same_environment(name: str) -> None:
    """Keys and values, but for those that have a reason to differ."""
    here = compose()["services"][name]["environment"]
    there = {e["name"]: e["value"] for e in container(filled(), name)["environment"]}
    assert set(here) - set(there) <= COMPOSE_ONLY
    assert set(there) <= set(here)
    assert {key for key in there if here[key] != there[key]} <= OTHER_VALUE


def test_the_same_ports() -> None:
    """The app's port is the only one that leaves the task."""
    (published,) = compose()["services"]["app"]["ports"]
    (mapping,) = container(filled(), "app")["portMappings"]
    assert published.rpartition(":")[2] == str(mapping["containerPort"])
    assert "portMappings" not in container(filled(), "sidecar")


def test_the_same_collector() -> None:
    """Mounts, health, limits and what it ships, but for the page's address."""
    service, there = compose()["services"]["collector"], container(filled(COLLECTOR), "sidecar")
    mounts = {(m[0], m[1], m[2:] == ["ro"]) for m in (v.split(":") for v in service["volumes"])}
    assert mounts == {
        (m["sourceVolume"], m["containerPath"], m["readOnly"]) for m in there["mountPoints"]
    }
    variables = {e["name"]: e["value"] for e in there["environment"]}
    here = service["environment"]
    assert set(here) - set(variables) <= COMPOSE_ONLY
    differing = {key for key in variables if here[key] != variables[key]}
    assert differing <= OTHER_VALUE | {"SIDECAR_HTTP_PORT"}
    assert service["healthcheck"]["test"] == there["healthCheck"]["command"]
    assert seconds(service["stop_grace_period"]) == there["stopTimeout"]
    assert (service["user"], megabytes(service["mem_limit"])) == (there["user"], there["memory"])

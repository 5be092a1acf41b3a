"""Every rule of the checker against a definition broken in the way that the rule is for."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.deployment.definitions import check, container, filled, rules

Breaking = Callable[[dict[str, Any]], object]


def app(definition: dict[str, Any]) -> dict[str, Any]:
    return container(definition, "app")


def sidecar(definition: dict[str, Any]) -> dict[str, Any]:
    return container(definition, "sidecar")


def efs(definition: dict[str, Any]) -> dict[str, Any]:
    return definition["volumes"][0]["efsVolumeConfiguration"]


def state(definition: dict[str, Any]) -> dict[str, Any]:
    return definition["volumes"][1]["efsVolumeConfiguration"]


def without_access_point(definition: dict[str, Any]) -> None:
    efs(definition)["authorizationConfig"] = {"iam": "ENABLED"}
    del efs(definition)["transitEncryption"]


def without_iam(definition: dict[str, Any]) -> None:
    efs(definition)["authorizationConfig"].pop("iam")
    efs(definition)["transitEncryption"] = "DISABLED"


def twice(definition: dict[str, Any]) -> None:
    """The mistake of giving each container its own entry for one access point."""
    state(definition)["authorizationConfig"] = dict(efs(definition)["authorizationConfig"])


BROKEN: list[tuple[str, str, Breaking]] = [
    ("fargate_shape", "awsvpc", lambda d: d.update(networkMode="bridge")),
    ("fargate_shape", "FARGATE", lambda d: d.update(requiresCompatibilities=["EC2"])),
    ("fargate_size", "cpu '1000'", lambda d: d.update(cpu="1000")),
    ("fargate_size", "2048 to 8192", lambda d: d.update(memory="16384")),
    ("fargate_size", "steps of 1024", lambda d: d.update(memory="2560")),
    ("fargate_size", "cpu ''", lambda d: d.update(cpu="")),
    ("container_memory", "2560 MiB", lambda d: app(d).update(memory=2048)),
    ("container_memory", "memoryReservation", lambda d: app(d).update(memoryReservation=1800)),
    ("not_on_fargate", "privileged", lambda d: app(d).update(privileged=True)),
    (
        "not_on_fargate",
        "sharedMemorySize",
        lambda d: app(d)["linuxParameters"].update(sharedMemorySize=64),
    ),
    (
        "not_on_fargate",
        "capabilities",
        lambda d: app(d)["linuxParameters"]["capabilities"].update(add=["SYS_ADMIN"]),
    ),
    (
        "not_on_fargate",
        "host directories",
        lambda d: d["volumes"].append({"name": "x", "host": {"sourcePath": "/var/log"}}),
    ),
    ("unique_names", "container app", lambda d: sidecar(d).update(name="app")),
    ("unique_names", "volume efs", lambda d: d["volumes"][1].update(name="efs")),
    (
        "unique_names",
        "variable APP_HOST",
        lambda d: app(d)["environment"].append({"name": "APP_HOST", "value": "::"}),
    ),
    (
        "unique_names",
        "mount path /mnt/efs",
        lambda d: sidecar(d)["mountPoints"][1].update(containerPath="/mnt/efs"),
    ),
    (
        "an_essential_container",
        "essential",
        lambda d: [c.update(essential=False) for c in d["containerDefinitions"]],
    ),
    ("ports", "hostPort", lambda d: app(d)["portMappings"][0].update(hostPort=80)),
    (
        "ports",
        "port 8000",
        lambda d: sidecar(d).update(portMappings=[{"containerPort": 8000}]),
    ),
    ("access_point_root", "rootDirectory", lambda d: efs(d).update(rootDirectory="/reports")),
    ("transit_encryption", "an access point", without_iam),
    ("transit_encryption", "iam", without_access_point),
    ("iam_needs_a_task_role", "taskRoleArn", lambda d: d.pop("taskRoleArn")),
    ("one_entry_a_mount", "share one entry", twice),
    ("mount_points", "logs", lambda d: app(d)["mountPoints"][0].update(sourceVolume="logs")),
    (
        "health_checks",
        "CMD",
        lambda d: sidecar(d)["healthCheck"].update(command=["sidecar", "healthcheck"]),
    ),
    ("health_checks", "interval", lambda d: sidecar(d)["healthCheck"].update(interval=2)),
    ("health_checks", "retries", lambda d: sidecar(d)["healthCheck"].update(retries=20)),
    (
        "dependencies",
        "not there",
        lambda d: app(d)["dependsOn"][0].update(containerName="side-car"),
    ),
    ("dependencies", "no health check", lambda d: sidecar(d).pop("healthCheck")),
    ("dependencies", "essential", lambda d: app(d)["dependsOn"][0].update(condition="SUCCESS")),
    (
        "dependency_circle",
        "app, sidecar",
        lambda d: sidecar(d).update(dependsOn=[{"containerName": "app", "condition": "START"}]),
    ),
    ("stop_timeouts", "2 to 120", lambda d: sidecar(d).update(stopTimeout=180)),
    ("stop_timeouts", "2 to 120", lambda d: app(d).update(stopTimeout=1)),
    (
        "restart_policies",
        "60 to 1800",
        lambda d: app(d)["restartPolicy"].update(restartAttemptPeriod=10),
    ),
    ("restart_policies", "not enabled", lambda d: app(d)["restartPolicy"].update(enabled=False)),
    (
        "awslogs",
        "stream-prefix",
        lambda d: app(d)["logConfiguration"]["options"].pop("awslogs-stream-prefix"),
    ),
    (
        "awslogs",
        "max-buffer-size",
        lambda d: app(d)["logConfiguration"]["options"].update(mode="blocking"),
    ),
    ("awslogs", "executionRoleArn", lambda d: d.pop("executionRoleArn")),
]


@pytest.mark.parametrize(("rule", "word", "breaking"), BROKEN)
def test_a_rule_catches_its_broken_example(rule: str, word: str, breaking: Breaking) -> None:
    """The rule named for it complains and says what; the API's own model sees nothing wrong."""
    definition = filled()
    breaking(definition)
    found = list(getattr(rules, rule)(definition))
    assert any(word in problem for problem in found), found
    assert set(found) <= set(check.problems(definition))


def test_every_rule_has_a_broken_example() -> None:
    """A rule without one could be empty."""
    assert {rule.__name__ for rule in rules.RULES} == {name for name, _, _ in BROKEN}


@pytest.mark.parametrize(
    ("word", "breaking"),
    [
        ("memroy", lambda d: d.update(memroy="2048")),
        ("family", lambda d: d.pop("family")),
        ("stopTimeout", lambda d: app(d).update(stopTimeout="30")),
        ("ENABELD", lambda d: efs(d).update(transitEncryption="ENABELD")),
        ("x86_64", lambda d: d["runtimePlatform"].update(cpuArchitecture="x86_64")),
        ("condition", lambda d: app(d)["dependsOn"][0].update(condition="healthy")),
    ],
)
def test_the_model_catches_names_types_and_enumerations(word: str, breaking: Breaking) -> None:
    """The first three are botocore's own doing, the others are what it lets through."""
    definition = filled()
    breaking(definition)
    assert any(word in problem for problem in check.problems(definition))

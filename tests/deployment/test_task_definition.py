"""The task definition and its policies, filled in as a user would."""

import json
import re
from pathlib import Path

import pytest

from tests.deployment.definitions import (
    COLLECTOR,
    DEFINITIONS,
    EC2,
    FARGATE,
    container,
    filled,
    values,
)

from checker.values import fill, placeholders  # isort: skip

POLICIES = sorted((DEFINITIONS / "policies").glob("*.json"))


def test_every_placeholder_is_documented_and_no_other() -> None:
    """The README's table is the list of what a user fills in."""
    used = set().union(*(placeholders(p.read_text()) for p in [FARGATE, EC2, COLLECTOR, *POLICIES]))
    table = re.findall(r"^\| (`.*?) \|", (DEFINITIONS / "README.md").read_text(), re.MULTILINE)
    documented = {name for cell in table for name in re.findall(r"`([A-Z0-9_]+)`", cell)}
    assert documented == used == set(values())


def test_the_sidecar_may_drain_longer_than_the_app_may_stop() -> None:
    """ECS stops the app first; the sidecar then has all that Fargate gives."""
    definition = filled()
    app, sidecar = container(definition, "app"), container(definition, "sidecar")
    assert app["dependsOn"] == [{"containerName": "sidecar", "condition": "HEALTHY"}]
    assert app["stopTimeout"] < sidecar["stopTimeout"] == 120


def test_only_the_sidecar_mounts_its_own_access_point() -> None:
    """The app cannot touch the state, and the sidecar cannot write among the app's files."""
    definition = filled()
    mounts = {
        name: {m["sourceVolume"]: m["readOnly"] for m in container(definition, name)["mountPoints"]}
        for name in ("app", "sidecar")
    }
    assert mounts == {"app": {"efs": False}, "sidecar": {"efs": True, "sidecar-state": False}}


@pytest.mark.parametrize("path", POLICIES, ids=lambda p: p.name)
def test_a_policy_names_its_actions_and_its_resources(path: Path) -> None:
    """No wildcard action; a wildcard resource only for the one action that knows no other."""
    policy = json.loads(fill(path.read_text(), values()))
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        assert not any("*" in action for action in actions)
        if statement.get("Resource") == "*":
            assert actions == ["ecr:GetAuthorizationToken"]


def test_the_task_role_mounts_through_the_two_access_points_only() -> None:
    """The access points of the policy are those of the task definition's volumes."""
    policy = json.loads(fill((DEFINITIONS / "policies/task-role.json").read_text(), values()))
    (mounting,) = [s for s in policy["Statement"] if "ClientMount" in str(s["Action"])]
    allowed = mounting["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"]
    used = [
        volume["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"]
        for volume in filled()["volumes"]
    ]
    assert [arn.rpartition("/")[2] for arn in allowed] == used


def test_the_ec2_definition_is_the_fargate_one_elsewhere() -> None:
    """Nothing but the launch type differs, so that what is tried on one holds on the other."""
    assert {**filled(EC2), "requiresCompatibilities": ["FARGATE"]} == filled(FARGATE)


def test_the_collector_is_the_app_s_sidecar_alone() -> None:
    """The same container, but for where it reads, ships to and keeps its own lines."""
    alone, beside = container(filled(COLLECTOR), "sidecar"), container(filled(), "sidecar")
    assert len(filled(COLLECTOR)["containerDefinitions"]) == 1
    for key in ("environment", "mountPoints", "logConfiguration"):
        alone.pop(key), beside.pop(key)
    assert alone == beside


def test_the_collector_reads_each_function_s_root_and_writes_none() -> None:
    """Read-only mounts of the functions' access points; its state alone is written."""
    mounts = container(filled(COLLECTOR), "sidecar")["mountPoints"]
    assert {m["sourceVolume"]: m["readOnly"] for m in mounts} == {
        "function1": True,
        "function2": True,
        "collector-state": False,
    }

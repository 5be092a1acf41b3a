"""The task definition and its policies, filled in as a user would."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployment.definitions import (
    DEFINITIONS,
    FARGATE,
    check,
    container,
    filled,
    values,
)

POLICIES = sorted((DEFINITIONS / "policies").glob("*.json"))


@pytest.mark.parametrize("architecture", ["X86_64", "ARM64"])
def test_the_filled_definition_has_no_problem(architecture: str) -> None:
    """Both processor architectures, against the API's model and every rule."""
    assert check.problems(filled(CPU_ARCHITECTURE=architecture)) == []


def test_every_placeholder_is_documented_and_no_other() -> None:
    """The README's table is the list of what a user fills in."""
    used = set().union(*(check.placeholders(p.read_text()) for p in [FARGATE, *POLICIES]))
    table = re.findall(r"^\| (`.*?) \|", (DEFINITIONS / "README.md").read_text(), re.MULTILINE)
    documented = {name for cell in table for name in re.findall(r"`([A-Z_]+)`", cell)}
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
    policy = json.loads(check.fill(path.read_text(), values()))
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        assert not any("*" in action for action in actions)
        if statement.get("Resource") == "*":
            assert actions == ["ecr:GetAuthorizationToken"]


def test_the_task_role_mounts_through_the_two_access_points_only() -> None:
    """The access points of the policy are those of the task definition's volumes."""
    policy = json.loads(check.fill((DEFINITIONS / "policies/task-role.json").read_text(), values()))
    (mounting,) = [s for s in policy["Statement"] if "ClientMount" in str(s["Action"])]
    allowed = mounting["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"]
    used = [
        volume["efsVolumeConfiguration"]["authorizationConfig"]["accessPointId"]
        for volume in filled()["volumes"]
    ]
    assert [arn.rpartition("/")[2] for arn in allowed] == used


def test_the_checker_runs_as_a_script(tmp_path: Path) -> None:
    """Status 0 and silence for a good file, 1 and a line for a bad one, 2 for no file."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(filled()))
    bad.write_text(json.dumps({**filled(), "cpu": "1000"}))
    script = [sys.executable, str(DEFINITIONS / "check.py")]

    def run(*paths: Path) -> tuple[int, str]:
        done = subprocess.run([*script, *paths], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert run(good) == (0, "")
    status, said = run(good, bad)
    assert status == 1
    assert said.startswith(f"{bad}: cpu '1000'")
    status, said = run(FARGATE)
    assert status == 1
    assert "${LOG_GROUP} is not filled in" in said
    assert run(tmp_path / "none.json") == (2, "")

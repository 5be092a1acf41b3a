"""`render`: where the values come from."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.deployment.definitions import DEFINITIONS, FARGATE, ROOT, values


def render(path: Path, given: dict[str, str], **environment: str) -> tuple[int, str, str]:
    words = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "task-definitions", "render", str(path), *words],
        cwd=ROOT,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def test_the_region_is_where_boto3_finds_it(tmp_path: Path) -> None:
    """The stack is asked in the profile's region, so its task definition is of that region too.

    Kills: taking AWS_REGION from the environment and the outputs only.
    """
    profile = tmp_path / "config"
    profile.write_text("[default]\nregion = eu-south-2\n")
    given = values()
    del given["AWS_REGION"]
    status, said, error = render(FARGATE, given, AWS_CONFIG_FILE=str(profile))
    assert (status, error) == (0, "")
    options = json.loads(said)["containerDefinitions"][0]["logConfiguration"]["options"]
    assert options["awslogs-region"] == "eu-south-2"
    status, said, error = render(FARGATE, given, AWS_CONFIG_FILE=os.devnull)
    assert (status, said) == (2, "")
    assert "AWS_REGION" in error


def test_policies_are_filled_in_too() -> None:
    """Each of them, and what comes out is a policy in which nothing is left to fill in."""
    for path in sorted((DEFINITIONS / "policies").glob("*.json")):
        status, said, error = render(path, values())
        assert (status, error) == (0, ""), path
        assert "Statement" in json.loads(said)
        assert "${" not in said

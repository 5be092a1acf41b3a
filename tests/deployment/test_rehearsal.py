"""The runbook's rehearsal: the stack from a bucket, then a registered task definition, on moto."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.deployment.definitions import DEFINITIONS, FARGATE, ROOT, STACK

# moto says what it does not make.
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse AWS:UserWarning")

# One of its own: the servers of a process share what is in a region.
REGION = "eu-west-1"
RUNBOOK = (DEFINITIONS / "RUNBOOK.md").read_text(encoding="utf-8")


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """What the runbook exports, for a server of this test's own."""
    (host,) = set(re.findall(r"AWS_ENDPOINT_URL=http://([\w.]+):\d+", RUNBOOK))
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    port = server.get_host_and_port()[1]
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    server.stop()


def client(service: str, environment: dict[str, str]) -> Any:
    return boto3.client(
        service,
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )


def point(environment: dict[str, str], path: str) -> str:
    """The runbook's `point`."""
    points = client("efs", environment).describe_access_points()["AccessPoints"]
    (found,) = [each for each in points if each["RootDirectory"]["Path"] == path]
    return str(found["AccessPointId"])


def test_the_rehearsal_of_the_runbook_ends_with_a_registered_task(
    environment: dict[str, str],
) -> None:
    """The template is found in its bucket by the runbook's host, and its outputs fill the file."""
    bucket = client("s3", environment)
    bucket.create_bucket(
        Bucket="rehearsal", CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    bucket.put_object(Bucket="rehearsal", Key="stack.yaml", Body=STACK.read_bytes())
    client("cloudformation", environment).create_stack(
        StackName="reports",
        TemplateURL=f"{environment['AWS_ENDPOINT_URL']}/rehearsal/stack.yaml",
        Parameters=[
            {"ParameterKey": key, "ParameterValue": "0.1.0"} for key in ("AppTag", "SidecarTag")
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    given = {
        "APP_ACCESS_POINT_ID": point(environment, "/app1"),
        "STATE_ACCESS_POINT_ID": point(environment, "/app1-state"),
        "APP_IMAGE": "registry.example.com/app:0.1.0",
        "SIDECAR_IMAGE": "registry.example.com/sidecar:0.1.0",
        "CPU_ARCHITECTURE": "X86_64",
    }
    assert all(f"--set {name}=" in RUNBOOK for name in given)
    setting = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "task-definitions", "register", str(FARGATE)]
    done = subprocess.run(
        [*command, "--stack", "reports", *setting],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **environment},
    )
    assert (done.returncode, done.stderr) == (0, "")
    arn = done.stdout.strip()
    registered = client("ecs", environment).describe_task_definition(taskDefinition=arn)
    assert registered["taskDefinition"]["family"] == "app1"

"""What the deployment tests read: the project's files, parsed, and the checker's two modules."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = ROOT / "task-definitions"
FARGATE = DEFINITIONS / "app.fargate.json"

COLLECTOR = DEFINITIONS / "functions-collector.fargate.json"
EC2 = DEFINITIONS / "app.ec2.json"
STACK = DEFINITIONS / "cloudformation" / "stack.yaml"

# The folder's name is no package's: users run what is in it as a command.
sys.path.insert(0, str(DEFINITIONS))
from checker.document import parse  # noqa: E402
from checker.values import fill  # noqa: E402

_VALUES = {
    "FAMILY": "reports",
    "CPU_ARCHITECTURE": "X86_64",
    "APP_IMAGE": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/app:0.1.0",
    "APP_REPOSITORY": "app",
    "SIDECAR_IMAGE": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/sidecar:0.1.0",
    "SIDECAR_REPOSITORY": "sidecar",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCOUNT_ID": "123456789012",
    "COLLECTOR_CONTAINER_LOG_GROUP": "/ecs/reports-functions-containers",
    "COLLECTOR_STATE_ACCESS_POINT_ID": "fsap-0fedcba9876543211",
    "COLLECTOR_TASK_ROLE_ARN": "arn:aws:iam::123456789012:role/reports-functions-task",
    "FUNCTION1_ACCESS_POINT_ID": "fsap-0123456789abcdef1",
    "FUNCTION2_ACCESS_POINT_ID": "fsap-0123456789abcdef2",
    "FUNCTIONS_LOG_GROUP": "/ecs/reports-functions",
    "FILE_SYSTEM_ID": "fs-0123456789abcdef0",
    "APP_ACCESS_POINT_ID": "fsap-0123456789abcdef0",
    "STATE_ACCESS_POINT_ID": "fsap-0fedcba9876543210",
    "LOG_GROUP": "/ecs/reports",
    "CONTAINER_LOG_GROUP": "/ecs/reports-containers",
    "TASK_ROLE_ARN": "arn:aws:iam::123456789012:role/reports-task",
    "EXECUTION_ROLE_ARN": "arn:aws:iam::123456789012:role/reports-execution",
}


def values(**changes: str) -> dict[str, str]:
    """An example value for every placeholder."""
    return {**_VALUES, **changes}


def filled(path: Path = FARGATE, **changes: str) -> dict[str, Any]:
    """A task definition with example values, a fresh copy each time."""
    return json.loads(fill(path.read_text(encoding="utf-8"), values(**changes)))


def template() -> dict[str, Any]:
    """The stack's template in the long form of its functions, a fresh copy each time."""
    return parse(STACK.read_text(encoding="utf-8"))[1]


def container(definition: dict[str, Any], name: str) -> dict[str, Any]:
    """The one container of that name."""
    (found,) = [c for c in definition["containerDefinitions"] if c["name"] == name]
    return found


def compose() -> dict[str, Any]:
    """The compose file as compose reads it: anchors merged, variables as they stand."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)

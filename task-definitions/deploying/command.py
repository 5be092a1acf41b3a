"""The command line: check, render, register."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from checker import command as checking
from checker.check import task_findings
from checker.document import DocumentError, Kind, parse, read

from deploying.values import RenderError, from_arguments, from_outputs, rendered

DESCRIPTION = """Task definitions with ${NAME}s: check, fill in, register. AWS is found by
AWS_REGION, and else as boto3 finds it: AWS_DEFAULT_REGION, AWS_PROFILE, AWS_ENDPOINT_URL."""


def parser() -> argparse.ArgumentParser:
    line = argparse.ArgumentParser(prog="python -m task-definitions", description=DESCRIPTION)
    verbs = line.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", description=checking.DESCRIPTION, help="find what is wrong")
    checking.add_arguments(check)
    for verb, text in (
        ("render", "print the file filled in"),
        ("register", "fill in, check, and register with ECS; prints the ARN"),
    ):
        each = verbs.add_parser(verb, help=text, description=text)
        each.add_argument("file", type=Path, metavar="FILE")
        each.add_argument("--stack", help="take values from this CloudFormation stack's outputs")
        each.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="given")
    return line


def main(arguments: Sequence[str]) -> int:
    options = parser().parse_args(arguments)
    if options.verb == "check":
        return checking.run(options)
    try:
        text = _rendered(options)
        if options.verb == "render":
            sys.stdout.write(text)
            return 0
        return _register(options.file, text)
    except (RenderError, DocumentError) as error:
        sys.stderr.write(f"{options.file}: {error}\n")
        return 2
    except (BotoCoreError, ClientError) as error:
        sys.stderr.write(f"{options.file}: AWS says no: {error}\n")
        return 2


def _rendered(options: argparse.Namespace) -> str:
    outputs = _outputs(options.stack) if options.stack else {}
    region = {"AWS_REGION": _session().region_name or ""}
    given = from_arguments(options.given)
    return rendered(read(options.file), given, dict(os.environ), outputs, region)


def _session() -> boto3.Session:
    """boto3 itself knows AWS_DEFAULT_REGION only, other than AWS's other tools."""
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


def _outputs(stack: str) -> dict[str, str]:
    answer: dict[str, Any] = _session().client("cloudformation").describe_stacks(StackName=stack)
    return from_outputs(answer["Stacks"][0])


def _register(file: Path, text: str) -> int:
    kind, definition = parse(text)
    if kind is not Kind.TASK:
        raise RenderError(f"is a {kind.value}; only task definitions can be registered")
    findings = task_findings(definition)
    for finding in findings:
        sys.stderr.write(f"{file}: {finding}\n")
    if findings:
        sys.stderr.write(f"{file}: not registered\n")
        return 1
    answer: dict[str, Any] = _session().client("ecs").register_task_definition(**definition)
    sys.stdout.write(answer["taskDefinition"]["taskDefinitionArn"] + "\n")
    return 0

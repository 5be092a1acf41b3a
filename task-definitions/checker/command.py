"""`check FILE…`: one line a finding on stdout; status 0 none, 1 some, 2 a file cannot be read."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from checker import lint, policies, stack, task
from checker.check import check_file
from checker.document import DocumentError
from checker.model import RULE as MODEL_RULE

DESCRIPTION = """Checks ECS task definitions, CloudFormation templates and IAM policies, each told by
its keys, before AWS sees them. Prints one line a finding, with the rule's name behind it. Exit
status: 0 nothing found, 1 something, 2 a file cannot be read."""


def rule_names() -> dict[str, str]:
    """Every rule of ours, with what it is for."""
    rules = [*task.RULES, *stack.RULES, *policies.RULES]
    return {rule.__name__: (rule.__doc__ or "").strip().splitlines()[0] for rule in rules}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="RULE",
        help="leave this rule's findings out",
    )
    parser.add_argument("--rules", action="store_true", help="list every rule and end")


def run(options: argparse.Namespace) -> int:
    names = rule_names()
    if options.rules:
        width = max(map(len, names))
        sys.stdout.writelines(f"{name:{width}}  {text}\n" for name, text in sorted(names.items()))
        return 0
    if not options.files:
        sys.stderr.write("name a task definition, template or policy to check; --help tells more\n")
        return 2
    for name in options.ignore:
        if name not in (*names, MODEL_RULE, "filled_in") and not name[1:].isdigit():
            sys.stderr.write(f"--ignore {name}: there is no such rule; --rules lists them\n")
            return 2
    status = 0
    for path in options.files:
        try:
            found = [each for each in check_file(path) if each.rule not in options.ignore]
        except DocumentError as error:
            sys.stderr.write(f"{path}: {error}\n")
            status = 2
            continue
        sys.stdout.writelines(f"{path}: {' '.join(str(each).split())}\n" for each in found)
        status = max(status, 1 if found else 0)
    if not lint.is_installed() and any(
        p.suffix.lower() in (".yaml", ".yml", ".template") for p in options.files
    ):
        sys.stderr.write(
            "cfn-lint is not installed; templates were checked by our own rules only\n"
        )
    return status


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="check.py", description=DESCRIPTION)
    add_arguments(parser)
    return run(parser.parse_args(arguments))

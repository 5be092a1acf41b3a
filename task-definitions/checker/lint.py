"""cfn-lint, where it is installed: CloudFormation's own schemas come before our rules."""

from importlib.util import find_spec
from pathlib import Path

from checker.finding import Finding


def is_installed() -> bool:
    return find_spec("cfnlint") is not None


def lint_findings(path: Path) -> list[Finding]:
    """Its errors and warnings; informational ones are left out."""
    from cfnlint.api import lint_file  # type: ignore[import-untyped]

    found = []
    for match in lint_file(path):
        rule = str(match.rule.id)
        if rule[0] in "EW":
            place = "/".join(map(str, getattr(match, "path", None) or ()))
            found.append(Finding(rule, f"line {match.linenumber}: {place}: {match.message}"))
    return found

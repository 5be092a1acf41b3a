"""A file in, findings out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from checker import lint, stack, task
from checker.document import Kind, parse, read
from checker.finding import Finding, ask
from checker.model import model_findings
from checker.policies import RULES as POLICY_RULES
from checker.policy import Policy
from checker.stack.roles import policy_findings
from checker.task.conversion import as_definition
from checker.task.view import Task
from checker.template import Template, views
from checker.values import placeholders

# What a policy of ours may hold: IAM's own variables.
POLICY_VARIABLES = ("aws:", "ec2:", "s3:", "saml:", "sts:", "www.")


def check_file(path: Path) -> list[Finding]:
    """Everything found in the file. Raises DocumentError where it cannot be read as any kind."""
    text = read(path)
    kind, document = parse(text)
    if kind is Kind.TEMPLATE:
        linted = lint.lint_findings(path) if lint.is_installed() else []
        return once([*linted, *template_findings(document, sound=not linted)])
    found = task_findings(document) if kind is Kind.TASK else ask(POLICY_RULES, Policy(document))
    empty = sorted(n for n in placeholders(text) if not n.startswith(POLICY_VARIABLES))
    unfilled = [
        Finding("filled_in", f"${{{name}}} is not filled in; render it first") for name in empty
    ]
    return once([*found, *unfilled])


def task_findings(definition: Mapping[str, Any]) -> list[Finding]:
    """botocore's model first, then the rules."""
    wrong = model_findings(definition)
    return once([*wrong, *task_rule_findings(definition, sound=not wrong)])


def task_rule_findings(
    definition: Mapping[str, Any], where: str = "", *, sound: bool = True
) -> list[Finding]:
    try:
        subject = Task(definition)
    except (AttributeError, TypeError):
        return []
    return ask(task.RULES, subject, where, sound=sound)


def template_findings(document: Mapping[str, Any], *, sound: bool = True) -> list[Finding]:
    """Every rule, in each view of the template; a finding that several views have is one."""
    found: list[Finding] = []
    if not isinstance(document.get("Resources"), Mapping) or not document["Resources"]:
        return [Finding("resources", "Resources is missing or empty; there is nothing to deploy")]
    for name, body in document["Resources"].items():
        if not isinstance(body, Mapping) or not isinstance(body.get("Type"), str):
            found.append(
                Finding("resources", f"{name}: is no resource: it needs a Type and Properties")
            )
    for view in views(document):
        found += ask(stack.RULES, view, sound=sound)
        found += policy_findings(view)
        found += _tasks_in(view, sound=sound)
    return once(found)


def _tasks_in(view: Template, *, sound: bool) -> list[Finding]:
    found: list[Finding] = []
    for resource in view.of_type("AWS::ECS::TaskDefinition"):
        definition = as_definition(resource.properties)
        found += task_rule_findings(definition, resource.name, sound=sound)
    return found


def once(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))

"""A Deny outweighs every Allow."""

from typing import Any

from checker.finding import Problems
from checker.policy import Policy, conditions, everybody, mounts_files
from checker.stack.roles import SHIPPING, TYPE, documents_of, may
from checker.template import Template
from checker.values import listed, strings

MOUNTING = ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite")
VIA_MOUNT_TARGET = ("bool", "elasticfilesystem:accessedviamounttarget", ["true"])


def denied_to_its_user(template: Template) -> Problems:
    """What a role both allows and denies, it denies."""
    for role in template.of_type(TYPE):
        documents = documents_of(template, role)
        statements = [each for document in documents for each in Policy(document).statements]
        denying = [s for s in statements if s.get("Effect") == "Deny" and not s.get("Condition")]
        allowed = [dict(s) for s in statements if s.get("Effect") == "Allow"]
        for action in (*SHIPPING, *MOUNTING):
            for statement in denying:
                if may([dict(statement)], action) and _meets(dict(statement), action, allowed):
                    yield f"{role.name}: denies {action}, which it allows elsewhere; take the Deny away"


def _meets(denying: dict[str, Any], action: str, allowed: list[dict[str, Any]]) -> bool:
    """Is a resource of the Deny one that is allowed?"""
    resources = set(strings(listed(denying.get("Resource"))))
    given = [s for s in allowed if may([s], action)]
    return bool(given) and (
        "*" in resources or any(resources & set(strings(listed(s.get("Resource")))) for s in given)
    )


def denied_to_everybody(template: Template) -> Problems:
    """All mounts are through mount targets, and writers write."""
    for system in template.of_type("AWS::EFS::FileSystem"):
        policy = Policy(system.get("FileSystemPolicy", default={}), of_resource=True)
        for statement in policy.statements:
            if statement.get("Effect") != "Deny" or not everybody(statement):
                continue
            tests = [(o, k, [str(v).lower() for v in vs]) for o, k, vs in conditions(statement)]
            if tests in ([], [VIA_MOUNT_TARGET]) and mounts_files(
                statement, ("clientmount", "clientwrite")
            ):
                yield f"{system.name}: its policy denies everybody to mount or write; give that Deny a condition, or take it away"


RULES = (denied_to_its_user, denied_to_everybody)

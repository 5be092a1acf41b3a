"""Rules for policies: who may do what, to what, and through which access point."""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from typing import Any

from checker.finding import Problems
from checker.values import PLACEHOLDER, listed, strings

# Actions that know no resource, from the service authorization reference.
ANY_RESOURCE = (
    "ecr:GetAuthorizationToken",
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
    "ec2:Describe*",
    "logs:DescribeLogGroups",
    "cloudwatch:PutMetricData",
    "ssmmessages:*",
    "xray:Put*",
    "elasticfilesystem:DescribeMountTargets",
)
MOUNTING = ("clientmount", "clientwrite", "clientrootaccess")
WRITING_LOGS = ("logs:createlogstream", "logs:putlogevents", "logs:getlogevents")
DELETING = (
    *("logs:deletelog*", "logs:deleteretentionpolicy", "elasticfilesystem:delete*"),
    *("elasticfilesystem:putfilesystempolicy", "s3:deletebucket*"),
)
POINT_KEY = "elasticfilesystem:accesspointarn"
EQUAL = ("stringequals", "arnequals", "stringlike", "arnlike")
# Whose roles may be assumed for any account's sake unless the trust says for which.
NEEDS_A_SOURCE = ("ecs-tasks.amazonaws.com", "lambda.amazonaws.com")
SOURCE_KEYS = ("aws:sourceaccount", "aws:sourcearn")

Statement = Mapping[str, Any]


class Policy:
    """A policy document: of a role, its trust, or a resource's own."""

    def __init__(self, document: Mapping[str, Any], *, of_resource: bool = False) -> None:
        self.document = document
        self.statements: list[Statement] = [
            each for each in listed(document.get("Statement")) if isinstance(each, Mapping)
        ]
        self.of_resource = of_resource or any("Principal" in each for each in self.statements)

    @property
    def allowing(self) -> Iterator[Statement]:
        return (each for each in self.statements if each.get("Effect") == "Allow")


def actions(statement: Statement) -> list[str]:
    return [str(each) for each in listed(statement.get("Action"))]


def everybody(statement: Statement) -> bool:
    """Does it speak of anybody at all?"""
    principal = statement.get("Principal")
    given = principal.get("AWS") if isinstance(principal, Mapping) else principal
    return "*" in listed(given)


def name_of(statement: Statement) -> str:
    return f"statement {statement.get('Sid') or '/'.join(actions(statement)[:2]) or '?'}"


def conditions(statement: Statement) -> Iterator[tuple[str, str, list[Any]]]:
    """(operator, key, values), the first two in lower case."""
    for operator, tests in (statement.get("Condition") or {}).items():
        for key, values in tests.items():
            yield operator.lower(), key.lower(), listed(values)


def mounts_files(statement: Statement, verbs: tuple[str, ...] = MOUNTING) -> bool:
    """Does it speak of mounting EFS (or of these verbs), in full or by a wildcard?"""
    for action in actions(statement):
        service, _, verb = action.lower().partition(":")
        if service in ("elasticfilesystem", "*") and any(
            fnmatch.fnmatch(each, verb or "*") for each in verbs
        ):
            return True
    return False


def access_points(statement: Statement) -> list[str]:
    """What its condition names, where it allows these only."""
    return [
        str(value)
        for operator, key, values in conditions(statement)
        if key == POINT_KEY and operator in EQUAL
        for value in values
    ]


def version(policy: Policy) -> Problems:
    """The older language knows no policy variables, and is what an absent one means."""
    if policy.document.get("Version") != "2012-10-17":
        yield 'Version must be "2012-10-17"'


def statements(policy: Policy) -> Problems:
    """What every statement has."""
    if not policy.statements:
        yield "has no Statement; a role without one may do nothing"
    for statement in policy.statements:
        if statement.get("Effect") not in ("Allow", "Deny"):
            yield f"{name_of(statement)}: Effect is Allow or Deny"
        if not statement.get("Action") and not statement.get("NotAction"):
            yield f"{name_of(statement)}: name an Action"
        if (
            not policy.of_resource
            and not statement.get("Resource")
            and "NotResource" not in statement
        ):
            yield f"{name_of(statement)}: name a Resource"


def wildcard_action(policy: Policy) -> Problems:
    """Least privilege: each action by name."""
    for statement in policy.allowing:
        for action in actions(statement):
            if "*" in action and not any(
                fnmatch.fnmatchcase(action, a) for a in ("ssmmessages:*",)
            ):
                yield f"{name_of(statement)}: Action {action} allows more than is needed; name each"


def everything_but(policy: Policy) -> Problems:
    """An Allow of all but a few allows what will be invented tomorrow."""
    for statement in policy.allowing:
        for key in ("NotAction", "NotResource", "NotPrincipal"):
            if key in statement:
                yield f"{name_of(statement)}: {key} with Allow allows all else; name what is needed"


def wildcard_resource(policy: Policy) -> Problems:
    """Only for the few actions that know no resource."""
    if policy.of_resource:
        return
    for statement in policy.allowing:
        if "*" not in listed(statement.get("Resource")):
            continue
        narrow = [
            a
            for a in actions(statement)
            if not any(fnmatch.fnmatchcase(a, w) for w in ANY_RESOURCE)
        ]
        if narrow:
            yield f"{name_of(statement)}: Resource * for {', '.join(narrow[:3])}; name the ARNs"


def wide_resource(policy: Policy) -> Problems:
    """A wildcard where the group's, file system's or role's name belongs."""
    for statement in policy.allowing:
        for resource in strings(listed(statement.get("Resource"))):
            # A pseudo parameter, ${AWS::Region}, has colons of its own.
            parts = PLACEHOLDER.sub("x", resource).split(":", 5)
            last = parts[5] if len(parts) == 6 else ""
            if len(parts) == 6 and re.fullmatch(
                r"(log-group|file-system|access-point|repository|role)?[:/]?\*(:\*)?", last
            ):
                yield f"{name_of(statement)}: Resource {resource} is every one of them; name yours"


def log_resource(policy: Policy) -> Problems:
    """A stream's ARN begins with its group's and `:`; the group's alone allows no stream."""
    for statement in policy.allowing:
        if not any(action.lower() in WRITING_LOGS for action in actions(statement)):
            continue
        for resource in strings(listed(statement.get("Resource"))):
            name = resource.partition(":log-group:")[2]
            if name and not (name.endswith("*") or ":log-stream:" in name):
                yield f"{name_of(statement)}: Resource {resource} covers no stream; put :* behind it"


def mount_through_an_access_point(policy: Policy) -> Problems:
    """Who may mount the file system as a whole reads everybody's files."""
    if policy.of_resource:
        return
    for statement in policy.allowing:
        if not mounts_files(statement):
            continue
        points = access_points(statement)
        if not points:
            yield (
                f"{name_of(statement)}: allows any mount; add the condition StringEquals"
                " elasticfilesystem:AccessPointArn with the access points' ARNs"
            )
        for point in points:
            if point.endswith(("*", "access-point/")):
                yield f"{name_of(statement)}: AccessPointArn {point} is every one; name yours"
            elif not point.startswith("${") and ":access-point/" not in point:
                yield f"{name_of(statement)}: AccessPointArn {point} is no access point's ARN"


def never_root(policy: Policy) -> Problems:
    """Root on the file system reads and writes whatever the permissions say."""
    for statement in policy.allowing:
        if any(action.lower().endswith("clientrootaccess") for action in actions(statement)):
            yield f"{name_of(statement)}: remove ClientRootAccess; access points need no root"


def trust(policy: Policy) -> Problems:
    """Who may assume the role."""
    for statement in policy.allowing:
        if not any(action.lower().startswith("sts:") for action in actions(statement)):
            continue
        principal = statement.get("Principal")
        if "*" in list(strings(principal)):
            yield f"{name_of(statement)}: anybody may assume the role; name the service"
        services = (
            set(strings((principal or {}).get("Service")))
            if isinstance(principal, Mapping)
            else set()
        )
        tested = {key for _, key, _ in conditions(statement)}
        for service in sorted(services & set(NEEDS_A_SOURCE)):
            if not tested & set(SOURCE_KEYS):
                yield (
                    f"{name_of(statement)}: add the condition StringEquals aws:SourceAccount, or"
                    f" {service} may be made to use the role for another account"
                )


def deletes(policy: Policy) -> Problems:
    """What was shipped, and what was not yet, must outlive whoever breaks in."""
    for statement in policy.allowing:
        for action in actions(statement):
            if any(fnmatch.fnmatchcase(action.lower(), each) for each in DELETING):
                yield f"{name_of(statement)}: {action} destroys what was shipped or was not yet; remove it"


def pass_role(policy: Policy) -> Problems:
    """Who may pass any role is every role."""
    for statement in policy.allowing:
        if "iam:passrole" in map(str.lower, actions(statement)) and any(
            "*" in each for each in strings(listed(statement.get("Resource")))
        ):
            yield f"{name_of(statement)}: iam:PassRole for any role; name the two"


RULES = (
    version,
    statements,
    wildcard_action,
    everything_but,
    wildcard_resource,
    wide_resource,
    log_resource,
    mount_through_an_access_point,
    never_root,
    trust,
    deletes,
    pass_role,
)

"""Rules for policies: statements that read well and never hold."""

import fnmatch
import ipaddress
from collections.abc import Mapping

from checker.finding import Problems
from checker.policy import NEEDS_A_SOURCE, Policy, actions, conditions, name_of
from checker.values import PLACEHOLDER, is_known, listed, strings

# Service authorization reference: no resource can be named for these.
NO_RESOURCE = (
    *("ecr:GetAuthorizationToken", "ec2:DescribeNetworkInterfaces", "cloudwatch:PutMetricData"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
)
OF_OBJECTS = ("s3:GetObject*", "s3:PutObject*", "s3:DeleteObject*", "s3:AbortMultipartUpload")
OF_RIGHTS = ("iam:Put*", "iam:Attach*", "iam:Create*", "iam:Update*", "iam:Set*", "iam:Add*")
OF_BUCKETS = ("s3:ListBucket*", "s3:GetBucket*")


def literal_wildcard(policy: Policy) -> Problems:
    """StringEquals compares character by character."""
    for statement in policy.statements:
        for operator, key, values in conditions(statement):
            for value in values:
                if operator.startswith("stringequals") and "*" in PLACEHOLDER.sub("", str(value)):
                    yield f"{name_of(statement)}: {key} {value} is never equal: StringEquals takes * for itself; use StringLike"


def never_met(policy: Policy) -> Problems:
    """A task or a function has no second factor, and AWS sees no private address."""
    for statement in policy.allowing:
        for operator, key, values in conditions(statement):
            if key == "aws:multifactorauthpresent" and "true" in [str(v).lower() for v in values]:
                yield f"{name_of(statement)}: no task or function has a second factor; remove {key}"
            if operator == "ipaddress" and key == "aws:sourceip" and all(map(_is_private, values)):
                yield (
                    f"{name_of(statement)}: aws:SourceIp is never a private address; through an"
                    " endpoint it is aws:VpcSourceIp"
                )


def _is_private(value: object) -> bool:
    try:
        return ipaddress.ip_network(str(value), strict=False).is_private
    except ValueError:
        return False


def source_arn(policy: Policy) -> Problems:
    """ECS names the account's tasks, not a cluster; and each service names itself."""
    for statement in policy.allowing:
        principal = statement.get("Principal")
        services = listed(principal.get("Service")) if isinstance(principal, Mapping) else []
        for _, key, values in conditions(statement):
            for value in map(str, values if key == "aws:sourcearn" else ()):
                parts = PLACEHOLDER.sub("x", value).split(":")
                unknown = not is_known(value) and len(parts) == 1 and "." not in value
                for service in services if not unknown else ():
                    if service == NEEDS_A_SOURCE[0] and not (
                        parts[2:3] == ["ecs"] and value.endswith("*")
                    ):
                        yield f"{name_of(statement)}: aws:SourceArn {value} is never a task's; write arn:aws:ecs:REGION:ACCOUNT:*"
                    elif service == NEEDS_A_SOURCE[1] and parts[2:3] not in ([], ["lambda"]):
                        yield f"{name_of(statement)}: aws:SourceArn {value} is never a function's"


def objects_and_buckets(policy: Policy) -> Problems:
    """An object's ARN is its bucket's, a slash, and its key."""
    for statement in policy.allowing:
        resources = list(strings(listed(statement.get("Resource"))))
        # A parameter may hold anything.
        if not resources or any(
            each.startswith("${") and each.endswith("}") and "." not in each for each in resources
        ):
            continue
        for action in actions(statement):
            if _is(action, OF_OBJECTS) and not any(
                "/" in each or each == "*" for each in resources
            ):
                yield f"{name_of(statement)}: {action} is of objects, and {resources[0]} is a bucket; put /* behind it"
            if _is(action, OF_BUCKETS) and all("/" in each for each in resources):
                yield f"{name_of(statement)}: {action} is of the bucket, and {resources[0]} is its objects; leave the / and what follows out"


def _is(action: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatch(action.lower(), each.lower()) for each in patterns)


def any_resource_only(policy: Policy) -> Problems:
    """With a resource's name they are never allowed."""
    for statement in policy.allowing:
        if policy.of_resource or "*" in listed(statement.get("Resource")):
            continue
        for action in actions(statement):
            if _is(action, NO_RESOURCE):
                yield f'{name_of(statement)}: {action} knows no resource; give it a statement with Resource "*"'


def raises_its_rights(policy: Policy) -> Problems:
    """Who may write roles and policies may do everything."""
    for statement in policy.allowing:
        for action in actions(statement):
            if _is(action, OF_RIGHTS):
                yield f"{name_of(statement)}: {action} lets its holder give itself any right; remove it"


def whole_accounts(policy: Policy) -> Problems:
    """Everybody there whose administrator likes may then assume the role."""
    for statement in policy.allowing:
        principal = statement.get("Principal")
        accounts = listed(principal.get("AWS")) if isinstance(principal, Mapping) else []
        if not any(_is(action, ("sts:AssumeRole",)) for action in actions(statement)):
            continue
        for account in map(str, accounts):
            whole = account.endswith(":root") or account.isdigit()
            if whole and not statement.get("Condition"):
                yield f"{name_of(statement)}: trusts the whole account {account}; name a role there, or add a condition"


RULES = (
    raises_its_rights,
    whole_accounts,
    literal_wildcard,
    never_met,
    source_arn,
    objects_and_buckets,
    any_resource_only,
)

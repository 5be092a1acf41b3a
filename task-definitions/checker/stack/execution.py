"""The execution role: what ECS needs before and around the containers."""

import fnmatch
from typing import Any

from checker.finding import Problems
from checker.stack.roles import EXECUTION, SHIPPING, TYPE, allowed_to, managed_of, may
from checker.template import Resource, Template
from checker.values import is_known, listed, referred, strings

LOG_GROUP = "AWS::Logs::LogGroup"


def execution_role_may_start(template: Template) -> Problems:
    """Pull the image, write what the containers print."""
    for task in template.of_type("AWS::ECS::TaskDefinition"):
        role = template.target(task.get("ExecutionRoleArn"), TYPE)
        if role is None or EXECUTION in managed_of(role):
            continue
        allowed = allowed_to(template, role)
        for action in (
            "ecr:GetAuthorizationToken",
            "ecr:BatchGetImage",
            "ecr:GetDownloadUrlForLayer",
            *SHIPPING,
        ):
            if not may(allowed, action):
                yield f"{role.name}: starts {task.name}, which needs {action}; allow it"


def execution_role_reaches(template: Template) -> Problems:
    """The groups its containers print into, and the repositories their images are in."""
    for task in template.of_type("AWS::ECS::TaskDefinition"):
        role = template.target(task.get("ExecutionRoleArn"), TYPE)
        if role is None or managed_of(role):
            continue
        allowed = allowed_to(template, role)
        for container in listed(task.get("ContainerDefinitions")):
            options = (container.get("LogConfiguration") or {}).get("Options") or {}
            group = template.target(options.get("awslogs-group"), LOG_GROUP)
            if group and not covers_group(allowed, group):
                yield f"{role.name}: {task.name}'s {container.get('Name')} prints into {group.name}; allow logs:PutLogEvents on its ARN"
            image = str(container.get("Image", ""))
            host, _, rest = image.partition("/")
            repository = (
                rest.split("@")[0].rsplit(":", 1)[0] if "${" not in rest.split(":")[0] else ""
            )
            if ".dkr.ecr." in host and repository and not _pulls(allowed, repository):
                yield f"{role.name}: {task.name}'s {container.get('Name')} is of the repository {repository}; allow ecr:BatchGetImage on its ARN"


def _pulls(allowed: list[dict[str, Any]], repository: str) -> bool:
    found = [
        resource
        for statement in allowed
        if may([statement], "ecr:BatchGetImage")
        for resource in strings(listed(statement.get("Resource")))
    ]
    # One that a resource of the template is, or a parameter, cannot be compared.
    return any(
        fnmatch.fnmatchcase(repository, each.rpartition(":repository/")[2] or "*")
        or not is_known(each.rpartition(":repository/")[2])
        for each in found
    )


def covers_group(allowed: list[dict[str, Any]], group: Resource) -> bool:
    """May its holder write to the group?"""
    for statement in allowed:
        if not may([statement], "logs:PutLogEvents"):
            continue
        resources = list(strings(listed(statement.get("Resource"))))
        if group.name in referred(resources):
            return True
        if any(_covers(each, str(group.get("LogGroupName"))) for each in resources):
            return True
    return False


def _covers(resource: str, group: str) -> bool:
    _, of_group, pattern = resource.rpartition(":log-group:")
    return (
        fnmatch.fnmatchcase(group, pattern.removesuffix(":*"))
        if of_group
        else resource.endswith("*")
    )


def execution_role_fetches(template: Template) -> Problems:
    """A task whose secrets it may not fetch does not start."""
    for task in template.of_type("AWS::ECS::TaskDefinition"):
        role = template.target(task.get("ExecutionRoleArn"), TYPE)
        if role is None or any(arn != EXECUTION for arn in _own(role)):
            continue
        allowed = allowed_to(template, role)
        for container in listed(task.get("ContainerDefinitions")):
            secrets = {s.get("Name"): s.get("ValueFrom") for s in listed(container.get("Secrets"))}
            registry = container.get("RepositoryCredentials") or {}
            secrets["of its registry"] = registry.get("CredentialsParameter")
            for name, source in secrets.items():
                action = _fetching(template, str(source))
                if action and not may(allowed, action):
                    yield f"{role.name}: {task.name}'s {container.get('Name')} has the secret {name}; allow {action} on it"


def _own(role: Resource) -> list[str]:
    """Its managed policies; what one that is not AWS's for starting allows is not known."""
    return [arn.partition(":policy/")[2] for arn in strings(listed(role.get("ManagedPolicyArns")))]


def _fetching(template: Template, source: str) -> str | None:
    if ":secretsmanager:" in source or template.target(source, "AWS::SecretsManager::Secret"):
        return "secretsmanager:GetSecretValue"
    if ":ssm:" in source or template.target(source, "AWS::SSM::Parameter"):
        return "ssm:GetParameters"
    return None


RULES = (
    execution_role_fetches,
    execution_role_may_start,
    execution_role_reaches,
)

"""Roles as a whole: trusted by the right service, and allowed what their program needs."""

import fnmatch
from collections.abc import Iterator
from typing import Any

from checker.finding import Finding, Problems, ask
from checker.policies import RULES as POLICY_RULES
from checker.policy import Policy, Statement, access_points, actions, mounts_files
from checker.template import Resource, Template
from checker.values import listed, referred, strings

TYPE = "AWS::IAM::Role"
BROAD = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
# They know no access point.
ANY_MOUNT = "AmazonElasticFileSystemClient"
EXECUTION = "service-role/AmazonECSTaskExecutionRolePolicy"
IN_VPC = ("service-role/AWSLambdaVPCAccessExecutionRole", "AWSLambdaENIManagementAccess")
ASKING = "logs:GetLogEvents"
SHIPPING = ("logs:CreateLogStream", "logs:PutLogEvents")


def policies(template: Template) -> Iterator[tuple[str, Policy]]:
    """Every policy document of the template, by where it stands."""
    for role in template.of_type(TYPE):
        trust = role.get("AssumeRolePolicyDocument")
        if isinstance(trust, dict):
            yield role.name, Policy(trust)
        for each in listed(role.get("Policies")):
            if isinstance(each, dict) and isinstance(each.get("PolicyDocument"), dict):
                yield role.name, Policy(each["PolicyDocument"])
    for apart in template.of_type(
        "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"
    ):
        if isinstance(apart.get("PolicyDocument"), dict):
            yield apart.name, Policy(apart.get("PolicyDocument"))


def policy_findings(template: Template) -> list[Finding]:
    return [
        found for name, policy in policies(template) for found in ask(POLICY_RULES, policy, name)
    ]


def broad_managed_policies(template: Template) -> Problems:
    """Least privilege: what is needed, by name."""
    for role in template.of_type(TYPE):
        for arn in strings(listed(role.get("ManagedPolicyArns"))):
            name = arn.rpartition("/")[2]
            if name in BROAD or name.endswith("FullAccess") or name.startswith(ANY_MOUNT):
                yield f"{role.name}: {name} allows more than is needed; write what it needs"


def task_role_is_the_program_s(template: Template) -> Problems:
    """The execution role's policy reads every image and writes to every group."""
    for task in template.of_type("AWS::ECS::TaskDefinition"):
        role = template.target(task.get("TaskRoleArn"), TYPE)
        if role and EXECUTION in managed_of(role):
            yield f"{role.name}: is {task.name}'s task role, and has the execution role's policy; take it away"


def documents_of(template: Template, role: Resource) -> list[dict[str, Any]]:
    """The role's policies, inline and apart."""
    documents = [each.get("PolicyDocument", {}) for each in listed(role.get("Policies"))]
    apart = template.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
    documents += [
        policy.get("PolicyDocument", default={})
        for policy in apart
        if any(
            template.target(each, TYPE) == role
            for each in strings([policy.get("Roles"), policy.get("RoleName")])
        )
    ]
    return documents


def allowed_to(template: Template, role: Resource) -> list[dict[str, Any]]:
    """Every Allow of the role."""
    documents = documents_of(template, role)
    return [s for document in documents for s in Policy(document).allowing]  # type: ignore[misc]


def may(allowed: list[dict[str, Any]], action: str) -> bool:
    return any(
        fnmatch.fnmatch(action.lower(), each.lower())
        for statement in allowed
        for each in actions(statement)
    )


def managed_of(role: Resource) -> str:
    return " ".join(strings(listed(role.get("ManagedPolicyArns"))))


def trusted_by_its_service(template: Template) -> Problems:
    """A role that its service may not assume fails at the first task."""
    users = [
        (each, key, "ecs-tasks.amazonaws.com")
        for each in template.of_type("AWS::ECS::TaskDefinition")
        for key in ("TaskRoleArn", "ExecutionRoleArn")
    ]
    users += [
        (each, "Role", "lambda.amazonaws.com") for each in template.of_type("AWS::Lambda::Function")
    ]
    for user, key, service in users:
        role = template.target(user.get(key), TYPE)
        if role is None:
            continue
        trust = Policy(role.get("AssumeRolePolicyDocument", default={}))
        trusted = [s for s in trust.allowing if may([dict(s)], "sts:AssumeRole")]
        if service not in [text for s in trusted for text in strings(s.get("Principal"))]:
            yield f"{role.name}: is {user.name}'s {key}, so its trust must allow {service} sts:AssumeRole"


def task_may_ship(template: Template) -> Problems:
    """What the sidecar needs: streams, events, mounts through the task's access points."""
    for task in template.of_type("AWS::ECS::TaskDefinition"):
        role = template.target(task.get("TaskRoleArn"), TYPE)
        if role is None:
            continue
        allowed = allowed_to(template, role)
        ships = any(
            s.startswith("SIDECAR_") for s in strings(task.get("ContainerDefinitions", default=[]))
        )
        for action in SHIPPING:
            if ships and not may(allowed, action) and not managed_of(role):
                yield f"{role.name}: {task.name}'s sidecar needs {action} on its log groups; allow it"
        yield from _mounts(template, task, role, allowed)


def _mounts(
    template: Template, task: Resource, role: Resource, allowed: list[dict[str, Any]]
) -> Problems:
    written = {
        mount.get("SourceVolume")
        for container in listed(task.get("ContainerDefinitions"))
        for mount in listed(container.get("MountPoints"))
        if not mount.get("ReadOnly")
    }
    for volume in listed(task.get("Volumes")):
        efs = volume.get("EFSVolumeConfiguration") or {}
        point = template.target(
            (efs.get("AuthorizationConfig") or {}).get("AccessPointId"), "AWS::EFS::AccessPoint"
        )
        if point is None:
            continue
        wanted = ["ClientMount"] + (["ClientWrite"] if volume.get("Name") in written else [])
        for verb in wanted:
            if not _may_mount(template, allowed, point, verb):
                yield f"{role.name}: {task.name} mounts {point.name}, which needs elasticfilesystem:{verb} with AccessPointArn {point.name}; allow it"
        if "ClientWrite" not in wanted and _may_mount(template, allowed, point, "ClientWrite"):
            yield f"{role.name}: {task.name} only reads {point.name}; do not allow elasticfilesystem:ClientWrite there"


def _may_mount(
    template: Template, allowed: list[dict[str, Any]], point: Resource, verb: str
) -> bool:
    for statement in allowed:
        if not mounts_files(statement) or not may([statement], f"elasticfilesystem:{verb}"):
            continue
        if not _is_of_its_file_system(template, statement, point):
            continue
        points = access_points(statement)
        if not points or any(template.target(each) == point or "*" in each for each in points):
            return True
    return False


def _is_of_its_file_system(template: Template, statement: Statement, point: Resource) -> bool:
    """Mounting is an action on the file system, and the access point its condition."""
    system = str(point.get("FileSystemId"))
    own = template.target(system, "AWS::EFS::FileSystem")
    for resource in strings(listed(statement.get("Resource"))):
        if "*" in resource.rpartition(":")[2] or system in resource:
            return True
        if own and own.name in referred(resource):
            return True
        names = {
            n for n in referred(resource) if n != "AWS::Partition" and not n.startswith("AWS:")
        }
        if names and not names & template.resources.keys():
            return True  # a parameter, an import: not known yet
    return False


def mounts_nothing_else(template: Template) -> Problems:
    """An access point in a role that its task or function does not mount is another's files."""
    users: dict[str, set[str]] = {}
    for user in template.of_type("AWS::ECS::TaskDefinition", "AWS::Lambda::Function"):
        role = template.target(user.get("TaskRoleArn") or user.get("Role"), TYPE)
        if role:
            mounted = [user.get("Volumes"), user.get("FileSystemConfigs")]
            users.setdefault(role.name, set()).update(referred(mounted))
    for name, mounted_names in users.items():
        for statement in allowed_to(template, template.resources[name]):
            if not mounts_files(statement):
                continue
            for each in access_points(statement):
                point = template.target(each, "AWS::EFS::AccessPoint")
                if point and each == f"${{{point.name}}}":
                    yield f"{name}: AccessPointArn takes {point.name}'s ARN (GetAtt Arn), not its id (Ref)"
                elif point and point.name not in mounted_names:
                    yield f"{name}: may mount {point.name}, which none of its tasks and functions mounts; take it away"


def task_may_ask(template: Template) -> Problems:
    """Without it a batch of unknown fate is sent again, and may be there twice."""
    for task in template.of_type("AWS::ECS::TaskDefinition"):
        role = template.target(task.get("TaskRoleArn"), TYPE)
        ships = any(
            s.startswith("SIDECAR_") for s in strings(task.get("ContainerDefinitions", default=[]))
        )
        if role and ships and not managed_of(role) and not may(allowed_to(template, role), ASKING):
            yield f"{role.name}: allow {ASKING} on its log groups: after a crash {task.name}'s sidecar asks what is there, or sends it again"


def function_may_mount(template: Template) -> Problems:
    """Its interface in the VPC, and the mount."""
    for function in template.of_type("AWS::Lambda::Function"):
        role = template.target(function.get("Role"), TYPE)
        if role is None:
            continue
        allowed, managed = allowed_to(template, role), managed_of(role)
        in_vpc = any(name in managed for name in IN_VPC) or may(
            allowed, "ec2:CreateNetworkInterface"
        )
        if function.get("VpcConfig") and not in_vpc:
            yield f"{role.name}: {function.name} is in a VPC: attach AWSLambdaVPCAccessExecutionRole, or it cannot be made"
        for config in listed(function.get("FileSystemConfigs")):
            point = template.target(config.get("Arn"), "AWS::EFS::AccessPoint")
            for verb in ("ClientMount", "ClientWrite"):
                if point and not _may_mount(template, allowed, point, verb):
                    yield f"{role.name}: {function.name} mounts {point.name}: allow elasticfilesystem:{verb} with that AccessPointArn"


def one_role_each(template: Template) -> Problems:
    """A shared role is allowed what either needs."""
    roles: dict[str, list[str]] = {}
    for each in template.of_type("AWS::Lambda::Function", "AWS::ECS::TaskDefinition"):
        role = template.target(each.get("Role") or each.get("TaskRoleArn"), TYPE)
        if role:
            roles.setdefault(role.name, []).append(each.name)
    for role_name, users in roles.items():
        if len(users) > 1:
            yield f"{role_name}: is shared by {' and '.join(users)}; each could read the other's files; one role each"


def long_lived_keys(template: Template) -> Problems:
    """Whoever reads one has it until somebody notices."""
    for key in template.of_type("AWS::IAM::AccessKey"):
        yield f"{key.name}: remove it; tasks and functions have roles, whose credentials end by themselves"


RULES = (
    long_lived_keys,
    broad_managed_policies,
    trusted_by_its_service,
    task_may_ship,
    task_role_is_the_program_s,
    mounts_nothing_else,
    task_may_ask,
    function_may_mount,
    one_role_each,
)

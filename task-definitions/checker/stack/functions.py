"""Lambda functions that mount the file system."""

import re

from checker.finding import Problems
from checker.policy import actions
from checker.stack.roles import allowed_to
from checker.task.security import in_the_open
from checker.template import Resource, Template
from checker.values import is_known, listed, number, referred, strings

LOGGING = ("AWSLambdaVPCAccessExecutionRole", "AWSLambdaBasicExecutionRole", "AWSLambda_FullAccess")
TYPE = "AWS::Lambda::Function"
# API reference, FileSystemConfig.
MOUNT_PATH = re.compile(r"/mnt/[a-zA-Z0-9\-_.]+")
# Lambda quotas: seconds and MB.
TIMEOUT = (1, 900)
MEMORY = (128, 10240)


def _mounting(template: Template) -> list[Resource]:
    return [each for each in template.of_type(TYPE) if each.get("FileSystemConfigs")]


def function_mount(template: Template) -> Problems:
    """One file system, through an access point, below /mnt."""
    for function in _mounting(template):
        configs = listed(function.get("FileSystemConfigs"))
        if len(configs) > 1:
            yield f"{function.name}: a function mounts one file system; it has {len(configs)}"
        for config in configs:
            path, arn = str(config.get("LocalMountPath", "")), str(config.get("Arn", ""))
            if is_known(path) and not MOUNT_PATH.fullmatch(path):
                yield f"{function.name}: LocalMountPath {path!r} must be /mnt/NAME"
            point = template.target(arn, "AWS::EFS::AccessPoint")
            if ":file-system/" in arn or (
                point is None and template.target(arn, "AWS::EFS::FileSystem")
            ):
                yield f"{function.name}: FileSystemConfigs.Arn must be an access point's, not the file system's"
            elif point is not None and arn == f"${{{point.name}}}":
                yield f"{function.name}: FileSystemConfigs.Arn must be {point.name}'s ARN (GetAtt Arn), not its id"
            for value in strings(function.get("Environment", "Variables", default={})):
                if value.startswith("/mnt/") and not (value + "/").startswith(
                    path.rstrip("/") + "/"
                ):
                    yield f"{function.name}: its environment names {value}, and the mount is {path}"


def function_vpc(template: Template) -> Problems:
    """Mount targets are in the VPC."""
    for function in _mounting(template):
        vpc = function.get("VpcConfig", default={})
        for key in ("SubnetIds", "SecurityGroupIds"):
            if not vpc.get(key):
                yield f"{function.name}: mounts a file system, so it needs VpcConfig.{key}"


def function_waits_for_mounts(template: Template) -> Problems:
    """It is tried when the function is made."""
    targets = {target.name for target in template.of_type("AWS::EFS::MountTarget")}
    for function in _mounting(template):
        for name in sorted(targets - template.comes_before(function)):
            yield f"{function.name}: add {name} to its DependsOn: it cannot be made before it can mount"


def function_limits(template: Template) -> Problems:
    """Lambda's bounds; and its default time-out, which a first mount alone may take."""
    for function in template.of_type(TYPE):
        for key, (least, greatest), unit in (
            ("Timeout", TIMEOUT, "s"),
            ("MemorySize", MEMORY, "MB"),
        ):
            value = number(function.get(key))
            if value is not None and not least <= value <= greatest:
                yield f"{function.name}: {key} is {least} to {greatest} {unit}, not {value:g}"
        if (
            function.get("FileSystemConfigs")
            and (number(function.get("Timeout", default=3)) or 60) < 10
        ):
            yield f"{function.name}: set Timeout to 10 s or more: the default of 3 may end in the first mount"
        if "" in listed(function.get("Handler", default="x")):
            yield f"{function.name}: name its Handler, MODULE.FUNCTION"
        handler = function.get("Handler")
        if (
            is_known(handler)
            and function.get("PackageType", default="Zip") == "Zip"
            and "." not in str(handler)
        ):
            yield f"{function.name}: Handler {handler} must be MODULE.FUNCTION"


def one_function_an_access_point(template: Template) -> Problems:
    """Functions that share one see each other's files."""
    users: dict[str, list[str]] = {}
    for function in _mounting(template):
        for config in listed(function.get("FileSystemConfigs")):
            users.setdefault(str(config.get("Arn")), []).append(function.name)
    for arn, names in users.items():
        if len(names) > 1:
            yield f"{' and '.join(names)}: mount one access point, {arn}; give each its own"


def function_log_group(template: Template) -> Problems:
    """Lambda makes one that is kept for ever, unless the template has it."""
    groups = template.of_type("AWS::Logs::LogGroup")
    for function in template.of_type(TYPE):
        named = function.get("LoggingConfig", "LogGroup")
        if named is not None and template.target(named, "AWS::Logs::LogGroup"):
            continue
        default = f"/aws/lambda/{function.get('FunctionName', default='${' + function.name + '}')}"
        if str(named or default) not in {str(group.get("LogGroupName")) for group in groups}:
            yield f"{function.name}: make its log group here, with RetentionInDays; Lambda's own is kept for ever"


def provisioned_concurrency(template: Template) -> Problems:
    """$LATEST cannot be kept warm."""
    for alias in template.of_type("AWS::Lambda::Alias"):
        if alias.get("ProvisionedConcurrencyConfig") and alias.get("FunctionVersion") == "$LATEST":
            yield f"{alias.name}: provisioned concurrency needs a published version, not $LATEST"


def function_secrets(template: Template) -> Problems:
    """Whoever may read a function's configuration reads its environment."""
    for function in template.of_type(TYPE):
        told = function.get("Environment", "Variables", default={})
        variables = {name: str(value) for name, value in told.items()}
        yield from (f"{function.name}: {text}" for text in in_the_open(variables))


def function_may_log(template: Template) -> Problems:
    """Without it a failed invocation leaves no word."""
    for function in template.of_type(TYPE):
        role = template.target(function.get("Role"), "AWS::IAM::Role")
        managed = " ".join(strings(listed(role.get("ManagedPolicyArns")))) if role else ""
        if (
            role is None
            or any(name in managed for name in LOGGING)
            or "${" in managed.rpartition("/")[2]
        ):
            continue
        said = {a.lower() for s in allowed_to(template, role) for a in actions(s)}
        if not said & {"logs:putlogevents", "logs:put*", "logs:*", "*"}:
            yield f"{role.name}: {function.name} may not write its own log; attach AWSLambdaVPCAccessExecutionRole"


def permission_source(template: Template) -> Problems:
    """Or any account's bucket, topic or rule may call it."""
    for permission in template.of_type("AWS::Lambda::Permission"):
        principal = str(permission.get("Principal"))
        if principal == "*" or (
            principal.endswith(".amazonaws.com")
            and not permission.get("SourceArn")
            and not permission.get("SourceAccount")
        ):
            yield f"{permission.name}: name SourceArn (and SourceAccount): who may call it"
    for url in template.of_type("AWS::Lambda::Url"):
        if url.get("AuthType") == "NONE":
            yield f"{url.name}: AuthType NONE lets everybody call it; make it AWS_IAM"


def what_functions_write_is_read(template: Template) -> Problems:
    """A function has no sidecar of its own."""
    tasks = template.of_type("AWS::ECS::TaskDefinition")
    mounted = {
        name
        for task in tasks
        for volume in listed(task.get("Volumes"))
        for name in referred(volume)
    }
    for function in _mounting(template):
        for config in listed(function.get("FileSystemConfigs")):
            point = template.target(config.get("Arn"), "AWS::EFS::AccessPoint")
            if point and tasks and point.name not in mounted:
                yield f"{function.name}: no task mounts {point.name}: nobody ships what it writes; add it to the collector"
    for function in template.of_type(TYPE):
        told = function.get("Environment", "Variables", default={})
        if any(name.startswith("SIDECAR_") for name in told):
            yield f"{function.name}: a function cannot run the sidecar; let a collector task read what it writes"


def warm_within_its_limit(template: Template) -> Problems:
    """Provisioned concurrency is taken from the reserved one."""
    for alias in template.of_type("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        function = template.target(alias.get("FunctionName"), TYPE)
        config = alias.get("ProvisionedConcurrencyConfig", default={})
        warm = number(config.get("ProvisionedConcurrentExecutions"))
        limit = number(function.get("ReservedConcurrentExecutions")) if function else None
        if warm is not None and limit is not None and warm > limit:
            yield f"{alias.name}: keeps {warm:.0f} environments warm, and {function.name if function else ''} may have {limit:.0f}; raise ReservedConcurrentExecutions"


def version_follows_the_code(template: Template) -> Problems:
    """A version that stays as it was is not published anew, and the alias keeps the old code."""
    bodies = template.document["Resources"]
    for version in template.of_type("AWS::Lambda::Version"):
        function = template.target(version.get("FunctionName"), TYPE)
        key = bodies[function.name]["Properties"].get("Code", {}).get("S3Key") if function else None
        said = str(bodies[version.name].get("Properties"))
        if (
            isinstance(key, dict)
            and "Ref" in key
            and str(key.get("Ref")) not in said
            and "CodeSha256" not in said
        ):
            yield f"{version.name}: a new {key.get('Ref')} publishes no version, so the alias keeps the old code; refer to it in Description"


RULES = (
    warm_within_its_limit,
    version_follows_the_code,
    function_mount,
    function_vpc,
    function_waits_for_mounts,
    function_limits,
    one_function_an_access_point,
    function_log_group,
    provisioned_concurrency,
    function_secrets,
    function_may_log,
    permission_source,
    what_functions_write_is_read,
)

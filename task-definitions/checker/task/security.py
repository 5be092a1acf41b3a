"""What a security review asks of a container."""

import re
from collections.abc import Mapping

from checker.finding import Problems
from checker.task.view import Task, environment
from checker.values import is_known, listed

AWS_KEYS = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
SECRET = re.compile(
    r"PASSWORD|PASSWD|_PWD\b|(?<![A-Z])PASS(?![A-Z])|SECRET|CREDENTIAL|(API|ACCESS|PRIVATE|AUTH)_?KEY"
    r"|(?<![A-Z])TOKEN(?![A-Z])",
    re.I,
)
# Where the secret is, or how long it lives, is none.
NO_SECRET = re.compile(
    r"_(ARN|FILE|PATH|DIR|NAME|URL|URI|ID|TTL|SECONDS|MINUTES|LENGTH|ENABLED)$", re.I
)
# An access key's id, a password within an address, the head of a private key.
SECRET_VALUE = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|://[^/\s:@]*:[^/\s:@]+@|-----BEGIN [A-Z ]*PRIVATE KEY"
)
SECRET_WORD = re.compile(r"--?[\w-]*(password|passwd|secret|token|api-?key)=(?!\$)\S+", re.I)
MOVING_TAGS = (
    "latest",
    "stable",
    "main",
    "master",
    "develop",
    "dev",
    "staging",
    "prod",
    "production",
    "edge",
    "nightly",
)
ROLE = re.compile(r"arn:aws[\w-]*:iam::\d{12}:role/[\w+=,.@/-]+")


def read_only_root(task: Task) -> Problems:
    """Security Hub, ECS.5: what breaks in cannot settle in."""
    for container in task.containers:
        if not container.get("readonlyRootFilesystem"):
            yield (
                f"{container['name']}: set readonlyRootFilesystem to true; what it must write goes"
                " to a volume or a tmpfs"
            )


def no_root(task: Task) -> Problems:
    """Security Hub, ECS.4 and ECS.20."""
    for container in task.containers:
        user = str(container.get("user", "")).split(":")[0]
        if user in ("0", "root") and not container.get("firelensConfiguration"):
            yield f"{container['name']}: runs as root; name another user, by number"
        elif not user and not container.get("firelensConfiguration"):
            yield f"{container['name']}: set user, by number: it is root unless its image says otherwise"
        if container.get("privileged") and not task.for_fargate:
            yield f"{container['name']}: privileged gives it the host; remove it"
        linux = container.get("linuxParameters") or {}
        for added in (linux.get("capabilities") or {}).get("add") or ():
            if not task.for_fargate:
                yield f"{container['name']}: needs no capability {added}; remove it"


def capabilities(task: Task) -> Problems:
    """Neither the app nor the sidecar needs any; dropped, nothing can mount by itself."""
    for container in task.containers:
        linux = container.get("linuxParameters") or {}
        if "ALL" not in ((linux.get("capabilities") or {}).get("drop") or ()):
            yield f"{container['name']}: drop all capabilities (linuxParameters.capabilities.drop ALL)"


def host_namespaces(task: Task) -> Problems:
    """Security Hub, ECS.3 and its like for IPC; Fargate has rules of its own."""
    for key in ("pidMode", "ipcMode"):
        if task.get(key) == "host" and not task.for_fargate:
            yield f"{key} host shows the host's to every container of the task; remove it"


def host_directories(task: Task) -> Problems:
    """On EC2 a directory of the host outlives the task on that host alone."""
    for volume in task.volumes:
        if (volume.get("host") or {}).get("sourcePath") and not task.for_fargate:
            yield (
                f"volume {volume['name']}: a directory of the host stays behind when the task moves,"
                " with what was not shipped; use EFS"
            )


def secrets_in_the_open(task: Task) -> Problems:
    """Security Hub, ECS.8: whoever may describe the task definition reads its environment."""
    for container in task.containers:
        yield from (f"{container['name']}: {text}" for text in in_the_open(environment(container)))
        words = [*listed(container.get("entryPoint")), *listed(container.get("command"))]
        for word in map(str, words):
            if SECRET_WORD.search(word) or SECRET_VALUE.search(word):
                yield f"{container['name']}: its command holds a secret, {word.partition('=')[0]}; move it to `secrets`"


def in_the_open(variables: Mapping[str, str]) -> Problems:
    """What should be no plain variable; of a function too."""
    for name, value in variables.items():
        if name in AWS_KEYS:
            yield f"remove {name}; the role gives credentials"
        elif name == "AWS_PROFILE":
            yield f"remove {name}: there is no file of profiles; the role gives credentials"
        elif (SECRET.search(name) and not NO_SECRET.search(name)) or SECRET_VALUE.search(value):
            yield f"{name} stands in the open; move it to a secret"
        elif name.startswith("AWS_ENDPOINT_URL") and value.startswith("http://"):
            yield f"{name} is {value}, a stand-in for AWS; remove it"


def secrets_need_an_execution_role(task: Task) -> Problems:
    """ECS fetches them before the container starts."""
    for container in task.containers:
        if container.get("secrets") and not task.get("executionRoleArn"):
            yield f"{container['name']}: has secrets, and there is no executionRoleArn to fetch them"


def a_moving_image(task: Task) -> Problems:
    """A rollback to a tag that moved starts the new image again."""
    for container in task.containers:
        image = str(container.get("image", ""))
        last = image.rpartition("/")[2]
        if "@sha256:" in image or (not is_known(last) and ":" in last.replace("::", "")):
            continue
        tag = last.partition(":")[2]
        if is_known(last) and (not tag or tag in MOVING_TAGS):
            yield (
                f"{container['name']}: image {image} has {f'the tag {tag}' if tag else 'no tag'};"
                " name one that never moves, or nothing can be rolled back"
            )


def roles(task: Task) -> Problems:
    """The execution role pulls images; the task role is the program's."""
    task_role, execution_role = task.get("taskRoleArn"), task.get("executionRoleArn")
    if task_role and task_role == execution_role:
        yield "taskRoleArn is the execution role too; give each its own, with what it needs"
    if task.sidecars and not task_role:
        yield "there is no taskRoleArn: the sidecar has no credentials to ship with; name one"
    if task.for_fargate and not execution_role:
        yield "there is no executionRoleArn: Fargate cannot pull from ECR nor write logs; name one"
    for key, value in (("taskRoleArn", task_role), ("executionRoleArn", execution_role)):
        if is_known(value) and not ROLE.fullmatch(str(value)):
            yield f"{key} {value!r} is no role's ARN, arn:aws:iam::123456789012:role/NAME"
    accounts = {
        str(r).split(":")[4]
        for r in (task_role, execution_role)
        if is_known(r) and str(r).count(":") > 4
    }
    if len(accounts) > 1:
        yield f"the two roles are of accounts {' and '.join(sorted(accounts))}; both must be the task's own"


RULES = (
    read_only_root,
    no_root,
    capabilities,
    host_namespaces,
    host_directories,
    secrets_in_the_open,
    secrets_need_an_execution_role,
    a_moving_image,
    roles,
)

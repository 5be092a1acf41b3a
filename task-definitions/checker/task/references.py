"""What a definition names outside itself, or in itself by name: images, secrets, regions, containers."""

import re
from collections.abc import Iterator

from checker.finding import Problems
from checker.task.view import Definition, Task, environment
from checker.values import is_known, listed

# The distribution project's grammar of references, without what ECR does not have.
IMAGE = re.compile(
    r"([\w.-]+(:\d+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
# API reference, Secret: a secret's ARN, a parameter's, or a parameter's name.
SECRET_SOURCE = re.compile(r"arn:aws[\w-]*:(secretsmanager|ssm):.+|[\w./-]+")
ENVIRONMENT_FILE = re.compile(r"arn:aws[\w-]*:s3:::[^/]+/.+\.env")
REGION = re.compile(r"[a-z]{2,3}(-[a-z]+)+-\d")
LOG_GROUP = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")
# What the agent tells each container; told otherwise, credentials and the task's name are lost.
SET_BY_ECS = re.compile(r"AWS_CONTAINER_(CREDENTIALS|AUTHORIZATION)_\w+|ECS_(CONTAINER|AGENT)_\w+")


def image_names(task: Task) -> Problems:
    """A name that is none fails at the pull, after the deployment has begun."""
    for container in task.containers:
        image = container.get("image")
        if image and is_known(image) and not IMAGE.fullmatch(str(image)):
            yield (
                f"{container['name']}: image {image!r} is no image's name: REGISTRY/repository:tag,"
                " in small letters, without https://"
            )


def containers_named(task: Task) -> Problems:
    """A container that is named is one of the task's."""
    known = {container["name"] for container in task.containers}
    for owner, name, key in _named(task):
        if name not in known:
            yield f"{owner}{key} names the container {name}, which is not there; name one of {', '.join(sorted(known))}"


def _named(task: Task) -> Iterator[tuple[str, str, str]]:
    for container in task.containers:
        for each in listed(container.get("volumesFrom")):
            yield f"{container['name']}: ", str(each.get("sourceContainer")), "volumesFrom"
    if proxy := task.get("proxyConfiguration"):
        yield "", str(proxy.get("containerName")), "proxyConfiguration"


def secret_sources(task: Task) -> Problems:
    """A task whose secret or file cannot be fetched does not start."""
    for container in task.containers:
        for each in listed(container.get("secrets")):
            source = each.get("valueFrom")
            if is_known(source) and not SECRET_SOURCE.fullmatch(str(source)):
                yield f"{container['name']}: the secret {each.get('name')} is from {source!r}; name a secret's ARN or a parameter"
        for each in listed(container.get("environmentFiles")):
            source = each.get("value")
            if is_known(source) and not ENVIRONMENT_FILE.fullmatch(str(source)):
                yield f"{container['name']}: environmentFiles names {source!r}; write arn:aws:s3:::BUCKET/NAME.env"


def regions(task: Task) -> Problems:
    """A zone, or a name cut short, has no endpoint: nothing is shipped, and nothing printed."""
    for container in task.containers:
        for key, value in _regions(container):
            if is_known(value) and not REGION.fullmatch(str(value)):
                yield f"{container['name']}: {key} {value!r} is no region like eu-central-1"
        variables = environment(container)
        here, there = (dict(_regions(container)).get(k) for k in ("AWS_REGION", "awslogs-region"))
        if is_known(here) and there == "${AWS::Region}":
            yield f"{container['name']}: AWS_REGION is {here} whatever the stack's is; make it Ref AWS::Region"
        told = {"AWS_REGION", "AWS_DEFAULT_REGION"} & variables.keys()
        # Fargate tells it; the agent on EC2 does not.
        if not task.for_fargate and container in task.sidecars and not told:
            yield f"{container['name']}: set AWS_REGION: on EC2 nobody tells the sidecar its region"


def _regions(container: Definition) -> Iterator[tuple[str, str]]:
    variables = environment(container)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if variables.get(name):
            yield name, variables[name]
    logging = container.get("logConfiguration") or {}
    if region := (logging.get("options") or {}).get("awslogs-region"):
        yield "awslogs-region", region


def group_names(task: Task) -> Problems:
    """A group by a name that CloudWatch refuses is never there, and the container does not start."""
    for container in task.containers:
        options = (container.get("logConfiguration") or {}).get("options") or {}
        group = options.get("awslogs-group")
        if is_known(group) and not LOG_GROUP.fullmatch(str(group)):
            yield f"{container['name']}: awslogs-group {group!r} is no name of a log group"


def set_by_ecs(task: Task) -> Problems:
    """Where credentials and the task's own name come from."""
    for container in task.containers:
        for name in environment(container):
            if SET_BY_ECS.fullmatch(name):
                yield f"{container['name']}: ECS sets {name} itself; remove it"


RULES = (
    image_names,
    containers_named,
    secret_sources,
    regions,
    group_names,
    set_by_ecs,
)

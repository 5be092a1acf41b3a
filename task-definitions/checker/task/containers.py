"""Containers by themselves: names, ports, health, order, stop."""

from collections import Counter
from typing import Any

from checker.finding import Problems
from checker.task.view import Task, environment, mounts

# Seconds; "the max stop timeout value is 120 seconds" on Fargate (API reference, stopTimeout).
STOP_TIMEOUT = (2, 120)
# API reference, HealthCheck: seconds, but for retries.
HEALTH_CHECK = {
    "interval": (5, 300),
    "timeout": (2, 60),
    "retries": (1, 10),
    "startPeriod": (0, 300),
}
# API reference, HealthCheck: what an absent key means.
HEALTH_DEFAULTS = {"interval": 30, "timeout": 5}
# API reference, ContainerRestartPolicy: seconds.
RESTART_ATTEMPT_PERIOD = (60, 1800)


def _outside(value: Any, bounds: tuple[int, int]) -> bool:
    return isinstance(value, int) and not bounds[0] <= value <= bounds[1]


def containers(task: Task) -> Problems:
    """A task is its containers."""
    if not task.containers:
        yield "there is no container: name one in containerDefinitions"
    for number, container in enumerate(task.containers):
        for key in ("name", "image"):
            if not container.get(key):
                yield f"container {container.get('name') or number}: {key} is missing"


def unique_names(task: Task) -> Problems:
    """Containers, volumes, and each container's variables and mount paths."""
    kinds: dict[str, list[Any]] = {
        "container": [c["name"] for c in task.containers],
        "volume": [v["name"] for v in task.volumes],
    }
    for container in task.containers:
        name = container["name"]
        variables = [e["name"] for e in container.get("environment") or ()]
        variables += [e["name"] for e in container.get("secrets") or ()]
        kinds[f"{name}: variable"] = variables
        kinds[f"{name}: mount path"] = [m.get("containerPath") for m in mounts(container)]
    for kind, names in kinds.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{kind} {name} stands there {count} times; keep one"


def an_essential_container(task: Task) -> Problems:
    """Absent means essential; a task needs one."""
    if task.containers and not any(c.get("essential", True) for c in task.containers):
        yield "no container is essential; the task would never end by itself, and ECS refuses it"


def ports(task: Task) -> Problems:
    """The containers of a task share one network namespace."""
    mappings = [(c["name"], m) for c in task.containers for m in c.get("portMappings") or ()]
    for name, mapping in mappings:
        port, host = mapping.get("containerPort"), mapping.get("hostPort")
        if task.get("networkMode") == "awsvpc" and host not in (None, port):
            yield f"{name}: hostPort must be left out or be the containerPort with awsvpc"
        if _outside(port, (1, 65535)):
            yield f"{name}: containerPort {port} is no port; 1 to 65535"
    taken = Counter((m.get("containerPort"), m.get("protocol", "tcp")) for _, m in mappings)
    for (port, _), count in taken.items():
        if count > 1:
            yield f"port {port} is mapped {count} times; the containers share one network: move one"
    named = Counter(m["name"] for _, m in mappings if m.get("name"))
    yield from (f"the port name {n} stands there {c} times" for n, c in named.items() if c > 1)


def health_checks(task: Task) -> Problems:
    """The command's first word and the ranges of its numbers."""
    for container in task.containers:
        check = container.get("healthCheck")
        if check is None:
            continue
        name, command = container["name"], check.get("command") or []
        if len(command) < 2 or command[0] not in ("CMD", "CMD-SHELL"):
            yield f"{name}: a health check's command is CMD or CMD-SHELL and more"
        for key, bounds in HEALTH_CHECK.items():
            if _outside(check.get(key), bounds):
                yield f"{name}: healthCheck.{key} is {bounds[0]} to {bounds[1]}, not {check[key]}"
        interval, timeout = (check.get(key, value) for key, value in HEALTH_DEFAULTS.items())
        if isinstance(timeout, int) and isinstance(interval, int) and timeout > interval:
            yield f"{name}: healthCheck.timeout {timeout} is longer than its interval {interval}"


def dependencies(task: Task) -> Problems:
    """What a container waits for must exist and be able to come."""
    known = {c["name"]: c for c in task.containers}
    for name, container in known.items():
        for dependency in container.get("dependsOn") or ():
            target = known.get(dependency["containerName"])
            condition = dependency["condition"]
            if target is None:
                yield f"{name}: depends on {dependency['containerName']}, which is not there"
            elif condition == "HEALTHY" and "healthCheck" not in target:
                yield f"{name}: waits for {target['name']} to be HEALTHY, which has no health check"
            elif condition in ("COMPLETE", "SUCCESS") and target.get("essential", True):
                yield f"{name}: {target['name']} is essential: the task ends when it is {condition}"


def dependency_circle(task: Task) -> Problems:
    """Containers that wait for each other never start."""
    waiting = {
        c["name"]: {d["containerName"] for d in c.get("dependsOn") or ()} for c in task.containers
    }
    while free := [n for n, others in waiting.items() if not others & waiting.keys()]:
        for name in free:
            del waiting[name]
    if waiting:
        yield f"these wait for each other: {', '.join(sorted(waiting))}"


def stop_timeouts(task: Task) -> Problems:
    """Fargate's bounds, for the start as for the stop."""
    least, greatest = STOP_TIMEOUT
    for container in task.containers:
        if task.for_fargate and _outside(container.get("stopTimeout"), STOP_TIMEOUT):
            yield f"{container['name']}: stopTimeout is {least} to {greatest} s on Fargate"
        start, check = container.get("startTimeout"), container.get("healthCheck") or {}
        if task.for_fargate and _outside(start, STOP_TIMEOUT):
            yield f"{container['name']}: startTimeout is {least} to {greatest} s on Fargate"
        if (
            check
            and isinstance(start, int)
            and start <= check.get("interval", HEALTH_DEFAULTS["interval"])
        ):
            yield f"{container['name']}: startTimeout {start} is over before its first health check; raise it or leave it out"


def restart_policies(task: Task) -> Problems:
    """The period is bounded, and means nothing while the policy is off."""
    for container in task.containers:
        policy = container.get("restartPolicy") or {}
        if _outside(policy.get("restartAttemptPeriod", 300), RESTART_ATTEMPT_PERIOD):
            yield f"{container['name']}: restartAttemptPeriod is 60 to 1800 s"
        if policy.get("enabled") is False and len(policy) > 1:
            yield f"{container['name']}: a restart policy that is not enabled has settings"


def environment_values(task: Task) -> Problems:
    """An empty variable is a slip more often than a wish."""
    for container in task.containers:
        for name, value in environment(container).items():
            if value == "":
                yield f"{container['name']}: {name} is empty; give it a value or leave it out"


RULES = (
    containers,
    unique_names,
    an_essential_container,
    ports,
    health_checks,
    dependencies,
    dependency_circle,
    stop_timeouts,
    restart_policies,
    environment_values,
)

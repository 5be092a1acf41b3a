"""Rules for Fargate task definitions that the ECS API does not hold: each catches one way to be
accepted and fail later. A rule yields a line a problem; it may trust names and types."""

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Definition = Mapping[str, Any]
Problems = Iterator[str]

# CPU units: (least memory, greatest memory, step), in MiB.
# https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE_SIZES = {
    256: (512, 2048, 512),
    512: (1024, 4096, 1024),
    1024: (2048, 8192, 1024),
    2048: (4096, 16384, 1024),
    4096: (8192, 30720, 1024),
    8192: (16384, 61440, 4096),
    16384: (32768, 122880, 8192),
}
# Seconds; "the max stop timeout value is 120 seconds" on Fargate (API reference, stopTimeout).
STOP_TIMEOUT = (2, 120)
# API reference, HealthCheck: seconds, but for retries.
HEALTH_CHECK = {
    "interval": (5, 300),
    "timeout": (2, 60),
    "retries": (1, 10),
    "startPeriod": (0, 300),
}
# API reference, ContainerRestartPolicy: seconds and codes.
RESTART_ATTEMPT_PERIOD = (60, 1800)
AWSLOGS_OPTIONS = ("awslogs-group", "awslogs-region", "awslogs-stream-prefix")
# API reference, ContainerDefinition, LinuxParameters and KernelCapabilities: not on Fargate, or not
# with awsvpc, which Fargate always is.
NOT_ON_FARGATE = ("dockerSecurityOptions", "extraHosts", "links", "hostname")
NOT_ON_FARGATE_LINUX = ("devices", "sharedMemorySize", "maxSwap", "swappiness")


def _containers(definition: Definition) -> list[Definition]:
    return list(definition["containerDefinitions"])


def _efs_volumes(definition: Definition) -> Iterator[tuple[str, Definition, Definition]]:
    for volume in definition.get("volumes", ()):
        if efs := volume.get("efsVolumeConfiguration"):
            yield volume["name"], efs, efs.get("authorizationConfig", {})


def _outside(value: int, bounds: tuple[int, int]) -> bool:
    return not bounds[0] <= value <= bounds[1]


def _size(text: str) -> int:
    """CPU units or MiB: `1024`, `1 vCPU` and `2 GB` are all taken by ECS."""
    number = re.fullmatch(r"([\d.]+)\s*(vcpu|gb)?", text.strip().lower())
    if not number:
        return -1
    return round(float(number[1]) * (1024 if number[2] else 1))


def fargate_shape(definition: Definition) -> Problems:
    """Fargate takes awsvpc only, and needs to be asked for."""
    if definition.get("networkMode") != "awsvpc":
        yield "networkMode must be awsvpc on Fargate"
    if "FARGATE" not in definition.get("requiresCompatibilities", ()):
        yield "requiresCompatibilities must name FARGATE, or ECS checks for EC2"


def fargate_size(definition: Definition) -> Problems:
    """CPU and memory come in pairs."""
    cpu = _size(definition.get("cpu", ""))
    memory = _size(definition.get("memory", ""))
    if cpu not in FARGATE_SIZES:
        yield f"cpu {definition.get('cpu')!r} is none of {', '.join(map(str, FARGATE_SIZES))}"
        return
    least, greatest, step = FARGATE_SIZES[cpu]
    if _outside(memory, (least, greatest)) or (memory - least) % step:
        yield f"memory with cpu {cpu} is {least} to {greatest} MiB, in steps of {step}"


def container_memory(definition: Definition) -> Problems:
    """The containers share the task's memory."""
    total = sum(c.get("memory", c.get("memoryReservation", 0)) for c in _containers(definition))
    if total > _size(definition.get("memory", "")):
        yield f"the containers' memory, {total} MiB, is over the task's {definition.get('memory')}"
    for container in _containers(definition):
        if container.get("memoryReservation", 0) > container.get("memory", sys.maxsize):
            yield f"{container['name']}: memoryReservation is over memory"


def not_on_fargate(definition: Definition) -> Problems:
    """What Fargate has no host for."""
    for container in _containers(definition):
        linux = container.get("linuxParameters", {})
        named = [key for key in NOT_ON_FARGATE if container.get(key)]
        named += [key for key in NOT_ON_FARGATE_LINUX if key in linux]
        if container.get("privileged"):
            named.append("privileged")
        if set(linux.get("capabilities", {}).get("add", ())) - {"SYS_PTRACE"}:
            named.append("capabilities but SYS_PTRACE")
        for key in named:
            yield f"{container['name']}: {key} is not to be had on Fargate"
    for volume in definition.get("volumes", ()):
        if volume.get("host", {}).get("sourcePath") or "dockerVolumeConfiguration" in volume:
            yield f"volume {volume['name']}: Fargate has no host directories and no volume drivers"


def unique_names(definition: Definition) -> Problems:
    """Containers, volumes, and each container's variables and mount paths."""
    kinds = {
        "container": [c["name"] for c in _containers(definition)],
        "volume": [v["name"] for v in definition.get("volumes", ())],
    }
    for container in _containers(definition):
        name = container["name"]
        kinds[f"{name}: variable"] = [e["name"] for e in container.get("environment", ())]
        kinds[f"{name}: mount path"] = [
            m["containerPath"] for m in container.get("mountPoints", ())
        ]
    for kind, names in kinds.items():
        for name, count in Counter(names).items():
            if count > 1:
                yield f"{kind} {name} stands there {count} times"


def an_essential_container(definition: Definition) -> Problems:
    """Absent means essential; a task needs one."""
    if not any(c.get("essential", True) for c in _containers(definition)):
        yield "no container is essential"


def ports(definition: Definition) -> Problems:
    """The containers of a task share one network namespace."""
    mappings = [(c["name"], m) for c in _containers(definition) for m in c.get("portMappings", ())]
    for name, mapping in mappings:
        if mapping.get("hostPort", mapping.get("containerPort")) != mapping.get("containerPort"):
            yield f"{name}: hostPort must be left out or be the containerPort with awsvpc"
    taken = Counter((m.get("containerPort"), m.get("protocol", "tcp")) for _, m in mappings)
    for (port, _), count in taken.items():
        if count > 1:
            yield f"port {port} is taken by {count} containers that share one network"


def access_point_root(definition: Definition) -> Problems:
    """The access point has its own root directory."""
    for name, efs, authorization in _efs_volumes(definition):
        if authorization.get("accessPointId") and efs.get("rootDirectory", "/") != "/":
            yield f"volume {name}: rootDirectory must be left out or / with an access point"


def transit_encryption(definition: Definition) -> Problems:
    """DISABLED is the default, and forbidden with an access point or IAM."""
    for name, efs, authorization in _efs_volumes(definition):
        if efs.get("transitEncryption") == "ENABLED":
            continue
        if authorization.get("accessPointId"):
            yield f"volume {name}: an access point needs transitEncryption ENABLED"
        if authorization.get("iam") == "ENABLED":
            yield f"volume {name}: iam needs transitEncryption ENABLED"


def iam_needs_a_task_role(definition: Definition) -> Problems:
    """IAM for a mount is the task role's."""
    for name, _, authorization in _efs_volumes(definition):
        if authorization.get("iam") == "ENABLED" and not definition.get("taskRoleArn"):
            yield f"volume {name}: iam is ENABLED and there is no taskRoleArn"


def one_entry_a_mount(definition: Definition) -> Problems:
    """Each entry is an NFS mount of its own, and inotify does not cross mounts."""
    entries = Counter(
        (efs["fileSystemId"], authorization.get("accessPointId"), efs.get("rootDirectory", "/"))
        for _, efs, authorization in _efs_volumes(definition)
    )
    for (file_system, access_point, _), count in entries.items():
        if count > 1:
            yield (
                f"{count} volumes are {access_point or file_system}: share one entry, "
                "or a writer's changes wake no reader in another container"
            )


def mount_points(definition: Definition) -> Problems:
    """A mount is of a volume of the task."""
    known = {volume["name"] for volume in definition.get("volumes", ())}
    for container in _containers(definition):
        for mount in container.get("mountPoints", ()):
            if mount.get("sourceVolume") not in known:
                yield f"{container['name']}: no volume is called {mount.get('sourceVolume')}"


def health_checks(definition: Definition) -> Problems:
    """The command's first word and the ranges of its numbers."""
    for container in _containers(definition):
        check = container.get("healthCheck")
        if check is None:
            continue
        if len(check["command"]) < 2 or check["command"][0] not in ("CMD", "CMD-SHELL"):
            yield f"{container['name']}: a health check's command is CMD or CMD-SHELL and more"
        for key, bounds in HEALTH_CHECK.items():
            if key in check and _outside(check[key], bounds):
                yield f"{container['name']}: healthCheck.{key} is {bounds[0]} to {bounds[1]}"


def dependencies(definition: Definition) -> Problems:
    """What a container waits for must exist and be able to come."""
    containers = {c["name"]: c for c in _containers(definition)}
    for name, container in containers.items():
        for dependency in container.get("dependsOn", ()):
            target = containers.get(dependency["containerName"])
            condition = dependency["condition"]
            if target is None:
                yield f"{name}: depends on {dependency['containerName']}, which is not there"
            elif condition == "HEALTHY" and "healthCheck" not in target:
                yield f"{name}: waits for {target['name']} to be HEALTHY, which has no health check"
            elif condition in ("COMPLETE", "SUCCESS") and target.get("essential", True):
                yield f"{name}: {target['name']} is essential: the task ends when it is {condition}"


def dependency_circle(definition: Definition) -> Problems:
    """Containers that wait for each other never start."""
    waiting = {
        c["name"]: {d["containerName"] for d in c.get("dependsOn", ())}
        for c in _containers(definition)
    }
    while free := [n for n, others in waiting.items() if not others & waiting.keys()]:
        for name in free:
            del waiting[name]
    if waiting:
        yield f"these wait for each other: {', '.join(sorted(waiting))}"


def stop_timeouts(definition: Definition) -> Problems:
    """Fargate's bounds."""
    for container in _containers(definition):
        if "stopTimeout" in container and _outside(container["stopTimeout"], STOP_TIMEOUT):
            yield f"{container['name']}: stopTimeout is {STOP_TIMEOUT[0]} to {STOP_TIMEOUT[1]} s"


def restart_policies(definition: Definition) -> Problems:
    """The period is bounded, and means nothing while the policy is off."""
    for container in _containers(definition):
        policy = container.get("restartPolicy", {})
        period = policy.get("restartAttemptPeriod", 300)
        if _outside(period, RESTART_ATTEMPT_PERIOD):
            yield f"{container['name']}: restartAttemptPeriod is 60 to 1800 s"
        if not policy.get("enabled", True) and len(policy) > 1:
            yield f"{container['name']}: a restart policy that is not enabled has settings"


def awslogs(definition: Definition) -> Problems:
    """What the driver needs, and who signs in for it."""
    for container in _containers(definition):
        logging = container.get("logConfiguration", {})
        if logging.get("logDriver") != "awslogs":
            continue
        options = logging.get("options", {})
        for key in AWSLOGS_OPTIONS:
            if not options.get(key):
                yield f"{container['name']}: awslogs needs {key} on Fargate"
        if options.get("mode") == "blocking" and "max-buffer-size" in options:
            yield f"{container['name']}: max-buffer-size is for non-blocking mode only"
        if not definition.get("executionRoleArn"):
            yield f"{container['name']}: awslogs needs an executionRoleArn"


RULES: tuple[Callable[[Definition], Problems], ...] = (
    fargate_shape,
    fargate_size,
    container_memory,
    not_on_fargate,
    unique_names,
    an_essential_container,
    ports,
    access_point_root,
    transit_encryption,
    iam_needs_a_task_role,
    one_entry_a_mount,
    mount_points,
    health_checks,
    dependencies,
    dependency_circle,
    stop_timeouts,
    restart_policies,
    awslogs,
)

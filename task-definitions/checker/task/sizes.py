"""CPU and memory, and what a launch type has no host for."""

import sys

from checker.finding import Problems
from checker.task.view import Task, size
from checker.values import is_known

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
# GiB; API reference, EphemeralStorage.
EPHEMERAL_STORAGE = (21, 200)
# API reference, ContainerDefinition, LinuxParameters, Ulimit and KernelCapabilities: not on
# Fargate, or not with awsvpc, which Fargate always is.
NOT_ON_FARGATE = (
    "disableNetworking",
    "dockerSecurityOptions",
    "extraHosts",
    "links",
    "hostname",
    "dnsServers",
)
NOT_WITH_AWSVPC = ("disableNetworking", "extraHosts", "links", "hostname", "dnsServers")
NOT_ON_FARGATE_LINUX = ("devices", "sharedMemorySize", "maxSwap", "swappiness")


def compatibility(task: Task) -> Problems:
    """Fargate needs to be asked for."""
    wanted = task.get("requiresCompatibilities") or []
    if task.for_fargate and "FARGATE" not in wanted:
        yield "requiresCompatibilities must name FARGATE, or ECS checks for EC2; or EC2 alone"


def network_mode(task: Task) -> Problems:
    """Security groups know a task by its own network interface."""
    if task.get("networkMode") == "awsvpc":
        return
    if task.for_fargate:
        yield "networkMode must be awsvpc on Fargate"
    else:
        yield (
            f"networkMode is {task.get('networkMode', 'bridge, the default')}: make it awsvpc, so"
            " that security groups let this task to the file system and not every task of the host"
        )


def not_with_awsvpc(task: Task) -> Problems:
    """The task has one network interface of its own, and its containers share it."""
    if task.get("networkMode") != "awsvpc" or task.for_fargate:
        return  # Fargate's own rule names them
    for container in task.containers:
        for key in NOT_WITH_AWSVPC:
            if container.get(key):
                yield f"{container['name']}: {key} is not to be had with awsvpc; remove it"


def fargate_size(task: Task) -> Problems:
    """CPU and memory come in pairs."""
    if not task.for_fargate or not is_known(task.get("cpu", "")):
        return
    cpu = size(task.get("cpu", ""))
    if cpu not in FARGATE_SIZES:
        yield f"cpu {task.get('cpu', '')!r} is none of {', '.join(map(str, FARGATE_SIZES))}"
        return
    if not is_known(task.get("memory", "")):
        return
    memory = size(task.get("memory", ""))
    # The smallest has 512, 1024 and 2048.
    least, greatest, step = FARGATE_SIZES[cpu]
    odd = (memory - least) % step or (cpu == 256 and memory not in (512, 1024, 2048))
    if not least <= memory <= greatest or odd:
        steps = "512, 1024 or 2048 MiB" if cpu == 256 else ""
        steps = steps or f"{least} to {greatest} MiB, in steps of {step}"
        yield f"memory with cpu {cpu} is {steps}, not {task.get('memory', 'left out')}"


def container_shares(task: Task) -> Problems:
    """The containers share the task's memory and CPU."""
    for key, unit in (("memory", "MiB"), ("cpu", "CPU units")):
        whole = task.get(key)
        shares = [c.get(key) or c.get(f"{key}Reservation") or 0 for c in task.containers]
        if whole is None or not is_known(whole) or not all(isinstance(n, int) for n in shares):
            continue
        if sum(shares) > size(whole):
            yield f"the containers' {key}, {sum(shares)} {unit}, is over the task's {whole}"
    for container in task.containers:
        if (container.get("memoryReservation") or 0) > (container.get("memory") or sys.maxsize):
            yield f"{container['name']}: memoryReservation is over memory; lower it"
        if task.get("memory") is None and not {"memory", "memoryReservation"} & container.keys():
            yield f"{container['name']}: give it memory, or the task: ECS refuses it without"


def ephemeral_storage(task: Task) -> Problems:
    """Fargate's bounds."""
    storage = (task.get("ephemeralStorage") or {}).get("sizeInGiB")
    least, greatest = EPHEMERAL_STORAGE
    if isinstance(storage, int) and not least <= storage <= greatest:
        yield f"ephemeralStorage is {least} to {greatest} GiB, not {storage}"


def not_on_fargate(task: Task) -> Problems:
    """What Fargate has no host for."""
    if not task.for_fargate:
        return
    for key in ("ipcMode", "placementConstraints", "inferenceAccelerators"):
        if task.get(key):
            yield f"{key} is not to be had on Fargate; remove it"
    if task.get("pidMode") == "host":
        yield "pidMode host is not to be had on Fargate; remove it or make it task"
    for container in task.containers:
        linux = container.get("linuxParameters") or {}
        named = [key for key in NOT_ON_FARGATE if container.get(key)]
        named += [key for key in NOT_ON_FARGATE_LINUX if linux.get(key) is not None]
        if container.get("privileged"):
            named.append("privileged")
        if set((linux.get("capabilities") or {}).get("add") or ()) - {"SYS_PTRACE"}:
            named.append("capabilities but SYS_PTRACE")
        limits = {each.get("name") for each in container.get("ulimits") or ()} - {"nofile"}
        named += [f"the ulimit {name}" for name in sorted(limits)]
        for key in named:
            yield f"{container['name']}: {key} is not to be had on Fargate; remove it"
    for volume in task.volumes:
        if (volume.get("host") or {}).get("sourcePath") or "dockerVolumeConfiguration" in volume:
            yield f"volume {volume['name']}: Fargate has no host directories and no volume drivers"


RULES = (
    compatibility,
    network_mode,
    not_with_awsvpc,
    fargate_size,
    container_shares,
    ephemeral_storage,
    not_on_fargate,
)

"""Names, paths and ports that miss each other inside one task."""

import re

from checker.finding import Problems
from checker.task.sidecar import globs
from checker.task.view import Task, environment, lies_in, mount_of, mounts, size
from checker.values import is_known, listed, number

# API reference, RegisterTaskDefinition and ContainerDefinition.
NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
DEFAULT_PORT = "9464"
SHELLS = ("sh", "bash", "/bin/sh", "/bin/bash")
# MiB: the interpreter and its libraries take half of it, `delivery.memory` a quarter.
LEAST_MEMORY = 128
# README.md: drained, a bad configuration, the deadline came first.
ENDS = {0, 2, 3}


def names(task: Task) -> Problems:
    """ECS refuses others."""
    family = task.get("family")
    if is_known(family) and not NAME.fullmatch(str(family)):
        yield f"family {family!r} must be letters, digits, - and _, 255 at most"
    for container in task.containers:
        name = container["name"]
        if is_known(name) and not NAME.fullmatch(str(name)):
            yield f"container {name!r}: its name must be letters, digits, - and _"


def hidden_mounts(task: Task) -> Problems:
    """A tmpfs over a mount hides the volume, and loses what is written there."""
    for container in task.containers:
        for tmpfs in (container.get("linuxParameters") or {}).get("tmpfs") or ():
            path = str(tmpfs.get("containerPath"))
            for mount in mounts(container):
                if lies_in(str(mount.get("containerPath")), path):
                    yield f"{container['name']}: the tmpfs {path} hides the volume mounted at {mount['containerPath']}"


def app_volume(task: Task) -> Problems:
    """What is written beside the mount is gone with the task, and nobody ships it."""
    for container in task.others:
        path = environment(container).get("APP_VOLUME")
        if path and is_known(path) and mount_of(container, path) is None:
            yield f"{container['name']}: APP_VOLUME {path} lies in none of its mounts; mount the volume there"


def every_mount_is_read(task: Task) -> Problems:
    """A volume mounted where no glob looks is shipped by nobody."""
    for container in task.sidecars:
        fixed = [
            re.split(r"[*?\[{]", glob)[0].rpartition("/")[0] or "/" for _, glob in globs(container)
        ]
        for mount in task.data_mounts(container):
            path = str(mount.get("containerPath"))
            if fixed and not any(lies_in(path, each) or lies_in(each, path) for each in fixed):
                yield f"{container['name']}: mounts {path}, where neither SIDECAR_LOGS nor SIDECAR_ARTIFACTS looks"


def sidecar_port(task: Task) -> Problems:
    """The containers share one network: its page needs a port nobody else has."""
    for container in task.sidecars:
        text = environment(container).get("SIDECAR_HTTP_PORT", DEFAULT_PORT)
        port = number(text)
        if not is_known(text):
            continue
        if port is None or not 0 < port < 65536:
            yield f"{container['name']}: SIDECAR_HTTP_PORT {text!r} is no port; 1 to 65535"
        for other in task.others:
            if port in {m.get("containerPort") for m in listed(other.get("portMappings"))}:
                yield f"{container['name']}: SIDECAR_HTTP_PORT {text} is {other['name']}'s port; take another"


def sidecar_process(task: Task) -> Problems:
    """A shell in between keeps SIGTERM to itself, and the drain never begins."""
    for container in task.sidecars:
        words = [*listed(container.get("entryPoint")), *listed(container.get("command"))]
        if words and words[0] in SHELLS and not str(words[-1]).lstrip().startswith("exec "):
            yield f"{container['name']}: runs in a shell, which swallows SIGTERM; name the program, or begin with exec"
        command = listed(container.get("command"))
        if command and not container.get("entryPoint") and not {"run", *SHELLS} & set(command):
            yield f"{container['name']}: its command is {command[0]!r}, and what ships is `run`; begin with it"


def sidecar_restarts(task: Task) -> Problems:
    """A crash restarts it alone; a bad configuration (status 2) ends the task, visibly."""
    for container in task.sidecars:
        policy = container.get("restartPolicy") or {}
        if not policy.get("enabled"):
            yield f"{container['name']}: enable its restartPolicy, or each crash replaces the whole task"
        elif 2 not in (policy.get("ignoredExitCodes") or ()):
            yield f"{container['name']}: add 2 to ignoredExitCodes: a restart does not mend a bad configuration"
        crashes = sorted(set(policy.get("ignoredExitCodes") or ()) - ENDS)
        if crashes:
            yield f"{container['name']}: ignoredExitCodes holds {', '.join(map(str, crashes))}, which is a crash; leave it out, so that it starts again"


def sidecar_memory(task: Task) -> Problems:
    """Killed for memory it starts again and again."""
    for container in task.sidecars:
        memory = container.get("memory")
        if isinstance(memory, int) and memory < LEAST_MEMORY:
            yield f"{container['name']}: memory {memory} MiB is too little; {LEAST_MEMORY} at least"
        whole, others = size(task.get("memory", "")), [c.get("memory") for c in task.others]
        left = whole - sum(m for m in others if isinstance(m, int))
        if memory is None and whole > 0 and left < LEAST_MEMORY:
            yield f"{container['name']}: the others may take all but {left} of the task's {whole} MiB; leave it {LEAST_MEMORY}, and give it memory"


def sidecar_platform(task: Task) -> Problems:
    """Its image is for Linux, and EFS is."""
    system = str((task.get("runtimePlatform") or {}).get("operatingSystemFamily", "LINUX"))
    if (task.sidecars or task.efs_volumes) and is_known(system) and system != "LINUX":
        yield f"operatingSystemFamily {system} knows no EFS; make it LINUX"


def encryption_port(task: Task) -> Problems:
    """A port of the host."""
    for volume in task.efs_volumes.values():
        port = volume.efs.get("transitEncryptionPort")
        if isinstance(port, int) and not 0 < port < 65536:
            yield f"volume {volume.name}: transitEncryptionPort {port} is no port; leave it out"


RULES = (
    names,
    hidden_mounts,
    app_volume,
    every_mount_is_read,
    sidecar_port,
    sidecar_process,
    sidecar_restarts,
    sidecar_memory,
    sidecar_platform,
    encryption_port,
)

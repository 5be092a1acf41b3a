"""Mounts that hide each other or the image, and what a tmpfs takes."""

import re

from checker.finding import Problems
from checker.task.view import Task, lies_in, mounts
from checker.values import is_known

# What an image cannot do without, and the sidecar's own is in /opt/venv.
OF_THE_IMAGE = ("/bin", "/dev", "/etc", "/lib", "/proc", "/sbin", "/sys", "/usr", "/opt/venv")
VOLUME_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")


def mounts_over_the_image(task: Task) -> Problems:
    """A volume hides what the image has there: its programs, say."""
    for container in task.containers:
        for mount in mounts(container):
            path = str(mount.get("containerPath")).rstrip("/")
            if path in OF_THE_IMAGE:
                yield f"{container['name']}: a volume at {path} hides the image's own files; mount it below /mnt"


def nested_mounts(task: Task) -> Problems:
    """The inner one's directory cannot be made where the outer one is read-only."""
    for container in task.containers:
        for inner in mounts(container):
            for outer in mounts(container):
                path, around = (str(m.get("containerPath")).rstrip("/") for m in (inner, outer))
                if path != around and lies_in(path, around) and outer.get("readOnly"):
                    yield (
                        f"{container['name']}: {path} lies in the read-only mount {around}, where its"
                        " directory cannot be made; mount it beside"
                    )


def tmpfs_sizes(task: Task) -> Problems:
    """A tmpfs counts as the container's memory."""
    for container in task.containers:
        tmpfs = (container.get("linuxParameters") or {}).get("tmpfs") or ()
        taken = sum(each["size"] for each in tmpfs if isinstance(each.get("size"), int))
        memory = container.get("memory")
        if isinstance(memory, int) and taken >= memory > 0:
            yield f"{container['name']}: its tmpfs hold {taken} MiB, and its memory is {memory}; lower size"


def volume_names(task: Task) -> Problems:
    """ECS refuses others."""
    for volume in task.volumes:
        name = volume.get("name")
        if is_known(name) and not VOLUME_NAME.fullmatch(str(name)):
            yield f"volume {name!r}: its name must be letters, digits, - and _"


def encryption_ports_apart(task: Task) -> Problems:
    """Each encrypted mount has a port of its own, or the second one fails."""
    taken: dict[int, str] = {}
    for volume in task.efs_volumes.values():
        port = volume.efs.get("transitEncryptionPort")
        if isinstance(port, int) and port in taken:
            yield f"volume {volume.name}: transitEncryptionPort {port} is {taken[port]}'s; leave both out"
        elif isinstance(port, int):
            taken[port] = volume.name


RULES = (
    mounts_over_the_image,
    nested_mounts,
    tmpfs_sizes,
    volume_names,
    encryption_ports_apart,
)

"""Volumes and mounts: what ECS takes and the mount then fails on, or shows the wrong files."""

import re
from collections import Counter

from checker.finding import Problems
from checker.task.view import Task, mounts
from checker.values import is_known

FILE_SYSTEM = re.compile(r"fs-[0-9a-f]{8,40}")
ACCESS_POINT = re.compile(r"fsap-[0-9a-f]{8,40}")


def volume_ids(task: Task) -> Problems:
    """Ids, not ARNs or names: the task waits for a mount that never comes otherwise."""
    for volume in task.efs_volumes.values():
        found = volume.efs.get("fileSystemId")
        if is_known(found) and not FILE_SYSTEM.fullmatch(str(found)):
            yield f"volume {volume.name}: fileSystemId {found!r} is no id like fs-0123456789abcdef0"
        point = volume.access_point
        if is_known(point) and not ACCESS_POINT.fullmatch(str(point)):
            yield f"volume {volume.name}: accessPointId {point!r} is no id like fsap-0123456789abcdef0"


def access_point(task: Task) -> Problems:
    """Without one a task sees the whole file system, and is whatever user its image says."""
    for volume in task.efs_volumes.values():
        if not volume.access_point:
            yield (
                f"volume {volume.name}: mounts the file system's own root; name an accessPointId"
                " in authorizationConfig, which gives it a directory and a user of its own"
            )


def access_point_root(task: Task) -> Problems:
    """The access point has its own root directory."""
    for volume in task.efs_volumes.values():
        if volume.access_point and volume.efs.get("rootDirectory", "/") not in ("/", ""):
            yield f"volume {volume.name}: rootDirectory must be left out or / with an access point"


def mount_with_iam(task: Task) -> Problems:
    """Without it the mount is anonymous: the role's condition on the access point means nothing."""
    for volume in task.efs_volumes.values():
        if volume.authorization.get("iam") != "ENABLED":
            yield (
                f"volume {volume.name}: set authorizationConfig.iam to ENABLED, or whoever reaches"
                " the mount target may mount it whatever the task role says"
            )


def transit_encryption(task: Task) -> Problems:
    """DISABLED is the default, and forbidden with an access point or IAM."""
    for volume in task.efs_volumes.values():
        if volume.efs.get("transitEncryption") == "ENABLED":
            continue
        needs = [
            word
            for word, given in (
                ("an access point", volume.access_point),
                ("iam", volume.authorization.get("iam") == "ENABLED"),
            )
            if given
        ]
        why = " and ".join(needs) or "what is read and written over the network"
        verb = "need" if len(needs) > 1 else "needs"
        yield f"volume {volume.name}: {why} {verb} transitEncryption ENABLED; it is off by default"


def iam_needs_a_task_role(task: Task) -> Problems:
    """IAM for a mount is the task role's."""
    for volume in task.efs_volumes.values():
        if volume.authorization.get("iam") == "ENABLED" and not task.get("taskRoleArn"):
            yield f"volume {volume.name}: iam is ENABLED and there is no taskRoleArn; name one"


def one_entry_a_mount(task: Task) -> Problems:
    """Each entry is an NFS mount of its own, and inotify does not cross mounts."""
    roots = Counter(volume.root for volume in task.efs_volumes.values())
    for (file_system, point, _), count in roots.items():
        if count > 1:
            yield (
                f"{count} volumes are {point or file_system}: share one entry, "
                "or a writer's changes wake no reader in another container"
            )


def mount_points(task: Task) -> Problems:
    """A mount is of a volume of the task, at an absolute path below the root."""
    known = {volume.get("name") for volume in task.volumes}
    for container in task.containers:
        for mount in mounts(container):
            source, path = mount.get("sourceVolume"), str(mount.get("containerPath", ""))
            if source not in known:
                yield f"{container['name']}: no volume is called {source}; name one of {sorted(map(str, known))}"
            if not path.startswith("/") or path.strip("/") == "":
                yield f"{container['name']}: containerPath {path!r} must be an absolute path below /"


def volume_unused(task: Task) -> Problems:
    """A volume that nobody mounts is a mount that was forgotten."""
    used = {mount.get("sourceVolume") for each in task.containers for mount in mounts(each)}
    for volume in task.volumes:
        if volume.get("name") not in used:
            yield f"volume {volume.get('name')}: no container mounts it; add the mount point or drop it"


def somebody_writes(task: Task) -> Problems:
    """A volume that the app and the sidecar share is one that the app writes to."""
    for name in task.efs_volumes:
        mounting = [c for c in task.others if any(m.get("sourceVolume") == name for m in mounts(c))]
        if mounting and not task.writers(name):
            yield f"volume {name}: {mounting[0]['name']} mounts it read-only, so nobody writes to it"
    for volume in task.volumes:
        name, begins_empty = str(volume.get("name")), set(volume) == {"name"}
        found = [m for c in task.containers for m in mounts(c) if m.get("sourceVolume") == name]
        if begins_empty and found and all(m.get("readOnly") for m in found):
            yield f"volume {name}: is empty when the task starts, and nobody may write to it; give it an efsVolumeConfiguration"


RULES = (
    volume_ids,
    access_point,
    access_point_root,
    mount_with_iam,
    transit_encryption,
    iam_needs_a_task_role,
    one_entry_a_mount,
    mount_points,
    volume_unused,
    somebody_writes,
)

"""A task definition as the rules ask about it."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from checker.values import listed

Definition = Mapping[str, Any]


class EfsVolume(NamedTuple):
    """A volume entry that is an EFS mount."""

    name: str
    efs: Definition
    authorization: Definition

    @property
    def access_point(self) -> str | None:
        return self.authorization.get("accessPointId")

    @property
    def root(self) -> tuple[Any, Any, Any]:
        """Two entries with one root show the same files."""
        return self.efs.get("fileSystemId"), self.access_point, self.efs.get("rootDirectory", "/")


class Task:
    """Reads a definition in the form of the ECS API."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        given: list[Definition] = list(definition.get("containerDefinitions", ()))
        self.containers = [_with_volumes_from(each, given) for each in given]
        self.volumes: list[Definition] = list(definition.get("volumes", ()))

    def get(self, key: str, default: Any = None) -> Any:
        return self.definition.get(key, default)

    @property
    def for_fargate(self) -> bool:
        """Without any compatibility ECS checks for EC2; a file for EC2 alone says so."""
        return bool(self.get("requiresCompatibilities") != ["EC2"])

    @cached_property
    def efs_volumes(self) -> dict[str, EfsVolume]:
        found = {}
        for volume in self.volumes:
            if efs := volume.get("efsVolumeConfiguration"):
                authorization = efs.get("authorizationConfig") or {}
                found[volume["name"]] = EfsVolume(volume["name"], efs, authorization)
        return found

    @property
    def sidecars(self) -> list[Definition]:
        return [each for each in self.containers if is_sidecar(each)]

    @property
    def others(self) -> list[Definition]:
        return [each for each in self.containers if not is_sidecar(each)]

    def data_mounts(self, sidecar: Definition) -> Iterator[Definition]:
        """The sidecar's mounts of EFS volumes, but for the one that holds its state."""
        state = self.state_mount(sidecar)
        for mount in mounts(sidecar):
            if mount.get("sourceVolume") in self.efs_volumes and mount is not state:
                yield mount

    def state_mount(self, sidecar: Definition) -> Definition | None:
        """The mount in which SIDECAR_STATE_DIR lies."""
        directory = environment(sidecar).get("SIDECAR_STATE_DIR")
        return mount_of(sidecar, directory) if directory else None

    def writers(self, volume: str) -> list[Definition]:
        """Containers other than sidecars that mount the volume, to write to it."""
        return [
            each
            for each in self.others
            if any(m.get("sourceVolume") == volume and not m.get("readOnly") for m in mounts(each))
        ]


def is_sidecar(container: Definition) -> bool:
    """By its variables, its command, its health check or its name: one of these survives a slip."""
    if any(name.startswith("SIDECAR_") for name in environment(container)):
        return True
    health = container.get("healthCheck") or {}
    words = [*listed(container.get("entryPoint")), *listed(container.get("command"))]
    words += listed(health.get("command"))
    return "sidecar" in words or container.get("name") == "sidecar"


def environment(container: Definition) -> dict[str, str]:
    return {e["name"]: str(e.get("value", "")) for e in listed(container.get("environment"))}


def mounts(container: Definition) -> list[Definition]:
    return listed(container.get("mountPoints"))


def _with_volumes_from(container: Definition, containers: list[Definition]) -> Definition:
    """The container with the mounts that it has from others as its own."""
    found = mounts(container)
    for each in listed(container.get("volumesFrom")):
        for source in containers:
            if source.get("name") == each.get("sourceContainer"):
                read_only = {"readOnly": True} if each.get("readOnly") else {}
                found = found + [{**mount, **read_only} for mount in mounts(source)]
    return {**container, "mountPoints": found} if container.get("volumesFrom") else container


def mount_of(container: Definition, path: str) -> Definition | None:
    """The innermost mount in which the path lies."""
    around = [m for m in mounts(container) if lies_in(path, str(m.get("containerPath", "")))]
    return max(around, key=lambda m: len(str(m.get("containerPath"))), default=None)


def lies_in(path: str, directory: str) -> bool:
    directory = directory.rstrip("/")
    return path == directory or path.startswith(f"{directory}/")


def size(value: Any) -> int:
    """CPU units or MiB: `1024`, `1 vCPU` and `2 GB` are all taken by ECS; -1 for all else."""
    text = str(value).strip().lower()
    for unit, factor in (("vcpu", 1024), ("gb", 1024), ("", 1)):
        if text.endswith(unit):
            try:
                return round(float(text.removesuffix(unit)) * factor)
            except (ValueError, OverflowError):
                return -1
    return -1

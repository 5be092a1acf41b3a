"""Fleets of sidecars: each root is read by one, each state is one's."""

from checker.finding import Problems
from checker.task.conversion import as_definition
from checker.task.view import Task, environment, lies_in
from checker.template import Template


def _tasks(template: Template) -> list[tuple[str, Task]]:
    return [
        (each.name, Task(as_definition(each.properties)))
        for each in template.of_type("AWS::ECS::TaskDefinition")
    ]


def one_fleet_a_root(template: Template) -> Problems:
    """Two fleets that read one root ship each line twice."""
    readers: dict[str, list[str]] = {}
    states: dict[str, list[str]] = {}
    for name, task in _tasks(template):
        for sidecar in task.sidecars:
            state = task.state_mount(sidecar)
            for mount in task.data_mounts(sidecar):
                volume = task.efs_volumes[mount["sourceVolume"]]
                readers.setdefault(_root(template, volume.access_point), []).append(name)
            if state and state.get("sourceVolume") in task.efs_volumes:
                volume = task.efs_volumes[state["sourceVolume"]]
                directory = environment(sidecar).get("SIDECAR_STATE_DIR", "")
                where = f"{volume.access_point}{directory.removeprefix(state['containerPath'])}"
                states.setdefault(where, []).append(name)
    roots = sorted(readers)
    for root in roots:
        around = [
            n
            for other in roots
            if lies_in(root, other) or lies_in(other, root)
            for n in readers[other]
        ]
        names = sorted(set(around))
        if len(names) > 1:
            yield f"{root}: is read by the sidecars of {' and '.join(names)}, which would ship it twice; one fleet a root"
    for where, names in states.items():
        if len(set(names)) > 1:
            yield f"{' and '.join(sorted(set(names)))}: keep their state in one place, {where}; one state directory a fleet"


def _root(template: Template, access_point: str | None) -> str:
    """The directory, where the template says it, else the access point's own text."""
    point = template.target(access_point, "AWS::EFS::AccessPoint")
    return (
        str(point.get("RootDirectory", "Path", default=access_point))
        if point
        else str(access_point)
    )


def volumes_of_their_file_system(template: Template) -> Problems:
    """An access point belongs to one file system."""
    for name, task in _tasks(template):
        for volume in task.efs_volumes.values():
            point = template.target(volume.access_point, "AWS::EFS::AccessPoint")
            if point and str(point.get("FileSystemId")) != str(volume.efs.get("fileSystemId")):
                yield f"{name}: volume {volume.name} names {point.name}, which is of {point.get('FileSystemId')}, not of {volume.efs.get('fileSystemId')}"
            if (
                point
                and volume.access_point != f"${{{point.name}}}"
                and not str(volume.access_point).endswith(".AccessPointId}")
            ):
                yield f"{name}: volume {volume.name}: AccessPointId is {point.name}'s id (Ref), not {volume.access_point}"


RULES = (one_fleet_a_root, volumes_of_their_file_system)

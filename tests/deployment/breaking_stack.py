"""Parts of the stack's template, to break them."""

from typing import Any


def of(document: dict[str, Any], name: str, *path: str | int) -> Any:
    """A part of a resource's properties."""
    found = document["Resources"][name]["Properties"]
    for key in path:
        found = found[key]
    return found


def drop(document: dict[str, Any], *names: str) -> None:
    """Resources, and what would name them in DependsOn, conditions and lists."""
    for name in names:
        del document["Resources"][name]


def undepend(document: dict[str, Any], resource: str, name: str) -> None:
    document["Resources"][resource]["DependsOn"].remove(name)


def statement(document: dict[str, Any], role: str, sid: str) -> dict[str, Any]:
    for each in of(document, role, "Policies"):
        for found in each["PolicyDocument"]["Statement"]:
            if found.get("Sid") == sid:
                return found
    raise AssertionError(sid)


def container(document: dict[str, Any], task: str, name: str) -> dict[str, Any]:
    (found,) = [c for c in of(document, task, "ContainerDefinitions") if c["Name"] == name]
    return found


def ref(name: str) -> dict[str, str]:
    return {"Ref": name}


def access_point_arn(name: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [name, "Arn"]}


def volume(document: dict[str, Any], task: str, number: int) -> dict[str, Any]:
    return of(document, task, "Volumes", number, "EFSVolumeConfiguration")

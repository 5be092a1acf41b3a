"""A template's AWS::ECS::TaskDefinition in the form of the ECS API."""

from collections.abc import Mapping
from typing import Any

from checker.values import number, truth

# Where the two forms differ by more than the first letter.
NAMES = {
    "EFSVolumeConfiguration": "efsVolumeConfiguration",
    "FilesystemId": "fileSystemId",
    "IAM": "iam",
    "FSxWindowsFileServerVolumeConfiguration": "fsxWindowsFileServerVolumeConfiguration",
    "SizeInGiB": "sizeInGiB",
}
# Their keys are the user's own.
FREE = {"Options", "DockerLabels", "DriverOpts", "Labels"}
# Templates may write these as text.
NUMBERS = {
    *("Memory", "MemoryReservation", "ContainerPort", "HostPort", "StopTimeout", "StartTimeout"),
    *("Interval", "Timeout", "Retries", "StartPeriod", "RestartAttemptPeriod", "SizeInGiB"),
    *("Size", "SharedMemorySize", "MaxSwap", "Swappiness", "HardLimit", "SoftLimit"),
}
TRUTHS = {"Essential", "ReadOnly", "ReadonlyRootFilesystem", "Privileged", "InitProcessEnabled"}
TRUTHS |= {"Enabled"}
TEXTS = {"Cpu", "Memory"}


def as_definition(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The request that CloudFormation makes of these properties."""
    found = {_name(key): _member(key, value) for key, value in properties.items()}
    for key in TEXTS & properties.keys():
        found[_name(key)] = str(properties[key])
    return found


def _name(key: str) -> str:
    return NAMES.get(key) or key[:1].lower() + key[1:]


def _member(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        if key in FREE:
            return dict(value)
        return {_name(str(each)): _member(str(each), member) for each, member in value.items()}
    if isinstance(value, list):
        return [_member(key, each) if isinstance(each, Mapping) else each for each in value]
    if key in NUMBERS or key == "Cpu":
        found = number(value)
        return value if found is None else int(found)
    if key in TRUTHS:
        found_truth = truth(value)
        return value if found_truth is None else found_truth
    return value

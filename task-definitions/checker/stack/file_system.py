"""The file system itself, and its policy."""

from checker.finding import Problems
from checker.policy import (
    EQUAL,
    MOUNTING,
    Policy,
    conditions,
    everybody,
    mounts_files,
    never_root,
    wildcard_action,
)
from checker.template import Resource, Template
from checker.values import is_known, number, referred, truth

TYPE = "AWS::EFS::FileSystem"
TRANSITIONS = ("TransitionToIA", "TransitionToArchive", "TransitionToPrimaryStorageClass")
WHO = ("aws:principal", "aws:source", "elasticfilesystem:accesspointarn")
# API reference, LifecyclePolicy.
DAYS = (1, 7, 14, 30, 60, 90, 180, 270, 365)
AFTER = {f"AFTER_{days}_DAY{'S' if days > 1 else ''}": days for days in DAYS}


def _encrypted(system: Resource) -> bool:
    return truth(system.get("Encrypted")) is True


def file_system_encrypted(template: Template) -> Problems:
    """Security Hub, EFS.1; it cannot be turned on later."""
    for system in template.of_type(TYPE):
        if not _encrypted(system) and is_known(system.get("Encrypted", default=False)):
            yield f"{system.name}: set Encrypted to true; it cannot be changed later"


def file_system_backup(template: Template) -> Problems:
    """Security Hub, EFS.2: what was not shipped yet lies nowhere else."""
    for system in template.of_type(TYPE):
        if system.get("BackupPolicy", "Status") not in ("ENABLED", "ENABLING"):
            yield f"{system.name}: set BackupPolicy.Status to ENABLED; a template's default is off"


def file_system_throughput(template: Template) -> Problems:
    """Bursting gives a small file system 50 KiB a second, once its credits are gone."""
    for system in template.of_type(TYPE):
        mode = system.get("ThroughputMode", default="bursting")
        if mode == "bursting":
            yield (
                f"{system.name}: ThroughputMode bursting leaves a small file system 50 KiB/s when its"
                " credits are used up; make it elastic"
            )
        if mode == "provisioned" and not system.get("ProvisionedThroughputInMibps"):
            yield f"{system.name}: provisioned throughput needs ProvisionedThroughputInMibps"
        if mode != "provisioned" and system.get("ProvisionedThroughputInMibps"):
            yield f"{system.name}: ProvisionedThroughputInMibps is for provisioned mode only; drop it"
        if mode == "elastic" and system.get("PerformanceMode") == "maxIO":
            yield f"{system.name}: elastic throughput needs PerformanceMode generalPurpose"


def file_system_lifecycle(template: Template) -> Problems:
    """Logs are read once and kept: in IA they cost a twentieth."""
    for system in template.of_type(TYPE):
        policies = system.get("LifecyclePolicies", default=[])
        given: dict[str, str] = {}
        for policy in policies:
            if len(policy) != 1:
                yield f"{system.name}: LifecyclePolicies takes one transition an object; part {', '.join(policy) or '{}'}"
            given |= policy
        for key in TRANSITIONS:
            if key not in given:
                yield f"{system.name}: LifecyclePolicies has no {key}; add it as an object of its own"
        for key in TRANSITIONS[:2]:
            if is_known(given.get(key)) and given[key] not in AFTER:
                yield f"{system.name}: {key} {given[key]!r} is none of {', '.join(AFTER)}"
        back = given.get(TRANSITIONS[2])
        if is_known(back) and back != "AFTER_1_ACCESS":
            yield f"{system.name}: {TRANSITIONS[2]} knows AFTER_1_ACCESS only, not {back!r}"
        cold, colder = (AFTER.get(str(given.get(key))) for key in TRANSITIONS[:2])
        if cold and colder and colder <= cold:
            yield f"{system.name}: TransitionToArchive must come later than TransitionToIA"


def file_system_is_kept(template: Template) -> Problems:
    """Deleting the stack would delete what was not shipped."""
    for system in template.of_type(TYPE):
        if system.attributes.get("DeletionPolicy", "Delete") not in (
            "Retain",
            "RetainExceptOnCreate",
        ):
            yield f"{system.name}: set DeletionPolicy to Retain: what was not shipped is on it"
        if system.attributes.get("UpdateReplacePolicy", "Delete") != "Retain":
            yield f"{system.name}: set UpdateReplacePolicy to Retain: a replaced one takes its files along"


def file_system_in_every_zone(template: Template) -> Problems:
    """One Zone storage has one mount target, in its zone."""
    for system in template.of_type(TYPE):
        if system.get("AvailabilityZoneName"):
            yield f"{system.name}: remove AvailabilityZoneName: a file system of one zone fails with it"


def _denies(policy: Policy, operator: str, key: str, value: str) -> bool:
    for statement in policy.statements:
        if statement.get("Effect") != "Deny" or not everybody(statement):
            continue
        # Another condition beside it would let in whoever does not meet that one.
        tests = [
            (op, k, [str(v).lower() for v in values]) for op, k, values in conditions(statement)
        ]
        if tests == [(operator, key, [value])] and mounts_files(statement, MOUNTING[:1]):
            return True
    return False


def file_system_policy(template: Template) -> Problems:
    """The last gate, whatever a role is allowed by mistake."""
    for system in template.of_type(TYPE):
        document = system.get("FileSystemPolicy")
        if document is None:
            yield (
                f"{system.name}: has no FileSystemPolicy, so whoever reaches a mount target may mount"
                " it; deny unencrypted transport and mounts without an access point"
            )
            continue
        policy = Policy(document, of_resource=True)
        if not _denies(policy, "bool", "aws:securetransport", "false"):
            yield (
                f"{system.name}: its policy lets unencrypted transport in: Deny to everybody with"
                ' Bool aws:SecureTransport "false"'
            )
        if not _denies(policy, "null", "elasticfilesystem:accesspointarn", "true"):
            yield (
                f"{system.name}: its policy lets mounts without an access point in: Deny to everybody"
                ' with Null elasticfilesystem:AccessPointArn "true"'
            )
        for statement in policy.allowing:
            who = [k for op, k, _ in conditions(statement) if op in EQUAL and k.startswith(WHO)]
            if everybody(statement) and not who:
                yield f"{system.name}: its policy allows everybody without a condition on who or which access point; name the roles"
        for text in (*never_root(policy), *wildcard_action(policy)):
            yield f"{system.name}: its policy, {text}"
        if truth(system.get("BypassPolicyLockoutSafetyCheck")):
            yield f"{system.name}: BypassPolicyLockoutSafetyCheck may lock you out; remove it"


def policy_circle(template: Template) -> Problems:
    """An access point needs its file system first."""
    for system in template.of_type(TYPE):
        for name in sorted(referred(system.get("FileSystemPolicy", default={}))):
            other = template.resources.get(name)
            if other is not None and system.name in template.comes_before(other):
                yield (
                    f"{system.name}: its policy names {name}, which needs it first: a circle; allow"
                    " the access point in the role that uses it"
                )


def file_system_key(template: Template) -> Problems:
    """A key without encryption is refused."""
    for system in template.of_type(TYPE):
        if system.get("KmsKeyId") and not _encrypted(system):
            yield f"{system.name}: KmsKeyId needs Encrypted true"
        if (number(system.get("ProvisionedThroughputInMibps")) or 1) <= 0:
            yield f"{system.name}: ProvisionedThroughputInMibps must be positive"


RULES = (
    file_system_encrypted,
    file_system_backup,
    file_system_throughput,
    file_system_lifecycle,
    file_system_is_kept,
    file_system_in_every_zone,
    file_system_policy,
    policy_circle,
    file_system_key,
)

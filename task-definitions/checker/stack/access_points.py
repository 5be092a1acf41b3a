"""Access points: each application's own root and user."""

import re
from itertools import combinations
from typing import Any

from checker.finding import Problems
from checker.task.view import lies_in
from checker.template import Resource, Template
from checker.values import is_known, listed, number

TYPE = "AWS::EFS::AccessPoint"
# API reference, RootDirectory and CreationInfo.
LONGEST_PATH = 100
DEEPEST_PATH = 4
PERMISSIONS = re.compile(r"[0-7]{3,4}")
CREATION = ("OwnerUid", "OwnerGid", "Permissions")


def access_point_user(template: Template) -> Problems:
    """Without one the client says who it is, and may say root."""
    for point in template.of_type(TYPE):
        user = point.get("PosixUser")
        if not user or "Uid" not in user or "Gid" not in user:
            yield f"{point.name}: give it a PosixUser with Uid and Gid, or a client may be anybody"
            continue
        for key in ("Uid", "Gid"):
            value = number(user[key])
            if value == 0:
                yield f"{point.name}: PosixUser.{key} 0 is root; take another number"
            elif is_known(user[key]) and (value is None or not 0 < value < 2**32):
                yield f"{point.name}: PosixUser.{key} {user[key]!r} must be a number"


def access_point_directory(template: Template) -> Problems:
    """Without one of its own it shows everybody's files."""
    for point in template.of_type(TYPE):
        path = point.get("RootDirectory", "Path")
        if path is None or path == "/":
            yield f"{point.name}: give it a RootDirectory.Path of its own, /NAME; / is everybody's files"
            continue
        text = str(path)
        if not text.startswith(("/", "${")):
            yield f"{point.name}: RootDirectory.Path {text!r} must begin with /"
        if len(text) > LONGEST_PATH and is_known(text):
            yield f"{point.name}: RootDirectory.Path has {len(text)} characters, {LONGEST_PATH} at most"
        if len(text.strip("/").split("/")) > DEEPEST_PATH:
            yield f"{point.name}: RootDirectory.Path {text} is over {DEEPEST_PATH} levels deep"
        if ".." in text.split("/"):
            yield f"{point.name}: RootDirectory.Path {text} must not hold .."


def access_point_creation(template: Template) -> Problems:
    """A directory that is missing fails the first mount."""
    for point in template.of_type(TYPE):
        creation = point.get("RootDirectory", "CreationInfo")
        if point.get("RootDirectory", "Path") in (None, "/"):
            continue
        if not creation:
            yield (
                f"{point.name}: has no RootDirectory.CreationInfo: unless the directory is there"
                " already, every mount fails"
            )
            continue
        missing = [key for key in CREATION if creation.get(key) in (None, "")]
        if missing:
            yield f"{point.name}: CreationInfo is all of {', '.join(CREATION)}; add {', '.join(missing)}"
            continue
        permissions = str(creation["Permissions"])
        if not is_known(permissions):
            continue
        if not PERMISSIONS.fullmatch(permissions):
            yield f'{point.name}: Permissions {permissions!r} must be octal text such as "0750"'
            continue
        yield from _fitting(point, creation, int(permissions, 8))


def _fitting(point: Resource, creation: dict[str, Any], mode: int) -> Problems:
    """Can its own user write there, and nobody else?"""
    user = point.get("PosixUser", default={})
    same_user = str(creation["OwnerUid"]) == str(user.get("Uid"))
    same_group = str(creation["OwnerGid"]) == str(user.get("Gid"))
    if mode & 0o007:
        yield f"{point.name}: Permissions {mode:04o} let every user in; make the last digit 0"
    if user and is_known(str(creation["OwnerUid"])) and is_known(str(user.get("Uid"))):
        allowed = (mode >> 6 if same_user else mode >> 3 if same_group else mode) & 0o3
        if allowed != 0o3:
            yield (
                f"{point.name}: its user {user.get('Uid')} cannot write to the directory that"
                f" CreationInfo makes (owner {creation['OwnerUid']}, {mode:04o}); make them one"
            )


def access_points_apart(template: Template) -> Problems:
    """No application sees another's directory."""
    for one, other in combinations(template.of_type(TYPE), 2):
        if one.get("FileSystemId") != other.get("FileSystemId"):
            continue
        first, second = (str(each.get("RootDirectory", "Path")) for each in (one, other))
        if "None" in (first, second) or "/" in (first, second):
            continue
        if first == second:
            yield f"{one.name} and {other.name}: have one root directory, {first}; give each its own"
        elif lies_in(first, second) or lies_in(second, first):
            inner, outer = (one, other) if lies_in(first, second) else (other, one)
            yield f"{inner.name}: its root lies inside {outer.name}'s, which sees it; put them side by side"


def users_apart(template: Template) -> Problems:
    """Permissions tell applications apart by user only."""
    for one, other in combinations(template.of_type(TYPE), 2):
        if one.get("FileSystemId") != other.get("FileSystemId"):
            continue
        uid = one.get("PosixUser", "Uid")
        if uid is not None and str(uid) == str(other.get("PosixUser", "Uid")):
            yield f"{one.name} and {other.name}: are both user {uid}; give each its own Uid"


def groups_stay_apart(template: Template) -> Problems:
    """A second group that is another application's opens what it opens to its own."""
    for one in template.of_type(TYPE):
        second = {str(gid) for gid in listed(one.get("PosixUser", "SecondaryGids"))}
        for other in template.of_type(TYPE):
            if one != other and str(other.get("PosixUser", "Gid")) in second:
                yield f"{one.name}: SecondaryGids holds {other.name}'s group; leave it out"


RULES = (
    groups_stay_apart,
    access_point_user,
    access_point_directory,
    access_point_creation,
    access_points_apart,
    users_apart,
)

"""Checks of single values: names, patterns, identifiers of AWS."""

import datetime
import re
import warnings
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from sidecar.model.globs import normal_root
from sidecar.model.stream_names import StreamTemplate, wrong_with_group
from sidecar.model.text import checked_encoding
from sidecar.settings.quantities import Text, shown
from sidecar.settings.section import wrong

# CloudWatch Logs, PutRetentionPolicy: the values `retentionInDays` may have.
RETENTION_DAYS: Final = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
)  # fmt: skip
# CloudWatch Logs, CreateLogGroup: at most 50 tags, keys to 128 and values to 256 characters.
MOST_TAGS: Final = 50
LONGEST_TAG_KEY: Final = 128
LONGEST_TAG_VALUE: Final = 256

_ROLE: Final = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+")
_KEY: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/[\w/-]+")
# S3, "General purpose bucket naming rules".
_BUCKET: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]")
_TASK: Final = re.compile(r"[^/\x00-\x1f\x7f]{1,256}")


def _regex(value: str) -> str:
    if not value:
        raise wrong("an empty regular expression matches everything", "write one, or remove it")
    try:
        re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        raise wrong(
            f"the regular expression {shown(value)} is malformed: {error}", "correct it"
        ) from None
    return value


def _group(value: str) -> str:
    problem = wrong_with_group(value)
    if problem:
        raise wrong(
            f"{shown(value)}: {problem}",
            "use 1 to 512 letters, digits and . - _ / #, not starting with aws/",
        )
    return value


def _template(value: str) -> str:
    try:
        StreamTemplate(value)
    except ValueError as error:
        raise wrong(f"{shown(value)}: {error}", 'write a template such as "{path}"') from None
    return value


def _encoding(value: str) -> str:
    """The codec's own name."""
    try:
        return checked_encoding(value)
    except ValueError as error:
        raise wrong(
            str(error), "name one that Python knows, such as utf-8, utf-16, latin-1 or shift_jis"
        ) from None


def _strptime(value: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            datetime.datetime.strptime("", value)
    except ValueError as error:
        if "does not match" not in str(error):
            raise wrong(
                f"the time format {shown(value)} is malformed: {error}",
                "use Python's strptime directives, such as %Y-%m-%d %H:%M:%S",
            ) from None
    if not value or "%" not in value:
        raise wrong(
            f"the time format {shown(value)} names no part of a time",
            "use Python's strptime directives, such as %Y-%m-%d %H:%M:%S",
        )
    return value


def _root(value: str) -> str:
    try:
        return normal_root(value)
    except ValueError as error:
        raise wrong(str(error), "write an absolute directory such as /mnt/efs/logs") from None


def _directory(value: Any) -> Any:
    if isinstance(value, str) and not value.startswith("/"):
        raise wrong(f"{shown(value)} is not absolute", "write a path that starts with /")
    return value


def _role(value: str) -> str:
    if not _ROLE.fullmatch(value):
        raise wrong(
            f"{shown(value)} is not a role's ARN", "write arn:aws:iam::123456789012:role/NAME"
        )
    return value


def _key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise wrong(
            f"{shown(value)} is not a KMS key's ARN",
            "write arn:aws:kms:REGION:123456789012:key/ID",
        )
    return value


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value):
        raise wrong(
            f"{shown(value)} is not a bucket's name",
            "write the name alone: 3 to 63 of a-z 0-9 . -",
        )
    return value


def _task(value: str) -> str:
    if not _TASK.fullmatch(value):
        raise wrong(
            f"{shown(value)} cannot be a task's id",
            "write 1 to 256 characters without / and control characters",
        )
    return value


def _retention(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool) or str(value) not in map(str, RETENTION_DAYS):
        raise wrong(
            f"{shown(value)} is no retention that CloudWatch has",
            f"use one of {' '.join(map(str, RETENTION_DAYS))}, or null to keep for ever",
        )
    return value


def _tags(value: dict[str, str]) -> dict[str, str]:
    if len(value) > MOST_TAGS:
        raise wrong(f"{len(value)} tags are too many", f"use at most {MOST_TAGS}")
    for name, text in value.items():
        if not 1 <= len(name) <= LONGEST_TAG_KEY or name.lower().startswith("aws:"):
            raise wrong(
                f"{shown(name)} cannot be a tag's key",
                f"use 1 to {LONGEST_TAG_KEY} characters, not starting with aws:",
            )
        if len(text) > LONGEST_TAG_VALUE:
            raise wrong(
                f"the value of the tag {shown(name)} is too long",
                f"use at most {LONGEST_TAG_VALUE} characters",
            )
    return value


Regex = Annotated[Text, AfterValidator(_regex)]
Group = Annotated[Text, AfterValidator(_group)]
Template = Annotated[Text, AfterValidator(_template)]
Encoding = Annotated[Text, AfterValidator(_encoding)]
TimeFormat = Annotated[Text, AfterValidator(_strptime)]
Root = Annotated[Text, AfterValidator(_root)]
Role = Annotated[Text, AfterValidator(_role)]
Key = Annotated[Text, AfterValidator(_key)]
Bucket = Annotated[Text, AfterValidator(_bucket)]
Task = Annotated[Text, AfterValidator(_task)]
Directory = BeforeValidator(_directory)
Retention = BeforeValidator(_retention)
Tags = Annotated[dict[str, Text], AfterValidator(_tags)]

"""What is shipped: entries of logs and of artifacts."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from sidecar.model.globs import Glob
from sidecar.settings.quantities import Duration, Size, Text, Whole, shown
from sidecar.settings.rules import Bucket, Encoding, Group, Regex, Root, Template, TimeFormat
from sidecar.settings.section import Section, wrong

# CloudWatch Logs, PutLogEvents: a batch holds 1,048,576 bytes, 26 of them are spent on each event.
LARGEST_EVENT: Final = 1_048_550
# A part's prefix takes some fifty bytes; below this, parts would be mostly prefix.
SMALLEST_EVENT: Final = 256
# Base64 makes a third more of it, and the manifest's own keys must fit into the same event.
LARGEST_INLINE: Final = 512 * 1024

_LIST_OF_GLOBS: Final = TypeAdapter(tuple[Text, ...])
_Globs = Annotated[tuple[Text, ...], Field(min_length=1)]


class TimestampKey(Section):
    """The time stands under this top-level key of a JSON line."""

    key: Annotated[Text, Field(min_length=1)]


class TimestampPattern(Section):
    """The time is what the pattern finds (its first group, if it has one), read by `format`."""

    pattern: Regex
    format: TimeFormat


class Multiline(Section):
    """Lines up to the next one that `start` finds are one record."""

    start: Regex
    max_lines: Annotated[Whole, Field(ge=1)] = 500
    wait: Duration = 2.0


class Redaction(Section):
    """What `pattern` finds is replaced; `replace` may use \\1 and \\g<name>."""

    pattern: Regex
    replace: Text = ""

    @model_validator(mode="after")
    def _replacement_fits(self) -> "Redaction":
        try:
            re.compile(self.pattern).sub(self.replace, "")
        except (re.error, IndexError) as error:
            raise wrong(
                f"{shown(self.replace)} does not fit the pattern: {error}",
                "use only groups that the pattern has, and \\\\ for a backslash",
                ("replace",),
            ) from None
        return self


def _timestamp(value: Any) -> Any:
    if value in ("auto", "arrival"):
        return value
    if isinstance(value, TimestampKey | TimestampPattern):
        return value
    if isinstance(value, dict):
        return (TimestampKey if "key" in value else TimestampPattern).model_validate(value)
    raise wrong(
        f"{shown(value)} is no way to find a time",
        "use auto, arrival, {key: NAME} or {pattern: REGEX, format: STRPTIME}",
    )


def _rotated(value: Any) -> Any:
    # YAML 1.1 reads a plain `off` as false.
    if value is False:
        return "off"
    if isinstance(value, list):
        return _LIST_OF_GLOBS.validate_python(value)
    if value in ("auto", "off"):
        return value
    raise wrong(f"{shown(value)} is not known here", "use auto, off or a list of globs")


class _Entry(Section):
    root: Root | None = None
    include: _Globs
    exclude: tuple[Text, ...] = ()
    log_group: Group

    @model_validator(mode="after")
    def _globs_are_sound(self) -> "_Entry":
        for index, pattern in enumerate(self.include):
            self._compile("include", index, pattern, self.root)
        for index, pattern in enumerate(self.exclude):
            # One without a leading slash is relative to the root of the include that matched.
            self._compile("exclude", index, pattern, None if pattern.startswith("/") else "/")
        return self

    @staticmethod
    def _compile(key: str, index: int, pattern: str, root: str | None) -> None:
        try:
            Glob(pattern, root)
        except ValueError as error:
            raise wrong(str(error), _glob_remedy(pattern, root), (key, index)) from None


def _glob_remedy(pattern: str, root: str | None) -> str:
    if root is None and not pattern.startswith("/"):
        return "start the pattern with /, or set root"
    if root is not None and pattern.startswith("/"):
        return "choose a root above every include"
    return "correct the pattern"


class LogEntry(_Entry):
    """Files that hold lines."""

    log_stream: Template = "{path}"
    start_at: Literal["beginning", "end"] = "beginning"
    rotated: Annotated[Literal["auto", "off"] | tuple[Text, ...], BeforeValidator(_rotated)] = (
        "auto"
    )
    encoding: Encoding = "utf-8"
    timestamp: Annotated[
        Literal["auto", "arrival"] | TimestampKey | TimestampPattern, BeforeValidator(_timestamp)
    ] = "auto"
    multiline: Multiline | None = None
    empty_lines: Literal["space", "drop"] = "space"
    partial: Duration = 60.0
    max_event_bytes: Annotated[Size, Field(ge=SMALLEST_EVENT, le=LARGEST_EVENT)] = 1_000_000
    out_of_range: Literal["reject", "now"] = "reject"
    keep: tuple[Regex, ...] = ()
    drop: tuple[Regex, ...] = ()
    redact: tuple[Redaction, ...] = ()
    delete_after: Duration | None = None

    @model_validator(mode="after")
    def _rotated_globs_are_sound(self) -> "LogEntry":
        if isinstance(self.rotated, tuple):
            for index, pattern in enumerate(self.rotated):
                self._compile("rotated", index, pattern, None if pattern[:1] == "/" else "/")
        return self


class ArtifactEntry(_Entry):
    """Files that are shipped whole, once they are finished."""

    settle: Duration = 5.0
    inline_limit: Annotated[Size, Field(le=LARGEST_INLINE)] = 256 * 1024
    bucket: Bucket | None = None

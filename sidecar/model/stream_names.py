"""The names of log groups and log streams, and the template a stream's name is made from."""

import difflib
import hashlib
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

# CloudWatch Logs, CreateLogStream: 1 to 512 characters, no `:` and no `*`.
LONGEST_STREAM: Final = 512
# CloudWatch Logs, CreateLogGroup: 1 to 512 of these characters, not starting with `aws/`.
LONGEST_GROUP: Final = 512
_GROUP: Final = re.compile(r"[.\-_/#A-Za-z0-9]+")
_RESERVED_GROUP: Final = "aws/"

PLACEHOLDERS: Final = ("path", "task", "family", "revision", "az", "hostname", "stem")
# What stands where a value is not known, so that a name never silently loses a part.
UNKNOWN: Final = "unknown"

_HASH_DIGITS: Final = 8
_FORBIDDEN: Final = re.compile(r"[:*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PART: Final = re.compile(r"\{(?P<name>[^{}]*)\}|(?P<text>[^{}]+)|(?P<stray>.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the names of this process's streams may mention besides the path; "" is unknown."""

    task: str = ""
    family: str = ""
    revision: str = ""
    az: str = ""
    hostname: str = ""

    def values(self) -> dict[str, str]:
        return {
            "task": self.task,
            "family": self.family,
            "revision": self.revision,
            "az": self.az,
            "hostname": self.hostname,
        }


class StreamTemplate:
    """A template such as `{task}/{path}`.

    Raises ValueError, with a text for people, for an unknown placeholder, a stray brace, or plain
    text that no stream name may contain.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._parts = tuple(_parse(text))

    def __repr__(self) -> str:
        return f"StreamTemplate({self.text!r})"

    def expand(self, path: str, surroundings: Surroundings) -> str:
        """The stream's name for a source at `path`, relative to its root."""
        values: Mapping[str, str] = {"path": path, "stem": stem(path), **surroundings.values()}
        return clean(
            "".join(
                (values[part.name] or UNKNOWN) if part.is_placeholder else part.name
                for part in self._parts
            )
        )


@dataclass(frozen=True, slots=True)
class _TemplatePart:
    name: str
    is_placeholder: bool

    @classmethod
    def placeholder(cls, name: str) -> Self:
        return cls(name, True)

    @classmethod
    def plain(cls, text: str) -> Self:
        return cls(text, False)


def _parse(text: str) -> Iterator[_TemplatePart]:
    if not text:
        raise ValueError("the template is empty")
    for found in _PART.finditer(text):
        name, plain = found["name"], found["text"]
        if plain is not None:
            forbidden = _FORBIDDEN.search(plain)
            if forbidden:
                raise ValueError(f"a stream name cannot contain {forbidden[0]!r}")
            yield _TemplatePart.plain(plain)
        elif name is None:
            raise ValueError(f"a brace at position {found.start()} has no partner")
        elif name in PLACEHOLDERS:
            yield _TemplatePart.placeholder(name)
        else:
            known = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            near = difflib.get_close_matches(name, PLACEHOLDERS, n=1)
            hint = f"did you mean {{{near[0]}}}? " if near else ""
            raise ValueError(f"unknown placeholder {{{name}}}: {hint}known are {known}")


def clean(name: str) -> str:
    """`name` made fit for a stream.

    `:`, `*`, control characters and what UTF-8 cannot carry become `_`. A name over
    `LONGEST_STREAM` characters keeps its end, behind 8 hex digits of sha256 of the whole name, so
    that two long names with one end stay two streams.
    """
    cleaned = _FORBIDDEN.sub("_", name)
    if len(cleaned) <= LONGEST_STREAM:
        return cleaned or UNKNOWN
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return digest + "-" + cleaned[-(LONGEST_STREAM - _HASH_DIGITS - 1) :]


def stem(path: str) -> str:
    """The file's name up to its last dot: `app` of `logs/app.log`, `.profile` of `.profile`."""
    return posixpath.splitext(posixpath.basename(path))[0]


def wrong_with_group(name: str) -> str | None:
    """Why CloudWatch would refuse this name for a log group; None when it would not."""
    if not name:
        return "a log group needs a name"
    if len(name) > LONGEST_GROUP:
        return f"a log group's name has at most {LONGEST_GROUP} characters, this has {len(name)}"
    if not _GROUP.fullmatch(name):
        wrong = sorted({char for char in name if not _GROUP.fullmatch(char)})
        return f"a log group's name cannot contain {' '.join(map(repr, wrong))}"
    if name.startswith(_RESERVED_GROUP):
        return f"log groups starting with {_RESERVED_GROUP} are AWS's own"
    return None

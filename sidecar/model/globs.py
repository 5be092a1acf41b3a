"""Which paths a pattern names.

`**` alone between slashes is any number of directories, none included (as the last part: any
file below); `*` and `?` stay within one name; `[a-z]`, `[!a-z]` and `{a,b}` mean what they mean in
a shell; a backslash makes the next character plain. A leading dot is a character like any other.
"""

import posixpath
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from sidecar.model.name_patterns import alternatives, name_regex

_WILD: Final = frozenset("*?[")
_ANY_DEPTH: Final = None
_Component = re.Pattern[str] | None


class Shortfall(NamedTuple):
    """How much of a path fits a pattern: its first `fitting` names.

    `name` is the next one, "" where the path ends too early; `wanted` is the pattern's part that
    should have taken it, "" where the pattern ends before.
    """

    fitting: int
    name: str
    wanted: str


class Glob:
    """One pattern over absolute paths.

    `root` is the given root, or else the pattern's fixed part; `fixed` is the deepest directory
    that no wildcard touches: a scan starts there. Raises ValueError, with a text for people, for a
    pattern that is malformed, relative without a root, or not below the root.
    """

    def __init__(self, pattern: str, root: str | None = None) -> None:
        self.pattern = pattern
        base = None if root is None else normal_root(root)
        choices = [_absolute(text, base) for text in alternatives(pattern)]
        self.fixed = posixpath.commonpath([_fixed(parts) for parts in choices])
        if base is not None and not lies_within(self.fixed, base):
            raise ValueError(f"{pattern!r} is not below the root {base!r}")
        self.root = self.fixed if base is None else base
        self._choices = choices
        self._components = [_compiled(parts) for parts in choices]
        self._whole = re.compile("|".join(_whole(parts) for parts in choices))

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r}, root={self.root!r})"

    def matches(self, absolute_path: str) -> bool:
        """Whether the pattern names this path; the path has no `.`, `..` or doubled slash."""
        return self._whole.fullmatch(absolute_path) is not None

    def descends(self, directory: str) -> bool:
        """Whether anything below this directory, at any depth, could match."""
        names = [name for name in directory.split("/") if name]
        return any(_leaves_room(parts, names) for parts in self._components)

    def shortfall(self, absolute_path: str) -> "Shortfall":
        """Where a path that the pattern does not name stops fitting it, at the latest."""
        names = [name for name in absolute_path.split("/") if name]
        shortfalls = [
            _shortfall(components, parts, names)
            for components, parts in zip(self._components, self._choices, strict=True)
        ]
        return max(shortfalls, key=lambda each: (each.fitting, len(each.wanted) > 0))


def normal_root(root: str) -> str:
    """The root without trailing or doubled slashes; ValueError unless absolute and plain."""
    if not root.startswith("/"):
        raise ValueError(f"the root {root!r} is not absolute")
    if ".." in root.split("/"):
        raise ValueError(f"the root {root!r} contains '..'")
    return "/" + posixpath.normpath(root).lstrip("/")


def lies_within(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or below it; both absolute and normal."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _absolute(pattern: str, base: str | None) -> list[str]:
    """The pattern's parts from `/` on, every `**` followed by a part that is a name."""
    if pattern.startswith("/"):
        parts: list[str] = []
    elif base is None:
        raise ValueError(f"{pattern!r} does not start with / and there is no root to start from")
    else:
        parts = [_literal(name) for name in base.split("/") if name]
    for part in pattern.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            raise ValueError(f"{pattern!r} contains '..'")
        if part == "**" and parts and parts[-1] == "**":
            continue
        if "**" in part and part != "**":
            raise ValueError(f"in {pattern!r} the ** must stand alone between slashes, as in **/*")
        parts.append(part)
    if not parts:
        raise ValueError(f"{pattern!r} names no file")
    if parts[-1] == "**":
        parts.append("*")
    return parts


def _fixed(parts: Sequence[str]) -> str:
    """The directory before the first wildcard."""
    names: list[str] = []
    for part in parts[:-1]:
        if _is_wild(part):
            break
        names.append(re.sub(r"\\(.)", r"\1", part, flags=re.DOTALL))
    return "/" + "/".join(names)


def _is_wild(part: str) -> bool:
    return not _WILD.isdisjoint(re.sub(r"\\.", "", part, flags=re.DOTALL))


def _literal(name: str) -> str:
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", name)


def _compiled(parts: Sequence[str]) -> list[_Component]:
    return [_ANY_DEPTH if part == "**" else re.compile(name_regex(part)) for part in parts]


def _whole(parts: Sequence[str]) -> str:
    return "".join("(?:/[^/]+)*" if part == "**" else "/" + name_regex(part) for part in parts)


def _leaves_room(components: Sequence[_Component], names: Sequence[str]) -> bool:
    """Whether the names can be the pattern's beginning with at least one part still to come."""
    here = _through_any_depth(components, {0})
    for name in names:
        here = _after(components, here, name)
    return any(index < len(components) for index in here)


def _after(components: Sequence[_Component], here: set[int], name: str) -> set[int]:
    """Where in the pattern one can be after one more name."""
    reached: set[int] = set()
    for index in here:
        if index == len(components):
            continue
        component = components[index]
        if component is _ANY_DEPTH:
            reached.add(index)
        elif component.fullmatch(name):
            reached.add(index + 1)
    return _through_any_depth(components, reached)


def _shortfall(
    components: Sequence[_Component], parts: Sequence[str], names: Sequence[str]
) -> Shortfall:
    """Of the file's own name it is asked whether it fits the pattern's last part."""
    here = _through_any_depth(components, {0})
    for at, name in enumerate(names[:-1]):
        following = _after(components, here, name)
        if not following or following == {len(components)}:
            return Shortfall(at, name, _wanted(components, parts, here))
        here = following
    last = len(components) - 1
    if last not in here:
        return Shortfall(len(names), "", _wanted(components, parts, here))
    return Shortfall(len(names) - 1, names[-1] if names else "", parts[last])


def _wanted(components: Sequence[_Component], parts: Sequence[str], here: set[int]) -> str:
    """The first part that is a name among those that may come next."""
    named = [parts[i] for i in sorted(here) if i < len(parts) and components[i] is not _ANY_DEPTH]
    return named[0] if named else ""


def _through_any_depth(components: Sequence[_Component], indexes: set[int]) -> set[int]:
    """The indexes, with those added that are reached by letting a `**` stand for nothing."""
    reached = set(indexes)
    for index in indexes:
        if index < len(components) and components[index] is _ANY_DEPTH:
            reached.add(index + 1)
    return reached

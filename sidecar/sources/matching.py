"""What a name is: which entry takes it, or why none does. No file is looked at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from sidecar.model.globs import Glob, lies_within
from sidecar.sources.siblings import Rotated, base_paths, is_compressed

TEMPORARY_SUFFIXES = ("~", ".swp", ".swx", ".swo", ".tmp~")
TEMPORARY_PREFIXES = (".nfs", ".#", "#", ".goutputstream-")
"""Names that editors and the NFS client make for a while: never a log, never an artifact."""

UNFINISHED_SUFFIXES = (".tmp", ".part", ".done")
"""Names that never are artifacts (contract)."""

Cause: TypeAlias = Literal["temporary", "own", "hidden", "unfinished", "excluded", "unmatched"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One `logs` or `artifacts` entry as discovery needs it."""

    number: int
    kind: Literal["log", "artifact"]
    include: tuple[Glob, ...]
    exclude: tuple[Glob, ...]
    rotated: Rotated = "off"

    def takes(self, path: str) -> Glob | None:
        """The include that matches, unless an exclude does."""
        glob = self.includes(path)
        return None if glob is None or self.excludes(path) is not None else glob

    def includes(self, path: str) -> Glob | None:
        """The first include that matches, whatever is excluded."""
        for glob in self.include:
            if glob.matches(path):
                return glob
        return None

    def excludes(self, path: str) -> Glob | None:
        """The first exclude that matches."""
        for glob in self.exclude:
            if glob.matches(path):
                return glob
        return None


@dataclass(frozen=True, slots=True)
class Found:
    """A name that matches.

    `base` is the path the file had before a rotation gave it this name, if the name looks like
    that; `included` tells whether an include takes the name itself too.
    """

    path: str
    rule: Rule
    root: str
    inode: int
    base: str | None = None
    included: bool = True
    compressed: bool = False
    """Does the name say that it is an archive?"""

    @property
    def names(self) -> list[str]:
        """The paths it may have had before it was rotated and compressed, the likeliest first."""
        return [self.base or self.path, *base_paths(self.path, self.rule.rotated)]


class Refusal(NamedTuple):
    """Why no entry takes a name; `rule` and `glob` are those that decided, where some did."""

    cause: Cause
    rule: Rule | None = None
    glob: Glob | None = None


_UNMATCHED = Refusal("unmatched")


def judge(path: str, inode: int, rules: Sequence[Rule], never: Sequence[str]) -> Found | Refusal:
    """What becomes of a file of this name; `never` are directories whose files are the sidecar's.

    The first entry that takes it wins. Where none does, the refusal is that of the first entry
    whose include matches it.
    """
    name = os.path.basename(path)
    if name.startswith(TEMPORARY_PREFIXES) or name.endswith(TEMPORARY_SUFFIXES):
        return Refusal("temporary")
    if any(lies_within(path, directory) for directory in never):
        return Refusal("own")
    refusal = _UNMATCHED
    for rule in rules:
        verdict = (_as_artifact if rule.kind == "artifact" else _as_log)(path, name, inode, rule)
        if isinstance(verdict, Found):
            return verdict
        if refusal.cause == "unmatched":
            refusal = verdict
    return refusal


def _as_artifact(path: str, name: str, inode: int, rule: Rule) -> Found | Refusal:
    glob = rule.includes(path)
    if glob is None:
        return _UNMATCHED
    if name.startswith("."):
        return Refusal("hidden", rule)
    if name.endswith(UNFINISHED_SUFFIXES):
        return Refusal("unfinished", rule)
    if excluded := rule.excludes(path):
        return Refusal("excluded", rule, excluded)
    return Found(path, rule, glob.root, inode)


def _as_log(path: str, name: str, inode: int, rule: Rule) -> Found | Refusal:
    glob = rule.includes(path)
    base = _base(path, rule)
    if glob is None and base is None:
        return _UNMATCHED
    if excluded := rule.excludes(path):
        return Refusal("excluded", rule, excluded)
    if base is not None:
        included = glob is not None
        return Found(path, rule, base[1].root, inode, base[0], included, is_compressed(name))
    assert glob is not None
    return Found(path, rule, glob.root, inode, compressed=is_compressed(name))


def _base(path: str, rule: Rule) -> tuple[str, Glob] | None:
    """The path that a rotation gave this name, and the include that takes that one."""
    for base in base_paths(path, rule.rotated):
        glob = rule.takes(base)
        if glob is not None:
            return base, glob
    return None

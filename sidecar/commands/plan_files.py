"""What becomes of each file, in words: the verdicts of discovery and catalogue, explained."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sidecar.commands.rehearsal import Rehearsal
from sidecar.commands.table import amount
from sidecar.model.globs import Glob
from sidecar.model.stream_names import clean
from sidecar.sources.matching import Found, Refusal, Rule, judge
from sidecar.sources.opening import problem
from sidecar.sources.rules import LogRule
from sidecar.sources.source import Source

SHOWN_DIGITS: Final = 12
"""Of a fingerprint in a table; JSON has all of it, and how many bytes it covers."""


@dataclass(slots=True)
class FilePlan:
    """One file. `ships` says whether anything of it is or was shipped, `why` gives the reason.

    `start` is the offset from which it is read, `to_ship` counts the bytes from there on that are
    not settled. `base` is the path a rotated file had before.
    """

    path: str
    kind: str
    ships: bool
    why: str
    entry: str | None = None
    group: str | None = None
    stream: str | None = None
    task: str | None = None
    start: int | None = None
    size: int | None = None
    to_ship: int = 0
    inode: int | None = None
    fingerprint: str | None = None
    owner: str | None = None
    base: str | None = None


def every_file(rehearsal: Rehearsal) -> Iterator[FilePlan]:
    """Each file of each directory that can hold a match; directories that cannot be listed too."""
    waiting = list(reversed(rehearsal.discovery.roots))
    while waiting:
        directory = waiting.pop()
        files: list[str] = []
        below: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    (below if entry.is_dir(follow_symlinks=False) else files).append(entry.path)
        except OSError as error:
            yield _directory(directory, error)
            continue
        for path in sorted(files):
            yield explain(path, rehearsal)
        waiting += sorted(filter(rehearsal.discovery.descends, below), reverse=True)


def explain(path: str, rehearsal: Rehearsal) -> FilePlan:
    """What becomes of this one; it need not exist."""
    try:
        seen = os.lstat(path)
        if stat.S_ISLNK(seen.st_mode):
            seen = os.stat(path)
    except OSError as error:
        return _unseeable(path, error, rehearsal)
    verdict = judge(path, seen.st_ino, rehearsal.rules, rehearsal.never)
    if not stat.S_ISREG(seen.st_mode):
        return _no_file(path, seen, verdict)
    plan = FilePlan(path, "file", False, "", size=seen.st_size, inode=seen.st_ino)
    if isinstance(verdict, Refusal):
        _refuse(plan, verdict, rehearsal)
    elif path not in rehearsal.found:
        plan.why = _unseen(path, rehearsal)
    elif verdict.rule.kind == "artifact":
        _plan_artifact(plan, verdict, seen, rehearsal)
    else:
        _plan_log(plan, verdict, rehearsal)
    return plan


def entry_name(rule: Rule, rehearsal: Rehearsal) -> str:
    """The entry as the configuration counts it: `logs[0]`."""
    if rule.kind == "log":
        return f"logs[{rule.number}]"
    return f"artifacts[{rule.number - len(rehearsal.log_rules)}]"


def _plan_log(plan: FilePlan, found: Found, rehearsal: Rehearsal) -> None:
    rule = rehearsal.log_rules[found.rule.number]
    plan.entry = entry_name(found.rule, rehearsal)
    plan.base = found.base
    plan.kind = "log" if found.base is None else "rotated"
    source = rehearsal.catalogue.whereabouts.at(plan.path)
    if source is not None:
        _plan_source(plan, source, rule, rehearsal)
        return
    passed_over = rehearsal.catalogue.passed_over.reasons.get(plan.path)
    unreadable = rehearsal.catalogue.unreadable.get(plan.path)
    if passed_over == "copy":
        plan.kind = "copy"
        plan.why = f"a copy of {found.base}, which is read itself: the copy holds nothing new"
    elif passed_over == "older":
        plan.why = (
            f"a rotated {found.base} from before the state directory was first used, and no "
            "include takes its own name; an include that does would ship it"
        )
    elif unreadable is not None:
        plan.kind = "unreadable"
        plan.why = unreadable
    else:
        plan.why = _other_name(plan, rehearsal)


def _plan_source(plan: FilePlan, source: Source, rule: LogRule, rehearsal: Rehearsal) -> None:
    record = source.record
    plan.ships = True
    plan.group, plan.stream = source.key
    plan.task = record.claim.task
    plan.owner = rehearsal.known.owners.get(source.id)
    plan.size = source.size
    plan.start = record.acknowledged
    plan.to_ship = max(0, source.size - record.acknowledged - record.beyond.total)
    if record.fingerprint is not None:
        plan.fingerprint = f"{record.fingerprint.digest}/{record.fingerprint.length}"
    if plan.owner is not None:
        plan.why = f"known: {plan.owner} has settled it up to {record.acknowledged}"
    elif record.claim.start and rule.start_at == "end":
        plan.why = "new: start_at: end, so what is there at the very first start is left out"
    elif record.claim.start:
        plan.why = f"new: goes on at {record.claim.start} in the copy of a file that was truncated"
    else:
        plan.why = "new: read from its first byte"
    if plan.kind == "rotated":
        plan.why += f"; a rotated {plan.base}, whose stream it feeds"


def _plan_artifact(
    plan: FilePlan, found: Found, seen: os.stat_result, rehearsal: Rehearsal
) -> None:
    rule = rehearsal.artifact_rules[found.rule.number]
    plan.kind, plan.ships = "artifact", True
    plan.entry = entry_name(found.rule, rehearsal)
    plan.group = rule.log_group
    plan.stream = clean(os.path.relpath(plan.path, found.root))
    known = rehearsal.ledger.artifacts.get(plan.path)
    if known and (known.bytes, known.modified_ns) == (seen.st_size, seen.st_mtime_ns):
        plan.why = f"shipped already, as version {known.version[:12]}"
        return
    plan.to_ship = seen.st_size
    inline = seen.st_size <= rule.inline_limit
    how = "its content inside its manifest"
    if not inline:
        how = "its manifest, without content"
        if rule.bucket is not None:
            how = f"its manifest, and its content to the bucket {rule.bucket}"
    again = "a new version" if known else "new"
    plan.why = f"{again}: {how}, once it is unchanged for {rule.settle:g} s"


def _refuse(plan: FilePlan, refusal: Refusal, rehearsal: Rehearsal) -> None:
    rule = refusal.rule
    entry = None if rule is None else entry_name(rule, rehearsal)
    plan.entry = entry
    plan.kind = {
        "temporary": "temporary",
        "own": "own",
        "unfinished": "temporary",
    }.get(refusal.cause, "file")
    if refusal.cause == "temporary":
        plan.why = "a temporary name, of an editor or the NFS client"
    elif refusal.cause == "own":
        plan.why = "in the sidecar's own state directory"
    elif refusal.cause == "hidden":
        plan.why = f"{entry} would take it, but names with a leading dot are never artifacts"
    elif refusal.cause == "unfinished":
        plan.why = f"{entry} would take it, but *.tmp, *.part and *.done are never artifacts"
    elif refusal.cause == "excluded" and refusal.glob is not None:
        plan.why = f"{entry} excludes it by {refusal.glob.pattern}"
    else:
        plan.why = _nearest(plan.path, rehearsal.rules, rehearsal)


def _nearest(path: str, rules: list[Rule], rehearsal: Rehearsal) -> str:
    """The include that fits most of the path, and the part of it that does not fit."""
    globs: list[tuple[Glob, Rule]] = [(glob, rule) for rule in rules for glob in rule.include]
    glob, rule = max(globs, key=lambda pair: pair[0].shortfall(path).fitting)
    lacking = glob.shortfall(path)
    if not lacking.name:
        problem = f"the path has no part for {lacking.wanted}"
    elif not lacking.wanted:
        problem = f"{lacking.name} is more than it names"
    else:
        problem = f"{lacking.name} does not match {lacking.wanted}"
    nearest = f"{glob.pattern} of {entry_name(rule, rehearsal)}"
    return f"no include matches; the nearest, {nearest}: {problem}"


def _unseeable(path: str, error: OSError, rehearsal: Rehearsal) -> FilePlan:
    if os.path.islink(path):
        nowhere = isinstance(error, FileNotFoundError)
        why = "the link leads nowhere" if nowhere else "a loop of links"
        return FilePlan(path, "link", False, why)
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return _missing(path, rehearsal)
    return FilePlan(path, "unreadable", False, problem(error))


def _missing(path: str, rehearsal: Rehearsal) -> FilePlan:
    """There is no such file: what would become of one."""
    plan = FilePlan(path, "missing", False, "")
    verdict = judge(path, 0, rehearsal.rules, rehearsal.never)
    if isinstance(verdict, Refusal):
        _refuse(plan, verdict, rehearsal)
        plan.kind, plan.why = "missing", f"does not exist, and would not be shipped: {plan.why}"
        return plan
    plan.entry, plan.base = entry_name(verdict.rule, rehearsal), verdict.base
    if verdict.rule.kind == "artifact":
        plan.group = rehearsal.artifact_rules[verdict.rule.number].log_group
        plan.stream = clean(os.path.relpath(path, verdict.root))
        plan.why = "does not exist; it would be shipped as an artifact once it appears"
        return plan
    rule = rehearsal.log_rules[verdict.rule.number]
    is_rotated = verdict.base is not None and not verdict.included
    name = verdict.base if verdict.base is not None and is_rotated else path
    key, plan.task = rehearsal.catalogue.streams.of(name, verdict.root, rule)
    plan.group, plan.stream = key
    plan.start = 0
    plan.why = "does not exist; it would be read from its first byte once it appears"
    return plan


def _no_file(path: str, seen: os.stat_result, verdict: Found | Refusal) -> FilePlan:
    kinds = {stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket", stat.S_IFDIR: "directory"}
    kind = kinds.get(stat.S_IFMT(seen.st_mode), "device")
    matched = "its name matches, but " if isinstance(verdict, Found) else ""
    why = f"{matched}a {kind} is no file to read"
    if kind == "directory" and os.path.islink(path):
        why = "a link to a directory, which is not followed; name the directory in an include"
    return FilePlan(path, kind, False, why, inode=seen.st_ino)


def _unseen(path: str, rehearsal: Rehearsal) -> str:
    """An entry takes the name, and no scan comes to it."""
    directory = os.path.dirname(path)
    if directory in rehearsal.discovery.scanned():
        return "its name matches, but it was not there when its directory was scanned; ask again"
    return (
        f"its name matches, but {directory} is reached through a link to a directory, and links "
        "to directories are not followed; name the directory itself in an include"
    )


def _other_name(plan: FilePlan, rehearsal: Rehearsal) -> str:
    for source in rehearsal.catalogue.sources.values():
        if source.inode == plan.inode:
            return f"another name of {source.path}, which is shipped once, under that one"
    return "gone again, or no plain file"


def _directory(path: str, error: OSError) -> FilePlan:
    if isinstance(error, FileNotFoundError):
        why = "does not exist yet; its files are found when it appears"
    else:
        why = f"cannot be listed, so nothing in it is seen: {problem(error)}"
    return FilePlan(path, "directory", False, why)


HEADINGS: Final = (
    *("PATH", "KIND", "ENTRY", "GROUP", "STREAM", "TASK", "INODE", "FINGERPRINT"),
    *("START", "SIZE", "TO SHIP", "OWNER", "WHY"),
)


def shown(plan: FilePlan) -> tuple[str, ...]:
    """The file as a row of a table, under HEADINGS."""
    return (
        plan.path,
        plan.kind,
        plan.entry or "",
        plan.group or "",
        plan.stream or "",
        plan.task or "",
        "" if plan.inode is None else str(plan.inode),
        (plan.fingerprint or "")[:SHOWN_DIGITS],
        "" if plan.start is None else str(plan.start),
        "" if plan.size is None else amount(plan.size),
        amount(plan.to_ship) if plan.ships else "",
        plan.owner or "",
        plan.why,
    )

"""`sidecar plan`: a dry run. What each file is, where it would go and why, or why not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sidecar import telemetry
from sidecar.commands.plan_ages import Ages, Counter
from sidecar.commands.plan_files import HEADINGS, FilePlan, every_file, explain, shown
from sidecar.commands.rehearsal import Rehearsal, rehearse
from sidecar.commands.table import amount, table
from sidecar.settings import Settings, load

ROOT_HEADINGS: Final = ("ROOT", "CHANGES SEEN BY", "WHY")


def plan(
    paths: Sequence[str], config: Path | None, environ: Mapping[str, str], *, as_json: bool
) -> int:
    """Prints it, and 0; touches neither the volume nor AWS. Errors of a person pass through."""
    settings = load(config, environ)
    # What the sidecar's own code would log, this command says in its own way.
    telemetry.configure("critical")
    rehearsal = rehearse(settings, environ)
    if paths:
        files = [explain(os.path.abspath(path), rehearsal) for path in paths]
    else:
        files = list(every_file(rehearsal))
    document = _document(files, settings, rehearsal)
    if as_json:
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write(_for_one(document) if paths else _for_all(files, document))
    return 0


def _document(files: list[FilePlan], settings: Settings, rehearsal: Rehearsal) -> dict[str, Any]:
    ages = _ages(files, rehearsal)
    return {
        "state_dir": str(settings.state_dir),
        "first_start": rehearsal.known.created is None,
        "files": [asdict(file) | _refused(ages.get(file.path)) for file in files],
        "totals": {
            "files": len(files),
            "shipped": sum(file.ships for file in files),
            "bytes_to_ship": sum(file.to_ship for file in files),
            "too_old": sum(each.too_old for each in ages.values()),
            "too_new": sum(each.too_new for each in ages.values()),
        },
        "shared_streams": _shared_streams(rehearsal, {file.path for file in files}),
        "roots": [_root(root, rehearsal) for root in rehearsal.discovery.roots],
        "warnings": [*_age_warnings(ages, rehearsal), *rehearsal.known.warnings],
    }


def _ages(files: Iterable[FilePlan], rehearsal: Rehearsal) -> dict[str, Ages]:
    counter = Counter(int(rehearsal.now * 1000))
    found = {}
    for file in files:
        source = rehearsal.catalogue.whereabouts.at(file.path)
        if file.to_ship and source is not None:
            found[file.path] = counter.count(source)
    return found


def _refused(ages: Ages | None) -> dict[str, Any]:
    if ages is None:
        return {"events": None, "too_old": None, "too_new": None, "counted": None}
    whole = "all" if ages.whole else f"projected from {ages.counted_bytes} of {ages.of_bytes} bytes"
    return {
        "events": ages.events,
        "too_old": ages.too_old,
        "too_new": ages.too_new,
        "counted": whole,
    }


def _age_warnings(ages: dict[str, Ages], rehearsal: Rehearsal) -> list[str]:
    """Of each file with events that CloudWatch would refuse, how many and what helps."""
    warnings = []
    for path, of_file in ages.items():
        source = rehearsal.catalogue.whereabouts.at(path)
        rule = None if source is None else source.rule
        about = "" if of_file.whole else "about "
        how = (
            "all of it was counted"
            if of_file.whole
            else f"projected from {amount(of_file.counted_bytes)} of {amount(of_file.of_bytes)}"
        )
        if of_file.too_old and rule is not None and rule.old_events_now:
            warnings.append(
                f"{path}: {about}{of_file.too_old} of {about}{of_file.events} events are more "
                f"than 14 days old and would be shipped with the time of their arrival ({how})"
            )
        elif of_file.too_old:
            warnings.append(
                f"{path}: CloudWatch would refuse {about}{of_file.too_old} of "
                f"{about}{of_file.events} events as more than 14 days old ({how}); they would be "
                "kept in rejected/; set out_of_range: now to ship them with the time of arrival"
            )
        if of_file.too_new:
            warnings.append(
                f"{path}: CloudWatch would refuse {about}{of_file.too_new} of "
                f"{about}{of_file.events} events as more than 2 hours ahead ({how}); check the "
                "writer's clock and time zone, or set timestamp: arrival"
            )
    return warnings


def _shared_streams(rehearsal: Rehearsal, wanted: set[str]) -> list[dict[str, Any]]:
    """Streams that files of different names feed, one of them wanted.

    A rotated file goes by the name it had.
    """
    names: dict[tuple[str, str], set[str]] = {}
    for path, found in rehearsal.found.items():
        source = rehearsal.catalogue.whereabouts.at(path)
        if found.rule.kind == "artifact":
            file = explain(path, rehearsal)
            if file.group and file.stream:
                names.setdefault((file.group, file.stream), set()).add(path)
        elif source is not None:
            name = found.base if source.renamed_away and found.base else path
            names.setdefault(source.key, set()).add(name)
    return [
        {"group": group, "stream": stream, "paths": sorted(paths)}
        for (group, stream), paths in sorted(names.items())
        if len(paths) > 1 and paths & wanted
    ]


def _root(root: str, rehearsal: Rehearsal) -> dict[str, Any]:
    """How changes below a root will be seen, which the file system under it decides."""
    mode = rehearsal.mounts.modes[root]
    return {
        "path": root,
        "exists": os.path.isdir(root),
        "mode": mode.mode,
        "reason": mode.reason,
    }


def _for_all(files: list[FilePlan], document: dict[str, Any]) -> str:
    parts = []
    if files:
        parts.append(table(HEADINGS, [shown(file) for file in files]))
    totals = document["totals"]
    first = ", as the very first start" if document["first_start"] else ""
    parts.append(
        f"{totals['files']} files, {totals['shipped']} of them shipped; "
        f"{amount(totals['bytes_to_ship'])} to ship{first}\n"
    )
    parts.append(table(ROOT_HEADINGS, [_shown_root(root) for root in document["roots"]]))
    return "\n".join([*parts, *_notes(document)])


def _for_one(document: dict[str, Any]) -> str:
    parts = []
    for file in document["files"]:
        rows = [(key.replace("_", " "), str(value)) for key, value in file.items() if value != ""]
        rows = [(key, value) for key, value in rows if value not in ("None", "")]
        parts.append(table(("FILE", ""), rows))
    return "\n".join([*parts, *_notes(document)])


def _notes(document: dict[str, Any]) -> list[str]:
    notes = []
    for shared in document["shared_streams"]:
        paths = ", ".join(shared["paths"])
        notes.append(f"shared stream: {shared['group']} {shared['stream']} is fed by {paths}\n")
    notes += [f"warning: {warning}\n" for warning in document["warnings"]]
    return ["".join(notes)] if notes else []


def _shown_root(root: dict[str, Any]) -> tuple[str, ...]:
    missing = "" if root["exists"] else "does not exist yet; now "
    return root["path"], root["mode"], missing + root["reason"]

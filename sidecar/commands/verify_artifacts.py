"""Artifacts on the volume against the manifests that CloudWatch holds."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from sidecar.commands.plan_files import explain
from sidecar.commands.rehearsal import Rehearsal
from sidecar.commands.verify_verdict import Verdict
from sidecar.delivery.stored import NotReadable, Stored
from sidecar.model.manifest import parsed

DELETED = ""
"""Stands for the word of a deletion among the versions of an artifact."""

AHEAD_SECONDS = 2 * 3600.0
"""How far ahead of ours another member's clock may be, as CloudWatch allows."""


def artifact_verdicts(
    rehearsal: Rehearsal, stored: Stored, horizon: Callable[[str], int], since_ms: int | None
) -> Iterator[Verdict]:
    """One verdict an artifact that is on the volume."""
    for path, found in sorted(rehearsal.found.items()):
        if found.rule.kind == "artifact":
            verdict = _verdict(path, found.root, rehearsal, stored, horizon, since_ms)
            if verdict is not None:
                yield verdict


def _verdict(
    path: str,
    root: str,
    rehearsal: Rehearsal,
    stored: Stored,
    horizon: Callable[[str], int],
    since_ms: int | None,
) -> Verdict | None:
    plan = explain(path, rehearsal)
    known = rehearsal.ledger.artifacts.get(path)
    if plan.group is None or plan.stream is None:
        return None
    if known is not None and since_ms is not None and known.at_ms < since_ms:
        return None
    verdict = Verdict(plan.group, plan.stream, files=1)
    if plan.to_ship and rehearsal.known.members:
        verdict.backlog_bytes = plan.to_ship
        return verdict
    version = known.version if known is not None else _sha256(path)
    verdict.expected = 1
    name = str(Path(path).relative_to(root))
    try:
        until = round((rehearsal.now + AHEAD_SECONDS) * 1000)
        versions = list(_versions(stored, plan.group, plan.stream, name, until))
        least = horizon(plan.group)
    except NotReadable as error:
        verdict.problem = str(error)
        return verdict
    verdict.held = len(versions)
    if version not in versions:
        if known is not None and known.at_ms < least:
            verdict.unverifiable = 1
        else:
            verdict.lost = 1
            verdict.examples.append(
                {"what": "lost", "path": path, "offset": 0, "length": plan.size, "timestamp": None}
            )
    verdict.duplicated = sum(
        before == after != DELETED for before, after in itertools.pairwise(versions)
    )
    return verdict


def _versions(stored: Stored, group: str, stream: str, name: str, until: int) -> Iterator[str]:
    """The artifact's versions and deletions in their order; two artifacts may share a stream."""
    for page in stored.pages(group, stream, 0, until):
        for event in page:
            manifest = parsed(event.message)
            if manifest is not None and manifest.name == name:
                yield manifest.version or DELETED


def _sha256(path: str) -> str:
    """The version that the file's content is; that of nothing where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with Path(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return ""
    return digest.hexdigest()

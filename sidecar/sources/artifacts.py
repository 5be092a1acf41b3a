"""Artifacts: finished files, each version shipped once as a manifest event."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import structlog

from sidecar.health import Degradation
from sidecar.model.batch import ArtifactVersion
from sidecar.model.journal import ArtifactDeleted, ArtifactShipped, Entry
from sidecar.model.ledger import Ledger
from sidecar.model.manifest import content_type
from sidecar.model.ownership import Ownership
from sidecar.model.stored_object import LARGEST_OBJECT, Torn, Wanted, content_key
from sidecar.sources.agenda import Agenda
from sidecar.sources.artifact import Artifact, ArtifactRule, Notice
from sidecar.sources.artifact_reader import ArtifactReader, Version
from sidecar.sources.discovery import Found
from sidecar.sources.opening import OPEN_AND_CLOSE, seen_anew
from sidecar.sources.poll import Budget, Pace
from sidecar.sources.storing import Storing
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)

DELETION_PATIENCE = 5.0
"""Seconds for which a name must be gone before its deletion is told: a replacement may follow."""

DONE_SUFFIX = ".done"


class Artifacts:
    """Watches artifacts until they are finished, and makes their manifests. Owned by the pump."""

    def __init__(
        self,
        *,
        rules: Sequence[ArtifactRule],
        ledger: Ledger,
        record: Callable[[Entry], None],
        reader: ArtifactReader,
        storing: Storing,
        ownership: Ownership,
        budget: Budget,
        pace: Pace,
        totals: Totals,
    ) -> None:
        self._rules = {rule.match.number: rule for rule in rules}
        self._ledger = ledger
        self._record = record
        self._reader = reader
        self._storing = storing
        self._ownership = ownership
        self._budget = budget
        self._totals = totals
        self._pace = pace
        self._artifacts: dict[str, Artifact] = {}
        self._held: set[str] = set()
        """Of these it is not known whether an earlier process's manifest is stored."""
        self._finished: list[Artifact] = []
        """What one round of looks found finished, and not shipped."""
        self._looks: Agenda[str] = Agenda()

    @property
    def unfinished(self) -> int:
        """Artifacts that are being read, or on their way."""
        busy = sum(artifact.busy for artifact in self._artifacts.values())
        return busy - self._storing.held_back

    @property
    def known(self) -> int:
        return len(self._artifacts)

    def unsettled(self) -> int:
        """Artifacts that are seen but not yet found finished, or whose bucket refuses them."""
        unseen = sum(
            not artifact.busy and self._is_awaited(artifact)
            for artifact in self._artifacts.values()
        )
        return unseen + self._storing.held_back

    def left(self) -> list[str]:
        """Paths of what is not shipped."""
        return [
            path
            for path, artifact in self._artifacts.items()
            if artifact.busy or self._is_awaited(artifact)
        ]

    def degradations(self) -> Iterator[Degradation]:
        """What stands in the way of artifacts, and of nothing else."""
        yield from self._storing.degradations()
        unreadable = [each for each in self._artifacts.values() if each.problem]
        if unreadable:
            text = (
                f"{len(unreadable)} artifacts cannot be read, the first: {unreadable[0].problem}; "
            )
            yield Degradation("unreadable_artifact", text + "let this user or its group read them")

    def hold(self, path: str) -> None:
        """Tell nothing of the artifact before `release`."""
        self._held.add(path)

    def release(self, path: str, now: float) -> None:
        """It is known what CloudWatch holds of it. It may be ours by that, and left to another
        member before."""
        self._held.discard(path)
        if path in self._artifacts:
            self._looks.put(path, now)
        elif path in self._ledger.artifacts:
            self._miss(path, now)

    def replace_rules(self, rules: Sequence[ArtifactRule]) -> None:
        self._rules = {rule.match.number: rule for rule in rules}

    def found(self, found: Found, now: float) -> None:
        artifact = self._artifacts.get(found.path)
        if artifact is None:
            if found.path not in self._ledger.artifacts and self._ownership.is_left(
                found.path, found.path, found.root, found.inode, now
            ):
                return
            rule = self._rules[found.rule.number]
            artifact = self._artifacts[found.path] = Artifact(found, rule)
        artifact.gone_since = None
        self._looks.put(found.path, now)

    def miss(self, now: float) -> None:
        """After the first scan: what was shipped and is not there was deleted meanwhile."""
        for path in self._ledger.artifacts:
            if path not in self._artifacts:
                self._miss(path, now)

    def _miss(self, path: str, now: float) -> None:
        for rule in self._rules.values():
            glob = rule.match.takes(path)
            if glob is not None:
                found = Found(path, rule.match, glob.root, 0)
                self._artifacts[path] = Artifact(found, rule, gone_since=now)
                self._looks.put(path, now + DELETION_PATIENCE)
                return

    def vanished(self, path: str, now: float) -> None:
        artifact = self._artifacts.get(path)
        if artifact is not None:
            artifact.gone_since = now
            self._looks.put(path, now + DELETION_PATIENCE)

    def touched(self, path: str, now: float, *, renamed_into_place: bool = False) -> None:
        """The watch heard of it."""
        name = path.removesuffix(DONE_SUFFIX)
        artifact = self._artifacts.get(name)
        if artifact is not None:
            self._looks.put(name, now)
            artifact.renamed_into_place |= renamed_into_place

    def next_due(self) -> float:
        return min(self._looks.next_due(), self._storing.next_due())

    def make_all_due(self, now: float) -> None:
        for path in self._artifacts:
            self._looks.bring_forward(path, now)

    def step(self, now: float, now_ms: int, *, has_room: bool) -> list[Notice]:
        """Look at what is due, as far as the budget goes; gives the manifests that are ready."""
        notices = [*self._whole(now, now_ms), *self._kept(now)]
        if has_room:
            notices += self._look_at_due(now, now_ms)
        return notices

    def _whole(self, now: float, now_ms: int) -> Iterator[Notice]:
        """The manifests of what was read, where nothing needs to be kept first."""
        for reading in self._reader.readings():
            artifact = self._artifacts.get(reading.path)
            if artifact is None:
                continue
            if reading.problem:
                self._unreadable(artifact, reading.problem, now)
                continue
            artifact.problem = ""
            if reading.version is None:
                self._not_whole(artifact, now)
                continue
            notice = self._read(artifact, reading.version, now, now_ms)
            if notice is not None:
                yield notice

    def _kept(self, now: float) -> Iterator[Notice]:
        """The manifests of what is in its bucket."""
        for path, outcome in self._storing.step(now):
            artifact = self._artifacts[path]
            if isinstance(outcome, Torn):
                self._not_whole(artifact, now)
            elif artifact.reading is not None:
                yield artifact.manifest(artifact.reading, outcome)
            artifact.reading = None

    def _look_at_due(self, now: float, now_ms: int) -> Iterator[Notice]:
        while self._looks.next_due() <= now and self._budget.has_room(now):
            path = self._looks.take()
            artifact = self._artifacts.get(path)
            if artifact is None:
                self._pace.forget(path)
                continue
            if artifact.busy or path in self._held:
                continue
            if artifact.gone_since is not None:
                notice = self._deleted(artifact, now, now_ms)
                if notice is not None:
                    yield notice
            else:
                self._look(artifact, now, now_ms)
        self._take_finished(now)

    def _take_finished(self, now: float) -> None:
        """Read what is finished, where it is ours to ship: asked for together, as each asking
        costs a listing of the members."""
        finished, self._finished = self._finished, []
        granted = self._ownership.grant_artifacts([each.path for each in finished], now)
        for artifact, is_ours in zip(finished, granted, strict=True):
            artifact.is_ours = is_ours
            if not is_ours:
                # Another member ships it. Should that one end, its name is reported again.
                del self._artifacts[artifact.path]
                continue
            artifact.renamed_into_place = False
            artifact.busy = True
            self._reader.request(artifact.path, artifact.rule.inline_limit)

    def shipped(self, version: ArtifactVersion, now_ms: int) -> None:
        """CloudWatch has the manifest, or refused it for good."""
        artifact = self._artifacts.get(version.path)
        if artifact is not None:
            artifact.busy = False
            self._looks.put(version.path, 0.0)
        if not version.sha256:
            self._record(ArtifactDeleted(version.path, now_ms))
            self._ownership.give_up_artifact(version.path)
            self._artifacts.pop(version.path, None)
            return
        self._totals.artifacts_shipped += 1
        self._totals.artifact_bytes += version.bytes
        self._record(ArtifactShipped(*version, now_ms))
        log.info("artifact_shipped", path=version.path, version=version.sha256, bytes=version.bytes)

    def _look(self, artifact: Artifact, now: float, now_ms: int) -> None:
        self._budget.spend(OPEN_AND_CLOSE)
        try:
            stat = seen_anew(artifact.path)
        except FileNotFoundError:
            self.vanished(artifact.path, now)
            return
        except OSError as error:
            self._unreadable(artifact, str(error), now)
            return
        seen = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        if seen != artifact.seen:
            first_look = artifact.seen[0] < 0
            artifact.seen = seen
            artifact.unchanged_since = now
            if first_look:
                # What nobody has written to for longer than that need not be waited for again.
                artifact.unchanged_since = now - max(0.0, now_ms / 1000.0 - stat.st_mtime)
        quiet = now - artifact.unchanged_since
        if self._is_shipped(artifact):
            wait = self._pace.interval(artifact.path, quiet, operations=OPEN_AND_CLOSE)
            self._looks.put(artifact.path, now + wait)
        elif quiet >= artifact.rule.settle or artifact.renamed_into_place or self._done(artifact):
            self._finished.append(artifact)
        else:
            # No later than a hot file: its NAME.done may come, unheard, before it has settled.
            wait = max(0.01, min(artifact.rule.settle - quiet, self._pace.hot))
            self._looks.put(artifact.path, now + wait)

    def _is_shipped(self, artifact: Artifact) -> bool:
        known = self._ledger.artifacts.get(artifact.path)
        return known is not None and artifact.seen == (known.bytes, known.modified_ns, known.inode)

    def _is_awaited(self, artifact: Artifact) -> bool:
        """Is it there, readable as far as is known, and not shipped as it is?"""
        if artifact.gone_since is not None or artifact.problem:
            return False
        return not self._is_shipped(artifact)

    def _done(self, artifact: Artifact) -> bool:
        self._budget.spend(1)
        return os.path.exists(artifact.path + DONE_SUFFIX)

    def _not_whole(self, artifact: Artifact, now: float) -> None:
        """It changed while it was read: wait until it has settled anew."""
        path = artifact.path
        artifact.busy = False
        artifact.unchanged_since = now
        self._looks.put(path, now + artifact.rule.settle)
        self._totals.artifacts_torn += 1
        log.info("artifact_changed_while_read", path=path)

    def _unreadable(self, artifact: Artifact, problem: str, now: float) -> None:
        artifact.busy = False
        self._looks.put(artifact.path, now + self._pace.cold)
        if problem != artifact.problem:
            artifact.problem = problem
            log.warning("artifact_unreadable", path=artifact.path, error=problem)

    def _read(self, artifact: Artifact, version: Version, now: float, now_ms: int) -> Notice | None:
        """What to ship of a version that was read whole; None for now, or for good."""
        path, rule = artifact.path, artifact.rule
        artifact.seen = (version.size, version.modified_ns, version.inode)
        known = self._ledger.artifacts.get(path)
        if known is not None and known.version == version.sha256:
            # The same content again, touched or written anew: it is there already.
            self._record(ArtifactShipped(*artifact.version(version), now_ms))
            artifact.busy = False
            self._looks.put(path, now + self._pace.hot)
            return None
        if version.content is not None or rule.bucket is None:
            return artifact.manifest(version, None)
        if version.size > LARGEST_OBJECT:
            log.warning(
                "artifact_too_large_to_store",
                path=path,
                bytes=version.size,
                most=LARGEST_OBJECT,
                remedy="write it in smaller files, or exclude it",
            )
            return artifact.manifest(version, None)
        artifact.reading = version
        key = content_key(rule.log_group, artifact.name, version.sha256)
        kind = content_type(artifact.name)
        wanted = Wanted(rule.bucket, key, version.sha256, version.size, kind)
        self._storing.add(path, wanted)
        return None

    def _deleted(self, artifact: Artifact, now: float, now_ms: int) -> Notice | None:
        path = artifact.path
        if not os.path.isdir(os.path.dirname(path)):
            # Unmounted, maybe: nothing is concluded.
            self._looks.put(path, now + self._pace.cold)
            return None
        if path not in self._ledger.artifacts:
            del self._artifacts[path]
            if artifact.is_ours:
                self._ownership.give_up_artifact(path)
            return None
        if os.path.lexists(path):
            artifact.gone_since = None
            self._looks.put(path, now)
            return None
        artifact.busy = True
        return artifact.deletion(now_ms)

"""What a sidecar that started now would do, done by its own code on a ledger nobody keeps.

Discovery scans, the catalogue admits, streams are decided; but entries go into memory alone, no
folder is joined, no lock is tried and nothing is sent. So the answer is not a second opinion.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sidecar import compiled
from sidecar.model.journal import Entry
from sidecar.model.ledger import Ledger
from sidecar.model.ownership import Alone
from sidecar.registry.survey import Survey, survey
from sidecar.settings import Settings
from sidecar.sources.artifact import ArtifactRule
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Discovery
from sidecar.sources.identity.archives import DAMAGE_PATIENCE
from sidecar.sources.identity.catalogue import Catalogue
from sidecar.sources.looks import Looks
from sidecar.sources.matching import Found, Rule
from sidecar.sources.mounts import Mounts
from sidecar.sources.poll import Budget, Pace
from sidecar.sources.rules import LogRule
from sidecar.surroundings import surroundings
from sidecar.telemetry import Totals

NO_LIMIT = 1e12
"""Operations a second: somebody waits for the answer, and asks once."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The volume as the sidecar's own code understands it. Sources are the catalogue's."""

    known: Survey
    """What the journals say; the rehearsal added to its ledger what it would have claimed."""
    discovery: Discovery
    catalogue: Catalogue
    found: dict[str, Found]
    """Every file that an entry takes, by path."""
    log_rules: dict[int, LogRule]
    artifact_rules: dict[int, ArtifactRule]
    never: tuple[str, ...]
    mounts: Mounts
    now: float
    """Seconds since the epoch at which it was rehearsed."""

    @property
    def ledger(self) -> Ledger:
        return self.known.ledger

    @property
    def rules(self) -> list[Rule]:
        """The entries in their order, logs before artifacts."""
        logs = [rule.match for rule in self.log_rules.values()]
        return logs + [rule.match for rule in self.artifact_rules.values()]


def rehearse(
    settings: Settings, environ: Mapping[str, str], *, takes_older: bool = False
) -> Rehearsal:
    """Look at the volume once. Raises StateError where the state directory cannot be read.

    With `takes_older`, rotated files are taken whatever their age.
    """
    now = time.time()
    known = survey(settings.state_dir)
    logs, artifacts = compiled.log_rules(settings), compiled.artifact_rules(settings)
    matches = [rule.match for rule in logs] + [rule.match for rule in artifacts]
    budget, totals = Budget(NO_LIMIT, 0.0), Totals()
    never = (str(settings.state_dir),)
    mounts = Mounts(settings.poll.mode)
    looks = Looks(mounts, budget)
    pace = Pace(1.0, 1.0, budget)
    discovery = Discovery(matches, never=never, budget=budget, looks=looks, pace=pace)
    mounts.learn(discovery.roots)
    created = 0.0 if takes_older else known.created

    def record(entry: Entry) -> None:
        known.ledger.apply(entry)

    where = surroundings(settings.task, environ)
    claimed_by = {record.claim.task or "" for record in known.ledger.sources.values()}
    catalogue = Catalogue(
        rules=logs,
        ledger=known.ledger,
        record=record,
        descriptors=Descriptors(1, totals, budget),
        looks=looks,
        budget=budget,
        totals=totals,
        surroundings=where,
        ownership=Alone({where.task, *known.ledger.tasks, *claimed_by}),
        state_created=now if created is None else created,
        first_start=known.created is None and not takes_older,
    )
    found: dict[str, Found] = {}
    while discovery.next_due() <= 0.0:
        for each in discovery.scan(0.0, whatever_it_costs=True).found:
            found[each.path] = each
    candidates = [each for each in found.values() if each.rule.kind == "log"]
    catalogue.admit(candidates, 0.0, int(now * 1000))
    _look_through_archives(catalogue, int(now * 1000))
    return Rehearsal(
        known=known,
        discovery=discovery,
        catalogue=catalogue,
        found=found,
        log_rules={rule.match.number: rule for rule in logs},
        artifact_rules={rule.match.number: rule for rule in artifacts},
        never=never,
        mounts=mounts,
        now=now,
    )


def _look_through_archives(catalogue: Catalogue, now_ms: int) -> None:
    """Each to its end; the clock goes on without anybody waiting for it."""
    now = 0.0
    while (due := catalogue.archives.next_due()) < float("inf"):
        if not catalogue.archives.is_busy:
            now = max(now, due)
        if now > 2 * DAMAGE_PATIENCE:
            return
        catalogue.look_through(now, now_ms)

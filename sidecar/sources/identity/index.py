"""All sources by whatever one may be looked up by: a number, a name it had, its first bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sidecar.model.ledger import SourceRecord
from sidecar.sources.identity.departed import Departed
from sidecar.sources.identity.fingerprints import Fingerprints
from sidecar.sources.identity.kin import Kin
from sidecar.sources.source import Source


@dataclass(frozen=True, slots=True)
class Index:
    """What the parts of the catalogue know in common. A source's number is its record's."""

    records: Mapping[int, SourceRecord]
    """The ledger's, of every source that may be met again."""
    fingerprints: Fingerprints
    sources: dict[int, Source] = field(default_factory=dict)
    """The living ones, whose file a scan came upon: `lifecycle` adds, `retirement` takes out."""
    kin: Kin = field(default_factory=Kin)
    departed: Departed = field(default_factory=Departed)
    """Those whose file is gone."""

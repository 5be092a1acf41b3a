"""Counters: what was delivered, refused, filtered, read, and how long it took."""

from bisect import bisect_left
from dataclasses import dataclass, field, fields


@dataclass(slots=True)
class LagHistogram:
    """Seconds from a record's write to its acknowledgement, in buckets from 5 ms to 1 h.

    `counts` has one more place than `bounds`, for what took longer than the last one.
    """

    bounds: tuple[float, ...] = (
        *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
        *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0),
    )
    counts: list[int] = field(default_factory=list)
    sum_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, seconds: float) -> None:
        """Count one batch; a negative lag (clocks that disagree) counts as none."""
        seconds = max(0.0, seconds)
        self.counts[bisect_left(self.bounds, seconds)] += 1
        self.sum_seconds += seconds


@dataclass(slots=True)
class Totals:
    """Counters that only rise. The pump is their only writer; any thread may read them.

    The first ten are the contract's. Bytes are bytes of sources, line ends included, except
    `artifact_bytes` (of artifacts) and `read_bytes` (read from the volume, re-reads included).
    """

    events_delivered: int = 0
    bytes_acknowledged: int = 0
    events_rejected: int = 0
    bytes_rejected: int = 0
    events_filtered: int = 0
    bytes_filtered: int = 0
    bytes_gone: int = 0
    batches: int = 0
    retries: int = 0
    possible_duplicates: int = 0

    invalid_lines: int = 0
    broken_json: int = 0
    lines_split: int = 0
    nul_bytes_skipped: int = 0
    redacted: int = 0
    journal_write_failures: int = 0
    journal_syncs: int = 0
    dead_letters_discarded: int = 0
    truncations: int = 0
    rotations: int = 0
    sources_claimed: int = 0
    artifacts_shipped: int = 0
    artifact_bytes: int = 0
    artifacts_torn: int = 0
    files_deleted: int = 0
    metadata_operations: int = 0
    data_operations: int = 0
    read_bytes: int = 0
    cloudwatch_reads: int = 0
    outcomes_unknown: int = 0
    outcomes_resolved: int = 0
    events_found: int = 0

    rejected: dict[str, int] = field(default_factory=dict)  # events, by reason
    filtered: dict[str, int] = field(default_factory=dict)  # events, by rule: keep, drop, empty
    refusals: dict[str, int] = field(default_factory=dict)  # requests, by kind of outcome
    lag: LagHistogram = field(default_factory=LagHistogram)

    def count_rejected(self, reason: str, events: int, size: int) -> None:
        """Count `events` dead letters that held `size` bytes of their source."""
        self.events_rejected += events
        self.bytes_rejected += size
        self.rejected[reason] = self.rejected.get(reason, 0) + events

    def count_filtered(self, rule: str, events: int) -> None:
        """Count events dropped by a rule; their bytes go to `bytes_filtered` by range."""
        self.events_filtered += events
        self.filtered[rule] = self.filtered.get(rule, 0) + events

    def count_refusal(self, kind: str) -> None:
        """Count a request that was not accepted: throttled, unreachable, unknown, denied…"""
        self.refusals[kind] = self.refusals.get(kind, 0) + 1

    def numbers(self) -> dict[str, int]:
        """The plain counters by name, in the order above: the `totals` of /status."""
        return {name: getattr(self, name) for name in PLAIN_TOTALS}


PLAIN_TOTALS = tuple(each.name for each in fields(Totals) if each.type is int)

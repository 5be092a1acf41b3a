"""The Prometheus text of `/metrics`, made at each scrape from totals, status and vitals."""

import platform
import re
import threading
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from sidecar import telemetry
from sidecar.health import Vitals
from sidecar.telemetry import LagHistogram, Totals

# The counters of Totals: (attribute, name with its unit, help).
COUNTERS = (
    ("events_delivered", "events_delivered", "Events CloudWatch acknowledged."),
    ("bytes_acknowledged", "acknowledged_bytes", "Bytes of sources CloudWatch acknowledged."),
    ("bytes_rejected", "rejected_bytes", "Bytes of sources that became dead letters."),
    ("bytes_filtered", "filtered_bytes", "Bytes dropped by the user's filters."),
    ("bytes_gone", "gone_bytes", "Bytes gone from the volume before they could be read."),
    ("batches", "batches", "Batches acknowledged."),
    ("retries", "retries", "Requests sent again; a retry is not a loss."),
    ("possible_duplicates", "possible_duplicates", "Events sent again although maybe stored."),
    ("invalid_lines", "invalid_lines", "Lines with bytes invalid in their encoding."),
    ("broken_json", "broken_json_lines", "Lines that look like JSON and are not."),
    ("lines_split", "lines_split", "Lines over max_event_bytes, shipped in parts."),
    ("nul_bytes_skipped", "nul_skipped_bytes", "NUL bytes believed and skipped."),
    ("redacted", "redactions", "Replacements made by the user's redact rules."),
    ("journal_write_failures", "journal_write_failures", "Failed writes of journal or snapshot."),
    ("journal_syncs", "journal_syncs", "fsyncs of the journal."),
    ("dead_letters_discarded", "dead_letters_discarded", "Dead letters beyond the size bound."),
    ("truncations", "truncations", "Sources that were truncated."),
    ("rotations", "rotations", "Sources that were rotated away."),
    ("sources_claimed", "sources_claimed", "Sources this member began to own."),
    ("artifacts_shipped", "artifacts_shipped", "Artifact versions acknowledged."),
    ("artifact_bytes", "artifact_bytes", "Bytes of the artifacts shipped."),
    ("artifacts_torn", "artifacts_torn", "Readings given up: the artifact changed meanwhile."),
    ("files_deleted", "files_deleted", "Rotated files removed by delete_after."),
    ("metadata_operations", "metadata_operations", "Metadata operations on the volume."),
    ("data_operations", "data_operations", "Reads from the volume."),
    ("read_bytes", "read_bytes", "Bytes read from the volume."),
    ("cloudwatch_reads", "cloudwatch_reads", "GetLogEvents requests, to reconcile."),
    ("outcomes_unknown", "outcomes_unknown", "Requests that may be stored or not."),
    ("outcomes_resolved", "outcomes_resolved", "Of those, the ones that were found out about."),
    ("events_found", "events_found", "Events of unknown outcome that CloudWatch held."),
)

# Counters by label: (attribute, name, label, help). Their sums are events_rejected and so on.
LABELLED = (
    ("rejected", "events_rejected", "reason", "Dead letters, by reason."),
    ("filtered", "events_filtered", "rule", "Events dropped by the user's filters, by rule."),
    ("refusals", "requests_refused", "kind", "Requests that were not accepted, by kind."),
)

# Numbers found in the status, where it has them: (path, name with its unit, help).
GAUGES = (
    (("backlog", "bytes"), "backlog_bytes", "Matched bytes not yet settled."),
    (("backlog", "files"), "backlog_files", "Files with bytes not yet settled."),
    (("backlog", "oldest_seconds"), "backlog_oldest_seconds", "Age of the oldest of them."),
    (
        ("poll", "operations_per_second"),
        "poll_operations_per_second",
        "Metadata operations on the volume, a second.",
    ),
    (("delivery", "in_flight"), "requests_in_flight", "PutLogEvents under way."),
    (("delivery", "unresolved"), "outcomes_unresolved", "Requests being asked about."),
    (("delivery", "memory_bytes"), "memory_used_bytes", "Bytes read and not yet acknowledged."),
    (("stale_seconds",), "status_age_seconds", "Age of the status these gauges come from."),
)

SOURCE_STATES = ("active", "idle", "rotated", "finished", "stuck")
_KIND = re.compile(r"([a-z][a-z_]{0,39})(?::|$)")


class Exposition:
    """Renders one registry of its own; nothing is registered in prometheus_client's global one."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, totals: Totals, vitals: Vitals, clock: Callable[[], float]) -> None:
        self._registry = CollectorRegistry()
        self._collector = _SidecarCollector(totals, vitals, clock)
        self._registry.register(self._collector)
        self._lock = threading.Lock()
        ProcessCollector(registry=self._registry)

    def render(self, status: dict[str, Any]) -> bytes:
        """The whole text for this status, whose missing parts are left out."""
        with self._lock:  # two scrapers at once
            self._collector.status = status
            return generate_latest(self._registry)


class _SidecarCollector(Collector):
    def __init__(self, totals: Totals, vitals: Vitals, clock: Callable[[], float]) -> None:
        self.status: dict[str, Any] = {}
        self._totals = totals
        self._vitals = vitals
        self._clock = clock
        self._kinds_seen: set[str] = set()

    def collect(self) -> Iterator[Metric]:
        yield from self._counters()
        yield _histogram(self._totals.lag)
        yield from self._gauges()
        yield self._degraded()
        yield InfoMetricFamily("sidecar_build", "What is running.", _build())

    def _counters(self) -> Iterator[Metric]:
        for attribute, name, help_text in COUNTERS:
            yield CounterMetricFamily(
                f"sidecar_{name}", help_text, value=getattr(self._totals, attribute)
            )
        for attribute, name, label, help_text in LABELLED:
            family = CounterMetricFamily(f"sidecar_{name}", help_text, labels=[label])
            # dict() copies in one step, so the pump may add a key meanwhile.
            for value, count in sorted(dict(getattr(self._totals, attribute)).items()):
                family.add_metric([value], count)
            yield family
        yield CounterMetricFamily(
            "sidecar_log_lines_dropped",
            "The sidecar's own log lines that stderr did not take.",
            value=telemetry.lines_dropped(),
        )

    def _gauges(self) -> Iterator[Metric]:
        for path, name, help_text in GAUGES:
            value: Any = self.status
            for key in path:
                value = value.get(key) if isinstance(value, dict) else None
            if value is not None:
                yield GaugeMetricFamily(f"sidecar_{name}", help_text, value=value)
        yield _sources_by_state(self.status.get("sources", ()))
        members = self.status.get("members", ())
        yield GaugeMetricFamily(
            "sidecar_members_alive",
            "Members of the state directory that are alive.",
            value=sum(1 for each in members if each.get("alive")),
        )
        yield GaugeMetricFamily(
            "sidecar_healthy",
            "0 where a restart would help.",
            value=int(self._vitals.verdict(self._clock()).healthy),
        )

    def _degraded(self) -> Metric:
        """A kind that was seen once stays at 0 when it is over, so that its alarm resolves."""
        current = {str(each) for each in self._vitals.degradations}
        kinds = {kind_of(text) for text in current.union(self.status.get("degraded", ()))}
        self._kinds_seen |= kinds
        family = GaugeMetricFamily(
            "sidecar_degraded",
            "1 while something a restart would not cure is wrong.",
            labels=["reason"],
        )
        for kind in sorted(self._kinds_seen):
            family.add_metric([kind], int(kind in kinds))
        return family


def kind_of(degraded: str) -> str:
    """The fixed word before the colon: a text in a label would make a new series each time."""
    match = _KIND.match(degraded)
    return match[1] if match else "other"


def _sources_by_state(sources: Any) -> Metric:
    family = GaugeMetricFamily("sidecar_sources", "Sources known, by state.", labels=["state"])
    states = [each.get("state") for each in sources]
    for state in SOURCE_STATES:
        family.add_metric([state], states.count(state))
    return family


def _histogram(lag: LagHistogram) -> Metric:
    counts = list(lag.counts)
    bounds = [*(str(each) for each in lag.bounds), "+Inf"]
    buckets = [(bound, float(sum(counts[: place + 1]))) for place, bound in enumerate(bounds)]
    family = HistogramMetricFamily(
        "sidecar_write_to_stored_seconds",
        "From a record's write to its acknowledgement; the oldest record of each batch.",
    )
    family.add_metric([], buckets, sum_value=lag.sum_seconds)
    return family


def _build() -> dict[str, str]:
    try:
        release = version("efs-cloudwatch-sidecar")
    except PackageNotFoundError:  # run from a source tree that was never installed
        release = "unknown"
    return {"version": release, "python": platform.python_version()}

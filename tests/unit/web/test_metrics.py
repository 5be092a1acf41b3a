"""The Prometheus text, read back with Prometheus's own parser."""

from prometheus_client.parser import text_string_to_metric_families

from sidecar.health import Degradation
from sidecar.telemetry import PLAIN_TOTALS
from sidecar.web.metrics import COUNTERS, kind_of
from tests.unit.web.sample import Sidecar, source, status


def samples(sidecar: Sidecar) -> dict[str, float]:
    """Every sample by its name and labels, as in `name{label="value"}`."""
    found = {}
    for family in text_string_to_metric_families(sidecar.ask("/metrics").text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
            found[sample.name + (f"{{{labels}}}" if labels else "")] = sample.value
    return found


def test_every_total_has_its_counter() -> None:
    """A counter added to Totals is exposed too; two are the sums of labelled ones."""
    exposed = {attribute for attribute, _, _ in COUNTERS}
    assert set(PLAIN_TOTALS) - exposed == {"events_rejected", "events_filtered"}
    assert exposed <= set(PLAIN_TOTALS)


def test_counters_show_the_totals(sidecar: Sidecar) -> None:
    """Names end in _total and carry their unit."""
    sidecar.totals.events_delivered = 7
    sidecar.totals.bytes_acknowledged = 700
    sidecar.totals.count_rejected("too_old", events=2, size=20)
    sidecar.totals.count_refusal("throttled")
    found = samples(sidecar)
    assert found["sidecar_events_delivered_total"] == 7
    assert found["sidecar_acknowledged_bytes_total"] == 700
    assert found['sidecar_events_rejected_total{reason="too_old"}'] == 2
    assert found["sidecar_rejected_bytes_total"] == 20
    assert found['sidecar_requests_refused_total{kind="throttled"}'] == 1


def test_gauges_show_the_status(sidecar: Sidecar) -> None:
    """Backlog, sources by state, members and poll; optional parts only where they are known."""
    document = status(source("a"), source("b", 9), source("c", 1, "stuck"))
    document["delivery"] = {"in_flight": 3}
    sidecar.board.wake = lambda: sidecar.board.publish(document)
    found = samples(sidecar)
    assert found["sidecar_backlog_bytes"] == 12
    assert found["sidecar_backlog_oldest_seconds"] == 1.5
    assert found['sidecar_sources{state="active"}'] == 2
    assert found['sidecar_sources{state="stuck"}'] == 1
    assert found["sidecar_members_alive"] == 1
    assert found["sidecar_poll_operations_per_second"] == 2.5
    assert found["sidecar_requests_in_flight"] == 3
    assert "sidecar_memory_used_bytes" not in found


def test_a_degradation_goes_back_to_zero(sidecar: Sidecar) -> None:
    """An alarm on a series that vanished would never resolve."""
    sidecar.vitals.degrade((Degradation("denied", "PutLogEvents is not allowed"),))
    assert samples(sidecar)['sidecar_degraded{reason="denied"}'] == 1
    sidecar.vitals.degrade(())
    assert samples(sidecar)['sidecar_degraded{reason="denied"}'] == 0


def test_the_reason_is_a_word_and_not_a_text() -> None:
    """Texts hold paths and times: as labels they would grow without bound."""
    assert kind_of("denied: PutLogEvents on /ecs/a") == "denied"
    assert kind_of("denied") == "denied"
    assert kind_of("Something else: at 10:30") == "other"


def test_lags_are_cumulative_buckets(sidecar: Sidecar) -> None:
    """Each bucket counts what did not exceed it, the last one everything."""
    for seconds in (0.004, 0.02, 7200.0):
        sidecar.totals.lag.observe(seconds)
    found = samples(sidecar)
    name = "sidecar_write_to_stored_seconds"
    assert found[f'{name}_bucket{{le="0.005"}}'] == 1
    assert found[f'{name}_bucket{{le="0.025"}}'] == 2
    assert found[f'{name}_bucket{{le="3600.0"}}'] == 2
    assert found[f'{name}_bucket{{le="+Inf"}}'] == found[f"{name}_count"] == 3
    assert found[f"{name}_sum"] == 7200.024


def test_the_process_and_the_build_are_shown(sidecar: Sidecar) -> None:
    """Memory, CPU and descriptors of the process, and what is running."""
    found = samples(sidecar)
    assert found["process_resident_memory_bytes"] > 0
    assert found["process_open_fds"] > 0
    assert any(name.startswith("sidecar_build_info{") for name in found)

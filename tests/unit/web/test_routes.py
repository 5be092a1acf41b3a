"""Each address over real HTTP: statuses, shapes, and what is not allowed."""

import threading
import time

import pytest

from sidecar.health import PUMP_STALLED_SECONDS, Degradation
from tests.unit.web.sample import Sidecar, source, status


def test_status_answers_before_the_first_publish(sidecar: Sidecar) -> None:
    """A pump that is not there yet leaves a valid document of zeros."""
    reply = sidecar.ask("/status")
    assert reply.status == 200
    document = reply.json
    assert document["state"] == "running"
    assert document["backlog"] == {"bytes": 0, "oldest_seconds": 0.0, "files": 0}
    assert document["totals"]["bytes_gone"] == 0
    assert document["sources"] == document["members"] == document["degraded"] == []
    assert document["poll"] == {"operations_per_second": 0.0}
    assert document["stale_seconds"] >= 0


def test_status_is_what_the_pump_publishes_when_asked(sidecar: Sidecar) -> None:
    """Asking wakes the pump, and its answer is the reply."""
    sidecar.board.wake = lambda: sidecar.board.publish(status(source("a.log", lag=5)))
    document = sidecar.ask("/status").json
    assert document["sources"][0]["path"] == "/mnt/efs/logs/a.log"


@pytest.mark.parametrize("address", ["/status", "/", "/metrics"])
def test_a_file_name_that_is_no_utf8_is_shown(sidecar: Sidecar, address: str) -> None:
    """One file with such a name takes nobody's status away: what is no text in it is a `?`."""
    sidecar.board.publish(status(source("new-\udcff.log", 5), source("b.log", 50)))
    reply = sidecar.ask(address)
    assert reply.status == 200
    if address != "/metrics":
        assert "new-?.log" in reply.text


def test_status_can_be_short(sidecar: Sidecar) -> None:
    """With `limit`, the sources furthest behind that match, and how many there are."""
    names = [source("a.log", 5), source("b.log", 50), source("web.txt", 99, "stuck")]
    sidecar.board.publish(status(*names))
    short = sidecar.ask("/status?limit=1").json
    assert [each["stream"] for each in short["sources"]] == ["web.txt"]
    assert (short["sources_total"], short["sources_matched"]) == (3, 3)
    matched = sidecar.ask("/status?limit=10&match=.LOG").json
    assert [each["stream"] for each in matched["sources"]] == ["b.log", "a.log"]
    assert (matched["sources_total"], matched["sources_matched"]) == (3, 2)
    assert len(sidecar.ask("/status?limit=-1").json["sources"]) == 3


def test_health_is_200_while_degraded(sidecar: Sidecar) -> None:
    """An outage is told and does not fail the check: a restart would not help."""
    sidecar.vitals.beat(time.monotonic())
    sidecar.vitals.degrade((Degradation("unreachable", "CloudWatch does not answer; retrying"),))
    reply = sidecar.ask("/healthz")
    assert reply.status == 200
    assert reply.json == {
        "healthy": True,
        "reasons": [],
        "degraded": ["unreachable: CloudWatch does not answer; retrying"],
    }


def test_health_is_503_with_a_stalled_pump(sidecar: Sidecar) -> None:
    """A restart helps here, and the reason is given."""
    sidecar.vitals.beat(time.monotonic() - PUMP_STALLED_SECONDS - 5)
    reply = sidecar.ask("/healthz")
    assert reply.status == 503
    assert "pump" in reply.json["reasons"][0]


def test_readiness_follows_scan_and_drain(sidecar: Sidecar) -> None:
    """503 while starting, 200 once scanned, 503 again while draining."""
    assert sidecar.ask("/readyz").status == 503
    sidecar.vitals.first_scan_done()
    assert sidecar.ask("/readyz").status == 200
    sidecar.vitals.drain_began()
    reply = sidecar.ask("/readyz")
    assert (reply.status, reply.json["reason"]) == (503, "draining")


def test_reload_calls_back_once(sidecar: Sidecar) -> None:
    """POST is taken with 202; GET is told what is allowed."""
    assert sidecar.ask("/reload", "POST").status == 202
    assert sidecar.reloads == 1
    reply = sidecar.ask("/reload")
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")
    assert sidecar.reloads == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_reload_is_not_taken_from_other_sites(sidecar: Sidecar, headers: dict[str, str]) -> None:
    """A page elsewhere could otherwise post a form to loopback through a person's browser."""
    assert sidecar.ask("/reload", "POST", headers).status == 403
    assert sidecar.reloads == 0


def test_reload_is_taken_from_the_own_page(sidecar: Sidecar) -> None:
    """The same origin is no other site."""
    own = f"http://127.0.0.1:{sidecar.server.port}"
    headers = {"Origin": own, "Sec-Fetch-Site": "same-origin"}
    assert sidecar.ask("/reload", "POST", headers).status == 202


def test_a_failing_callback_costs_one_request(sidecar: Sidecar) -> None:
    """It is answered with 500, and the next request as ever."""

    def fail() -> None:
        raise RuntimeError("no")

    sidecar.board.wake = fail
    assert sidecar.ask("/status").status == 500
    sidecar.board.wake = lambda: None
    assert sidecar.ask("/healthz").status == 200


def test_an_unknown_address_lists_the_known_ones(sidecar: Sidecar) -> None:
    """404 helps whoever guessed."""
    reply = sidecar.ask("/nothing/here")
    assert reply.status == 404
    assert "GET /status" in reply.json["addresses"]
    assert "POST /reload" in reply.json["addresses"]


@pytest.mark.parametrize("path", ["/", "/healthz", "/metrics", "/status"])
def test_head_is_get_without_the_body(sidecar: Sidecar, path: str) -> None:
    """Status and type are as with GET."""
    head = sidecar.ask(path, "HEAD")
    assert (head.status, head.text) == (200, "")
    assert int(head.headers["Content-Length"]) > 0
    assert head.headers["Content-Type"] == sidecar.ask(path).headers["Content-Type"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_page_is_only_read(sidecar: Sidecar, method: str) -> None:
    """Other methods get 405 and what is allowed."""
    reply = sidecar.ask("/status", method)
    assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")


def test_s04_health_and_metrics_answer_while_the_pump_is_busy(sidecar: Sidecar) -> None:
    """With a pump that never publishes, every address still answers.

    Mutant: in `StatusBoard.read`, wait with `timeout=None`.
    """
    pump_stuck = threading.Event()
    sidecar.board.wake = pump_stuck.set
    for path in ("/healthz", "/metrics", "/status", "/"):
        assert sidecar.ask(path).status == 200
    assert pump_stuck.is_set()

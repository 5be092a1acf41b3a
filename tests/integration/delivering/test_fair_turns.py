"""L07: streams that are all busy get fair turns, however few requests may be under way."""

from __future__ import annotations

from pathlib import Path

from tests.integration.delivering.asking import Asked
from tests.integration.delivering.stepped import GROUP, append, settings_for, stepping

NAMES = [f"{name}.log" for name in "abcdef"]


def test_l07_no_busy_stream_waits_for_another_to_be_idle(tmp_path: Path) -> None:
    """Six files that always have a new line, one request at a time: each gets its turn.

    Catches: always beginning with the same stream, so that the last ones wait until the first
    have nothing to send, which under load is never.
    """
    destination = Asked()
    settings = settings_for(tmp_path, delivery={"in_flight": 1, "linger": "0ms"})
    with stepping(settings, destination) as sidecar:
        for number in range(10 * len(NAMES)):
            for name in NAMES:
                append(tmp_path / "logs" / name, f"line {number}\n")
            sidecar.step()
            sidecar.wake.wait(1.0)
        shipped = {name: len(destination.messages(GROUP, name)) for name in NAMES}
        assert min(shipped.values()) > 0, shipped
        sidecar.ship()

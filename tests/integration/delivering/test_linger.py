"""How long records wait for company, and when a batch of few is no use."""

from __future__ import annotations

import threading
from pathlib import Path

from sidecar.delivery.destination import Outcome
from tests.integration.delivering.asking import Asked
from tests.integration.delivering.stepped import GROUP, append, settings_for, stepping


class Gated(Asked):
    """It answers when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()
        self.answers.set()

    def put(self, group: str, stream: str, body: bytes, count: int) -> Outcome:
        assert self.answers.wait(60.0)
        return super().put(group, stream, body, count)


def test_what_waits_behind_a_batch_that_waits_is_cut_when_that_goes(tmp_path: Path) -> None:
    """A line at a time while CloudWatch takes its time for one request: when it answers, one batch
    is ready, and all that came behind it is the next.

    Catches: a batch each `linger` while none can be sent. With slow requests a memory full of such
    batches takes longer to send than it took to read.
    """
    destination = Gated()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path, delivery={"in_flight": 1})
    lines = [f"line {number}" for number in range(50)]
    with stepping(settings, destination) as sidecar:
        append(path, "first\n")
        sidecar.ship()
        puts = destination.acts["put"]
        destination.answers.clear()
        for line in lines:
            append(path, f"{line}\n")
            sidecar.step()
        assert sidecar.source("a.log")["lag_bytes"] == sum(len(line) + 1 for line in lines)
        destination.answers.set()
        sidecar.ship()

    assert destination.messages(GROUP, "a.log") == ["first", *lines]
    # What was under way, what was cut behind it, and the rest; one more where the watch is late.
    assert destination.acts["put"] - puts <= 4

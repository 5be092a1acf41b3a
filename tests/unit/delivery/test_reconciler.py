"""The reconciler's inquiries, by themselves."""

from __future__ import annotations

from array import array
from typing import cast
from unittest import mock

from sidecar.delivery.destination import Page, StoredEvent
from sidecar.delivery.reconcile import READ_SECONDS, Reconciler, Unresolved
from sidecar.delivery.sender import Answer, Query, Senders
from sidecar.model import digest, history
from sidecar.model.history import History, as_stored
from sidecar.model.journal import IntentSent
from sidecar.telemetry import Totals

TIME = 1_700_000_000_000


class Shown:
    """Senders that answer each query with what the stream holds."""

    reading = False

    def __init__(self, *held: StoredEvent) -> None:
        self._held = list(held)
        self._answers: list[Answer] = []

    def read(self, query: Query) -> None:
        self._answers.append(Answer(query, Page(self._held, "end", end=True)))

    def answers(self) -> list[Answer]:
        given, self._answers = self._answers, []
        return given


def intent(batch: int, stream: str, *messages: str) -> IntentSent:
    """Of one event a message, all of one moment."""
    crcs = digest.checksums(messages)
    count = len(messages)
    places = [array("q", range(at, at + count)) for at in (0, 1)]
    events = digest.Events(array("q", [TIME] * count), crcs, array("q", [1] * count), *places)
    return IntentSent(
        batch=batch,
        group="/g",
        stream=stream,
        spans=(),
        count=count,
        least=TIME,
        greatest=TIME,
        crc=0,
        arrival=False,
        at_ms=TIME,
        events=digest.pack(events),
        sources=(1,),
    )


def test_c02_what_was_acknowledged_is_known_until_it_is_asked_for() -> None:
    """An inquiry that has to wait for its turn is compared with what was acknowledged when it was
    opened, although the history has forgotten it since: it is found, and nothing is sent twice.

    Catches: comparing with the history of the first reading.
    """
    acknowledged, unknown = intent(1, "s", "before"), intent(2, "s", "lost reply")
    known = History()
    known.add(as_stored(acknowledged))
    senders = Shown(StoredEvent(TIME, "before"), StoredEvent(TIME, "lost reply"))
    reconciler = Reconciler(
        senders=cast(Senders, senders),
        history=known,
        totals=Totals(),
        enabled=True,
        wait=30.0,
        retention_days=None,
    )
    reconciler.ask(Unresolved(unknown, 0.0), 0.0)
    with mock.patch.object(history, "MOST_EVENTS", 1):
        for batch in (3, 4):
            known.add(as_stored(intent(batch, "s", "later")))
    assert 1 not in known.batches
    reconciler.step(0.0)
    [resolution] = reconciler.step(READ_SECONDS)
    assert (resolution.why, resolution.missing) == ("found", [])

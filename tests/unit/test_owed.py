"""What a request that came to nothing still owes, and with which times."""

from array import array

from sidecar.model.adoption import adopt
from sidecar.model.digest import Events, distinct, pack
from sidecar.model.journal import (
    BatchAbandoned,
    IntentSent,
    IntentSpan,
    Settled,
    SourceForgotten,
)
from sidecar.model.ledger import Ledger
from tests.unit.entries import claimed, delivered, fold


def sent(batch: int, at: int, *places: tuple[int, int, int]) -> IntentSent:
    """A request whose events, all of one time, have these places in the stream's sources."""
    count = len(places)
    sources, starts, ends = (array("q", column) for column in zip(*places, strict=True))
    events = Events(array("q", [at] * count), array("I", [batch] * count), sources, starts, ends)
    spans = tuple(IntentSpan(*place) for place in places)
    return IntentSent(
        batch, "/g", "s", spans, count, at, at, 0, True, at, pack(events), distinct(events)
    )


def owed(ledger: Ledger, source: int = 1) -> list[tuple[int, int, int]]:
    """Start, end and time of what is owed of a source."""
    return [
        (due.missing.start, due.missing.end, due.missing.timestamp)
        for due in ledger.owed.of(source)
    ]


def test_c02_who_came_to_nothing_or_not_to_all_owes_the_rest() -> None:
    """Not stored, stored in part, or given up: what is not settled is owed with its time.

    Catches: an intent of which nothing is kept once it is closed.
    """
    places = [(1, 0, 10), (1, 10, 20), (1, 20, 30)]
    for result, start in (
        (Settled(1, ()), 0),
        (delivered(1, 0, 10, batch=1), 10),
        (BatchAbandoned(1), 0),
    ):
        ledger = fold([claimed(1), sent(1, 500, *places), result])
        assert owed(ledger) == [(start, 30, 500)]
        assert owed(fold(list(ledger.entries()))) == [(start, 30, 500)]


def test_c02_what_is_under_way_again_or_settled_is_not_owed() -> None:
    """The next request of some of the bytes has them; they are owed by it if it fails too.

    Catches: bytes that are read again while a request with them is open.
    """
    entries = [
        claimed(1),
        sent(1, 500, (1, 0, 10), (1, 10, 20), (1, 20, 30)),
        Settled(1, ()),
        sent(2, 600, (1, 0, 10)),
    ]
    ledger = fold(entries)
    assert owed(ledger) == [(10, 30, 500)]
    ledger.apply(Settled(2, ()))
    assert owed(ledger) == [(0, 10, 600), (10, 30, 500)]
    ledger.apply(delivered(1, 10, 30))
    assert owed(ledger) == [(0, 10, 600)]
    ledger.apply(delivered(1, 0, 10))
    assert list(ledger.owed) == []


def test_c02_an_event_of_which_a_part_is_settled_is_not_owed() -> None:
    """Other rules have made other events of its bytes: what is left is read on the way.

    Catches: sending the settled part of an event once more.
    """
    ledger = fold([claimed(1), sent(1, 500, (1, 0, 10), (1, 10, 20)), Settled(1, ())])
    ledger.apply(delivered(1, 5, 10))
    assert owed(ledger) == [(10, 20, 500)]


def test_c02_what_is_owed_goes_with_its_source() -> None:
    """A take-over has it under the new number, once, however often the folder is read; with a
    source that is forgotten it is forgotten.

    Catches: a take-over that drops what was owed, or keeps it for a source that is no more.
    """
    dead = fold([claimed(4), sent(3, 500, (4, 0, 10), (4, 10, 20)), Settled(3, ())])
    ledger = fold([claimed(1, at_ms=1000)])
    adopt(ledger, dead)
    adopt(ledger, dead)
    (number,) = set(ledger.sources) - {1}
    assert owed(ledger, number) == [(0, 20, 500)]
    assert len(list(ledger.owed)) == 1
    further = fold([claimed(4), delivered(4, 0, 10)])
    adopt(ledger, further)
    (number,) = set(ledger.sources) - {1}
    assert owed(ledger, number) == [(10, 20, 500)]
    ledger.apply(SourceForgotten(number))
    assert list(ledger.owed) == []

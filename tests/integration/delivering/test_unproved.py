"""C02, W05: where asking proves nothing, all of it is sent again and counted; never lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.delivery import reconcile
from sidecar.delivery.destination import MissingTarget, Page, StoredEvent
from sidecar.model import history
from tests.integration.delivering.asking import REFUSED_READ, UNREADABLE_CLASS, Asked
from tests.integration.delivering.stepped import (
    GROUP,
    Stepped,
    append,
    fates_add_up,
    settings_for,
    stepping,
)
from tests.integration.delivering.test_reconcile import _stamp, text

Spoil = Callable[[Asked, pytest.MonkeyPatch], object]


def answering(answer: Any) -> Spoil:
    def spoil(destination: Asked, _patch: pytest.MonkeyPatch) -> None:
        destination.reading = lambda _shown: answer

    return spoil


def masked(destination: Asked, _patch: pytest.MonkeyPatch) -> None:
    """What is read is not what was written: a data protection policy."""

    def reading(answer: Any) -> Any:
        if not isinstance(answer, Page):
            return answer
        hidden = [StoredEvent(event.timestamp, "*" * 8) for event in answer.events]
        return Page(hidden, answer.token, answer.end)

    destination.reading = reading


def foreign(destination: Asked, _patch: pytest.MonkeyPatch) -> None:
    """Somebody else writes to the stream, at the same time."""

    def reading(answer: Any) -> Any:
        if not isinstance(answer, Page) or not answer.events:
            return answer
        other = StoredEvent(answer.events[0].timestamp, "somebody else's")
        return Page([other, *answer.events[1:]], answer.token, answer.end)

    destination.reading = reading


def endless(destination: Asked, _patch: pytest.MonkeyPatch) -> None:
    """More pages than are read for an intent."""
    pages = iter(range(10**6))
    destination.reading = lambda _shown: Page([], str(next(pages)), end=False)


def forgotten(_destination: Asked, patch: pytest.MonkeyPatch) -> None:
    """What was acknowledged with such timestamps is beyond what is remembered."""
    patch.setattr(history, "MOST_EVENTS", 0)


CAUSES: dict[str, Spoil] = {
    "denied": answering(REFUSED_READ),
    "refused": answering(UNREADABLE_CLASS),
    "stream_missing": answering(MissingTarget("stream")),
    "foreign_events": foreign,
    "masked": masked,
    "too_many_pages": endless,
    "history_ends": forgotten,
}
SETTINGS: dict[str, dict[str, Any]] = {
    "reconcile off": {"delivery": {"reconcile": False}},
    "INFREQUENT_ACCESS": {"create": {"class": "INFREQUENT_ACCESS"}},
}


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
@pytest.mark.parametrize("cause", [*CAUSES, *SETTINGS])
def test_c02_what_cannot_be_proved_is_sent_again_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str, killed: bool
) -> None:
    """Zero lost; `possible_duplicates` is at least what is stored twice, at most what was under
    way; the log says why. Catches: a proof believed that is none, or a resending without a count.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path, **SETTINGS.get(cause, {}))
    at = _stamp(0)
    before = [f"{at} before {number}" for number in range(5)]
    lines = [f"{at} line {number}" for number in range(20)]
    append(path, text(before))
    life = Stepped(settings, destination)
    life.ship()
    if cause in CAUSES:
        CAUSES[cause](destination, monkeypatch)
    if cause == "history_ends":
        append(path, text([f"{at} more"]))
        life.ship()
        before.append(f"{at} more")
    destination.lose("reply")
    puts = destination.acts["put"]
    append(path, text(lines))
    if killed:
        life.until(lambda: destination.acts["put"] > puts)
        life.die()
        life = Stepped(settings, destination)
    life.ship()
    counted = life.totals.possible_duplicates
    fates_add_up(life.status(), path)
    life.end()

    stored, wanted = destination.counts(GROUP, "a.log"), Counter(before + lines)
    assert not wanted - stored
    assert (stored - wanted).total() == counted == len(lines)


def test_c02_denied_reading_is_said(tmp_path: Path) -> None:
    """Without logs:GetLogEvents it ships on, and status names the permission until it is there.

    Catches: a permission that is missing without a word.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    with stepping(settings_for(tmp_path), destination) as sidecar:
        append(path, "one\n")
        sidecar.ship()
        destination.reading = lambda _shown: REFUSED_READ
        destination.lose("reply")
        append(path, "two\n")
        sidecar.ship()
        assert any("logs:GetLogEvents" in each for each in sidecar.status()["degraded"])
        destination.reading = lambda shown: shown
        sidecar.pass_time(2.0)
        append(path, f"{_stamp(4000)} three\n")
        destination.lose("reply")
        sidecar.ship()
        assert sidecar.status()["degraded"] == []


def test_c02_retention_that_has_passed_proves_nothing(tmp_path: Path) -> None:
    """Events older than the group keeps them cannot be asked for. Catches: `past_retention` left
    out."""
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path, create={"retention_days": 1})
    with stepping(settings, destination) as sidecar:
        append(path, "one\n")
        sidecar.ship()
        destination.lose("reply")
        append(path, f"{_stamp(-2 * 24 * 3600)} two\n")
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 1
        assert destination.reads == []


def test_c02_acknowledged_events_out_of_sight_make_the_missing_doubtful(tmp_path: Path) -> None:
    """Where even what was acknowledged is not shown, what is missing may be stored: counted.

    Catches: a stream that shows nothing taken for one that holds nothing.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    at = _stamp(0)
    with stepping(settings_for(tmp_path), destination) as sidecar:
        append(path, text([f"{at} one"]))
        sidecar.ship()
        destination.reading = lambda _shown: Page([], "", end=True)
        destination.lose("reply")
        append(path, text([f"{at} two"]))
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 1

    assert destination.counts(GROUP, "a.log") == {f"{at} one": 1, f"{at} two": 2}


def test_c02_pages_of_an_intent_are_bounded(tmp_path: Path) -> None:
    """At most 50 pages are read for one intent. Catches: a reading without an end."""
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    with stepping(settings_for(tmp_path), destination) as sidecar:
        append(path, "one\n")
        sidecar.ship()
        endless(destination, pytest.MonkeyPatch())
        destination.lose("reply")
        append(path, "two\n")
        sidecar.ship()

    assert len(destination.reads) == reconcile.MOST_PAGES


def test_c02_what_is_forgotten_is_no_proof(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many equal lines are acknowledged, and not remembered, as are unknown and not stored.

    They are sent, and counted. Catches: asking about times which the history does not reach.
    """
    monkeypatch.setattr(history, "MOST_EVENTS", 0)
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    line = f"{_stamp(0)} the very same"
    with stepping(settings_for(tmp_path), destination) as sidecar:
        append(path, text([line] * 2))
        sidecar.ship()
        destination.lose("request")
        append(path, text([line] * 2))
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 2

    assert destination.messages(GROUP, "a.log") == [line] * 4

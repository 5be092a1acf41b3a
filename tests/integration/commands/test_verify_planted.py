"""One event taken away, one stored again: `sidecar verify` finds each, whatever shape the files are
in, and says neither more nor less."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.commands.verify import verify
from tests.integration.commands.test_verify import Place, stamped
from tests.support.cloudwatch.batch import EVERYTHING, Batch, Content
from tests.support.shipping import GROUP, Shipping, append, lines

Scene = Callable[[Place], None]


def plain(place: Place) -> None:
    """Lines with and without a time of their own, empty and repeating ones."""
    place.ship(lines("one", 20), stamped("two", 10), ["", "x", "", "x"])


def over_long(place: Place) -> None:
    """Lines in parts, alike and unlike, and lines at the limit."""
    place.entry = {"max_event_bytes": 1000}
    place.ship(["x" * 4500, "é" * 3000], ["x" * 4500, "z" * 999, "z" * 1000, "z" * 1001])


def filtered(place: Place) -> None:
    """Lines that are alike once they are redacted, between dropped ones."""
    redact = [{"pattern": "token=\\S+", "replace": "token=…"}]
    place.entry = {"keep": ["line"], "drop": ["debug"], "redact": redact}
    place.ship([f"line {n % 5} token={n} {'debug' if n % 3 else ''}" for n in range(60)])


def grouped(place: Place) -> None:
    """Groups of lines that share most of them."""
    place.entry = {"multiline": {"start": "^\\S", "wait": "1s"}}
    place.ship("".join(f"head {n}\n  at foo()\n  at bar({n % 2})\n" for n in range(9)) + "end\n")


def compressed(place: Place) -> None:
    """Renamed when it was read to its end, compressed, and the plain file deleted."""
    with place.shipping() as shipping:
        append(place.log, [*lines("one", 20), *(["ok"] * 5)])
        shipping.settle()
        _rotate(place, shipping)
        append(place.log, [*lines("two", 7), "ok"])
        shipping.settle()
        _compress(place, 1)
        shipping.pass_time(10)
        shipping.stop()


def copied(place: Place) -> None:
    """Copied and truncated twice; the older copy is compressed."""
    with place.shipping() as shipping:
        for text in ("one", "two", "three"):
            append(place.log, [*lines(text, 9), "ok"])
            shipping.settle()
            if text == "three":
                break
            if text == "two":
                (place.logs / "a.log.1").rename(place.logs / "a.log.2")
                _compress(place, 2)
            shutil.copy2(place.log, place.logs / "a.log.1")
            shipping.settle()
            os.truncate(place.log, 0)
            shipping.pass_time(10)
        shipping.stop()


def _rotate(place: Place, shipping: Shipping) -> None:
    place.log.rename(place.logs / "a.log.1")
    append(place.log, "")
    shipping.settle()


def _compress(place: Place, number: int) -> None:
    name = place.logs / f"a.log.{number}"
    (place.logs / f"a.log.{number}.gz").write_bytes(gzip.compress(name.read_bytes()))
    name.unlink()


SCENES = [plain, over_long, filtered, grouped, compressed, copied]


@pytest.mark.parametrize("scene", SCENES)
def test_an_event_taken_away_is_one_loss(
    place: Place, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first, the last and one in the middle of the stream, one at a time.

    Would catch: a file's copy that proves nothing; lines of a group counted as events.
    """
    scene(place)
    assert _said(place, capsys) == (0, 0, 0)
    for batches, number, index in _events(place):
        everything = list(batches)
        batches[number : number + 1] = _without(everything[number], index)
        assert _said(place, capsys) == (1, 1, 0), everything[number].message(index)
        batches[:] = everything


@pytest.mark.parametrize("scene", SCENES)
def test_an_event_stored_again_is_one_duplicate(
    place: Place, scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its own time, or with that of a clock ahead of this one.

    Would catch: a window of times that ends now.
    """
    scene(place)
    for ahead_ms, (batches, number, index) in zip((0, 60_000, 0), _events(place), strict=True):
        whole = batches[number]
        event: Any = {
            "timestamp": whole.timestamps[index] + ahead_ms,
            "message": whole.message(index),
        }
        place.cloudwatch.client().put_log_events(
            logGroupName=GROUP, logStreamName="a.log", logEvents=[event]
        )
        assert _said(place, capsys) == (1, 0, 1), whole.message(index)
        batches.pop()


def _events(place: Place) -> list[tuple[list[Batch], int, int]]:
    """Where the first, the last and a middle event of the stream are stored."""
    batches = place.cloudwatch.store.stream(GROUP, "a.log").batches
    places = [(batches, n, i) for n, batch in enumerate(batches) for i in range(len(batch))]
    return [places[0], places[-1], places[len(places) // 2]]


def _without(batch: Batch, index: int) -> list[Batch]:
    """The batch with one event less; nothing where it was the only one."""
    events: list[object] = [
        {"timestamp": event.timestamp, "message": event.message}
        for number, event in enumerate(batch.events())
        if number != index
    ]
    if not events:
        return []
    left = Batch.of(
        Content.of(events),
        (0, len(events)),
        stream=batch.stream,
        number=batch.number,
        now_ms=batch.stored_at,
        visibility=EVERYTHING,
    )
    return [left]


def _said(place: Place, capsys: pytest.CaptureFixture[str]) -> tuple[int, int, int]:
    """The exit status, and how many events are lost and duplicated."""
    capsys.readouterr()
    status = verify(None, Path(place.config()), os.environ, as_json=True)
    totals = json.loads(capsys.readouterr().out)["totals"]
    return status, totals["lost"], totals["duplicated"]

"""W05, W10, S02: what becomes of a request whose answer was lost, while the sidecar lives."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sidecar.delivery.destination import Page, Throttled, Unknown
from tests.integration.delivering.asking import Asked, Shifting, now_ms, without
from tests.integration.delivering.stepped import (
    GROUP,
    Stepped,
    append,
    fates_add_up,
    settings_for,
    stepping,
)

WAIT = 30.0
"""`delivery.reconcile_wait`."""


def setting(volume: Path, mode: str = "auto", **changes: Any) -> Any:
    logs = [{"include": [f"{volume}/logs/**/*.log"], "partial": "1s", "timestamp": mode}]
    return settings_for(volume, logs=logs, **changes)


def lines(first: int, last: int, kind: str) -> list[str]:
    """Unique lines, such with times of their own, or the same two over and over."""
    if kind == "unique":
        return [f"line {number:06d}" for number in range(first, last)]
    if kind == "timed":
        return [f"{_stamp(number)} line {number:06d}" for number in range(first, last)]
    return [f"again {number % 2}" for number in range(first, last)]


def _stamp(number: int) -> str:
    moment = datetime.fromtimestamp(now_ms() / 1000 - 3600 + number, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def text(some: list[str]) -> str:
    return "".join(f"{line}\n" for line in some)


@pytest.mark.parametrize("mode", ["auto", "arrival"])
@pytest.mark.parametrize("kind", ["unique", "timed", "repeating"])
@pytest.mark.parametrize("how", ["reply", "request"])
def test_w05_lost_answer_is_asked_for_and_nothing_is_stored_twice(
    tmp_path: Path, how: str, kind: str, mode: str
) -> None:
    """Stored or not, each line is stored once; what was stored is settled without a second put.

    What was not stored is sent again only after `reconcile_wait`. Catches: a batch of unknown
    outcome that is sent again at once, or taken for stored.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    written = lines(0, 300, kind)
    with stepping(setting(tmp_path, mode), destination) as sidecar:
        append(path, text(written[:100]))
        sidecar.ship()
        destination.lose(how)
        append(path, text(written[100:200]))
        lost_at = sidecar.now
        sidecar.ship()
        took = sidecar.now - lost_at
        append(path, text(written[200:]))
        sidecar.ship()
        totals = sidecar.status()["totals"]
        fates_add_up(sidecar.status(), path)
        assert sidecar.status()["degraded"] == []

    assert destination.counts(GROUP, "a.log") == Counter(written)
    assert totals["possible_duplicates"] == 0
    assert (totals["outcomes_unknown"], totals["outcomes_resolved"]) == (1, 1)
    assert totals["events_found"] == (100 if how == "reply" else 0)
    assert totals["events_delivered"] == len(written)
    assert took >= WAIT if how == "request" else took < WAIT


def test_w05_only_what_is_missing_is_sent_again(tmp_path: Path) -> None:
    """Half of a batch is stored: the other half is sent again, with the timestamps it had.

    Catches: `missing` taken for all of the batch.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    written = lines(0, 100, "repeating")
    with stepping(setting(tmp_path), destination) as sidecar:
        append(path, text(written[:2]))
        sidecar.ship()
        destination.lose("half")
        append(path, text(written[2:]))
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0
        assert sidecar.totals.events_found == 49
        fates_add_up(sidecar.status(), path)

    assert destination.counts(GROUP, "a.log") == Counter(written)
    first, again = ([each.timestamp for each in put.events] for put in destination.puts[-2:])
    assert set(again) == set(first)


@pytest.mark.parametrize(
    "views",
    [
        [lambda i: False, lambda i: i % 2 == 0, lambda i: True],
        [lambda i: i < 30, lambda i: i >= 30],
        [lambda i: i % 3 == 0, lambda i: i % 3 == 1, lambda i: i % 3 == 2],
    ],
    ids=["later", "pieces", "disappearing"],
)
def test_w05_what_was_seen_once_is_stored(tmp_path: Path, views: list[Any]) -> None:
    """A batch shows late, piece by piece, and goes out of sight again: it is never sent again.

    Catches: a reading that replaces the one before it, instead of adding to it.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    written = lines(0, 60, "unique")
    seen = [0]

    def reading(answer: Any) -> Any:
        shown = without(views[min(seen[0], len(views) - 1)])(answer)
        seen[0] += isinstance(answer, Page) and answer.end
        return shown

    with stepping(setting(tmp_path), destination) as sidecar:
        append(path, text(["before"]))
        sidecar.ship()
        destination.reading = reading
        destination.lose("reply")
        append(path, text(written))
        sidecar.ship()
        assert sidecar.totals.events_found == 60
        assert sidecar.totals.possible_duplicates == 0

    assert destination.counts(GROUP, "a.log") == Counter(["before", *written])


@pytest.mark.parametrize(("mode", "kind"), [("auto", "timed"), ("arrival", "unique")])
def test_w05_pages_that_events_shift_between_prove_nothing(
    tmp_path: Path, mode: str, kind: str
) -> None:
    """Older events come into sight between two pages, and the second shows the first's again.

    That is neither somebody else's nor stored twice: it is read anew. Catches: a torn reading that
    is believed, or that spoils the ones after it.
    """
    destination = Shifting()
    path = tmp_path / "logs" / "a.log"
    written = lines(0, 60, kind)
    with stepping(setting(tmp_path, mode), destination) as sidecar:
        append(path, text(["before"]))
        sidecar.ship()
        destination.lose("reply")
        append(path, text(written))
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.torn
    assert destination.counts(GROUP, "a.log") == Counter(["before", *written])


def test_w05_equal_acknowledged_line_proves_nothing(tmp_path: Path) -> None:
    """The same text with the same timestamp was acknowledged before; the unknown one is not stored.

    It is sent. Catches: looking the events up instead of counting them against what was
    acknowledged.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    line = f"{_stamp(0)} the very same"
    with stepping(setting(tmp_path), destination) as sidecar:
        append(path, text([line] * 3))
        sidecar.ship()
        destination.lose("request")
        append(path, text([line] * 2))
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == [line] * 5


def test_w05_later_times_overtake_and_equal_ones_wait(tmp_path: Path) -> None:
    """While an outcome is unknown its stream goes on with other timestamps, and only with those.

    Catches: a stream that stands still for `reconcile_wait`, or a batch with the same times sent
    beside the unknown one, from which it could not be told.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    with stepping(setting(tmp_path), destination) as sidecar:
        append(path, text([f"{_stamp(0)} first"]))
        sidecar.ship()
        destination.lose("request")
        append(path, text([f"{_stamp(5)} lost"]))
        sidecar.until(lambda: sidecar.shipper.delivery.unresolved)
        append(path, text([f"{_stamp(6)} later"]))
        waited = sidecar.until(lambda: len(destination.messages(GROUP, "a.log")) == 2)
        assert waited < 15.0
        append(path, text([f"{_stamp(5)} equal"]))
        sidecar.pass_time(3.0)
        assert len(destination.messages(GROUP, "a.log")) == 2
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    shown = [message.split()[1] for message in destination.messages(GROUP, "a.log")]
    assert (shown[0], sorted(shown[1:3]), shown[3]) == ("first", ["equal", "lost"], "later")


def test_w05_reads_are_two_a_second_and_end(tmp_path: Path) -> None:
    """However many streams have lost an answer, reads are asked for one by one, at most two a
    second, and a found outcome costs one or two of them.

    Catches: a reading for each stream at once, or readings without a pause.
    """
    destination = Asked()
    settings = setting(tmp_path)
    with stepping(settings, destination) as sidecar:
        for number in range(20):
            append(tmp_path / "logs" / f"{number:02d}.log", "first\n")
        sidecar.ship()
        destination.lose("reply", times=20)
        for number in range(20):
            append(tmp_path / "logs" / f"{number:02d}.log", "second\n")
        began = sidecar.now
        sidecar.ship()
        assert 20 <= len(destination.reads) <= 40
        assert len(destination.reads) <= 2.0 * (sidecar.now - began) + 1
        assert sidecar.totals.cloudwatch_reads == len(destination.reads)
        assert sidecar.totals.possible_duplicates == 0

    for number in range(20):
        assert destination.messages(GROUP, f"{number:02d}.log") == ["first", "second"]


RESUMES = 15.0
"""Seconds after a trouble's end within which the contract lets delivery resume."""


@pytest.mark.parametrize("streams", [1, 20])
@pytest.mark.parametrize("trouble", [1.0, 10.0, 30.0])
def test_w10_short_trouble_under_full_load_does_not_outlast_itself(
    tmp_path: Path, trouble: float, streams: int
) -> None:
    """Every request of a full sidecar fails and may have stored, for some seconds: what comes
    after is delivered within 15 s, not only when all of those outcomes are known.

    Catches: a limit to the requests of unknown outcome that holds although CloudWatch answers.
    """
    destination = Asked()
    paths = [tmp_path / "logs" / f"{number:02d}.log" for number in range(streams)]
    written = 0

    def write() -> None:
        nonlocal written
        for path in paths:
            append(path, text([f"{_stamp(written)} {path.name} {written:06d}"]))
        written += 1

    with stepping(setting(tmp_path), destination) as sidecar:
        for _ in range(20):
            write()
            sidecar.ship()
        destination.losing = lambda _stream, _events: "request"
        until = sidecar.now + trouble
        while sidecar.now < until:
            write()
            sidecar.pass_time(0.5, each=0.1)
        destination.losing = lambda _stream, _events: None
        puts = len(destination.puts)
        write()
        assert sidecar.until(lambda: len(destination.puts) > puts, under_way=0.0) <= RESUMES
        sidecar.until(sidecar.settled)
        assert sidecar.totals.possible_duplicates == 0

    for path in paths:
        assert sum(destination.counts(GROUP, path.name).values()) == written


@pytest.mark.parametrize("reads_too", [True, False])
@pytest.mark.parametrize("length", [100, 8000])
def test_w10_hour_of_5xx_keeps_memory_and_counts_nothing(
    tmp_path: Path, reads_too: bool, length: int
) -> None:
    """An hour of errors that may have stored: memory within `delivery.memory`, and nothing twice.

    New lines are delivered within 15 s of its end. Catches: a probe that adds to what is unknown
    each few seconds, or an unknown batch that holds everything back.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    memory = 4 * 1024 * 1024
    written = ["first"]
    with stepping(setting(tmp_path, delivery={"memory": memory}), destination) as sidecar:
        append(path, text(written))
        sidecar.ship()
        destination.losing = lambda _stream, events: (
            "reply" if events[0].timestamp % 2 else "request"
        )
        if reads_too:
            destination.reading = lambda _answer: Unknown("503 ServiceUnavailable")
        before = destination.acts.total()
        for minute in range(60):
            more = [f"minute {minute} {n} ".ljust(length, "x") for n in range(200_000 // length)]
            written += more
            append(path, text(more))
            sidecar.pass_time(60.0, each=2.0)
            assert sidecar.shipper.delivery.memory <= memory
        assert destination.acts.total() - before <= 3600 * 2
        assert any("reconciling" in each for each in sidecar.status()["degraded"])
        destination.losing = lambda _stream, _events: None
        destination.reading = lambda answer: answer
        puts = sum(put.outcome.text.endswith("their age") for put in destination.puts)
        resumed = sidecar.until(
            lambda: sum(put.outcome.text.endswith("their age") for put in destination.puts) > puts,
            under_way=0.0,
        )
        assert resumed <= RESUMES
        sidecar.until(sidecar.settled)
        assert sidecar.totals.possible_duplicates == 0
        assert sidecar.shipper.delivery.memory == 0
        fates_add_up(sidecar.status(), path)

    assert destination.counts(GROUP, "a.log") == Counter(written)


def test_w10_while_only_asking_fails_delivery_goes_on(tmp_path: Path) -> None:
    """A burst of lost answers, and then nothing can be asked for half an hour: what is written
    after the burst is delivered meanwhile.

    Catches: a stream that stops at some number of unknown outcomes until they are known, and one
    that adds to them without end.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    written = 0

    def write() -> None:
        nonlocal written
        append(path, text([f"{_stamp(written)} {written:06d}"]))
        written += 1

    with stepping(setting(tmp_path), destination) as sidecar:
        write()
        sidecar.ship()
        destination.losing = lambda _stream, _events: "reply"
        destination.reading = lambda _answer: Throttled("Rate exceeded")
        for _ in range(120):
            write()
            sidecar.pass_time(1.0)
        assert len(destination.puts) <= 10, "without an answer of any kind the reads are the probes"
        destination.losing = lambda _stream, _events: None
        sidecar.pass_time(75.0)
        for _ in range(90):
            write()
            sidecar.pass_time(20.0)
            assert sum(destination.counts(GROUP, "a.log").values()) == written
        destination.reading = lambda answer: answer
        sidecar.until(sidecar.settled)
        assert sidecar.totals.possible_duplicates == 0

    assert sum(destination.counts(GROUP, "a.log").values()) == written


def test_w05_throttled_reads_are_asked_again(tmp_path: Path) -> None:
    """A read that is throttled or fails is no answer; the batch waits, and status says why.

    Catches: a failed reading taken for an empty one.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    with stepping(setting(tmp_path), destination) as sidecar:
        append(path, "one\n")
        sidecar.ship()
        destination.lose("reply")
        destination.reading = lambda _answer: Throttled("Rate exceeded")
        append(path, "two\n")
        sidecar.pass_time(120.0)
        assert sidecar.status()["delivery"]["unresolved"] == 1
        assert any("Rate exceeded" in each for each in sidecar.status()["degraded"])
        destination.reading = lambda answer: answer
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == ["one", "two"]


def test_s02_drain_that_cannot_ask_keeps_the_intent(tmp_path: Path) -> None:
    """At the deadline an unknown outcome is left to the next run, which resolves it: status 3.

    Catches: a drain that counts a batch of unknown outcome as settled, or that sends it again.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = setting(tmp_path, drain={"deadline": "1s", "quiet": "100ms"})
    sidecar = Stepped(settings, destination)
    append(path, "one\n")
    sidecar.ship()
    destination.lose("reply")
    destination.reading = lambda _answer: Throttled("Rate exceeded")
    append(path, "two\n")
    sidecar.until(lambda: sidecar.shipper.delivery.unresolved)
    assert sidecar.shipper.drain() == 3
    sidecar.die()
    destination.reading = lambda answer: answer
    with stepping(settings, destination) as again:
        again.ship()
        assert again.totals.possible_duplicates == 0
        assert again.shipper.drain() == 0

    assert destination.messages(GROUP, "a.log") == ["one", "two"]

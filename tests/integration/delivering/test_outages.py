"""W10, W11, C03, C05 with a destination that does as it is told: outages, silence, a bad volume."""

from __future__ import annotations

import errno
import os
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import pytest

from sidecar.delivery.destination import Outcome
from sidecar.health import REQUEST_OVERDUE_SECONDS
from sidecar.registry.file_system import FileSystem
from tests.integration.delivering.stepped import (
    GROUP,
    Stepped,
    append,
    fates_add_up,
    settings_for,
    stepping,
)
from tests.support.fake_destination import FakeDestination

MEMORY = 4 * 1024 * 1024


def now_ms() -> int:
    return int(time.time() * 1000)


class Held(FakeDestination):
    """A destination whose puts to some streams wait until they are let go, one by one or all."""

    def __init__(self) -> None:
        super().__init__(now_ms)
        self.held: set[str] = set()
        self.waiting: list[tuple[str, bytes]] = []
        self._let_go: set[bytes] = set()
        self._changed = threading.Condition()

    def put(self, group: str, stream: str, body: bytes, count: int) -> Outcome:
        with self._changed:
            if stream in self.held:
                self.waiting.append((stream, body))
                self._changed.wait_for(lambda: stream not in self.held or body in self._let_go)
        return super().put(group, stream, body, count)

    def let_go(self, body: bytes | None = None) -> None:
        """Answer the request with this body, or all of them."""
        with self._changed:
            if body is None:
                self.held.clear()
            else:
                self._let_go.add(body)
            self._changed.notify_all()


def stamped(first: int, last: int, filling: str = "") -> str:
    """Lines whose times are a millisecond apart, so that their batches may overtake each other."""
    base = now_ms() - 3_600_000
    lines = []
    for number in range(first, last):
        at = base + number
        moment = datetime.fromtimestamp(at // 1000, UTC)
        stamp = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at % 1000:03d}Z"
        lines.append(f"{stamp} line {number:06d} {filling}\n")
    return "".join(lines)


@pytest.mark.parametrize(("files", "length"), [(1, 100), (20, 100), (1, 8000), (20, 8000)])
def test_w10_hour_of_outage_with_a_busy_writer(tmp_path: Path, files: int, length: int) -> None:
    """An hour without CloudWatch: memory within `delivery.memory`, few tries, then all of it.

    Catches: reading without asking for room, or memory that is not given back.
    """
    destination = FakeDestination(now_ms)
    paths = [tmp_path / "logs" / f"{number:02d}.log" for number in range(files)]
    settings = settings_for(tmp_path, delivery={"memory": MEMORY})
    written = dict.fromkeys(paths, b"")
    with stepping(settings, destination) as sidecar:
        for path in paths:
            written[path] += append(path, "first\n")
        sidecar.ship()
        destination.down = True
        before = destination.acts.total()
        for minute in range(60):
            for path in paths:
                count = 400_000 // files // length
                text = "".join(
                    f"minute {minute} line {n} ".ljust(length, "x") + "\n" for n in range(count)
                )
                written[path] += append(path, text)
            sidecar.pass_time(60.0, each=2.0)
        assert destination.acts.total() - before <= 3600 / 4
        status = sidecar.status()
        assert status["backlog"]["bytes"] > 4 * MEMORY
        assert any(each.startswith("unreachable: ") for each in status["degraded"])
        fates_add_up(status, *paths)
        sidecar.until(sidecar.is_healthy, seconds=0.0)
        destination.down = False
        recovered = sidecar.until(lambda: destination.puts[-1].outcome.text.endswith("their age"))
        assert recovered <= 15.0
        sidecar.until(sidecar.settled)
        assert sidecar.peak_unsettled <= MEMORY
        assert sidecar.shipper.delivery.memory == 0
        assert sidecar.status()["totals"]["possible_duplicates"] == 0
        fates_add_up(sidecar.status(), *paths)

    for path in paths:
        assert destination.messages(GROUP, path.name) == written[path].decode().splitlines()


def test_w11_silent_stream_waits_and_others_go_on(tmp_path: Path) -> None:
    """One stream whose requests never answer, however many it has: the others are delivered.

    Health turns red once the requests are past their deadline. Catches: senders that one stream
    may take all of, or a verdict that does not look at the requests.
    """
    destination = Held()
    silent = tmp_path / "logs" / "silent.log"
    settings = settings_for(tmp_path, delivery={"in_flight": 4})
    with stepping(settings, destination) as sidecar:
        append(silent, stamped(0, 1))
        sidecar.ship()
        destination.held.add("silent.log")
        append(silent, stamped(1, 60_000, "x" * 60))
        sidecar.pass_time(5.0, each=0.1)
        assert destination.waiting
        for number in range(5):
            append(tmp_path / "logs" / f"{number}.log", f"line {number}\n")
        try:
            sidecar.until(lambda: all(destination.messages(GROUP, f"{n}.log") for n in range(5)))
            soon = time.monotonic()
            assert sidecar.vitals.verdict(sidecar.now).healthy
            late = sidecar.vitals.verdict(soon + REQUEST_OVERDUE_SECONDS + 1.0)
            assert any("request" in reason for reason in late.reasons)
        finally:
            destination.let_go()
        sidecar.ship()

    shown = destination.messages(GROUP, "silent.log")
    assert shown == silent.read_text(encoding="utf-8").splitlines()


def test_c03_checkpoint_waits_for_the_first_of_overtaking_answers(tmp_path: Path) -> None:
    """The second of two batches is answered first, then the process dies: the first is sent again.

    The second is not. Catches: a checkpoint that is the greatest acknowledged end.
    """
    destination = Held()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    first_life = Stepped(settings, destination)
    append(path, stamped(0, 1))
    first_life.ship()
    known = first_life.source("a.log")["acknowledged"]
    destination.held.add("a.log")
    append(path, stamped(1, 30_000, "x" * 60))
    first_life.until(lambda: len(destination.waiting) >= 2)
    overtaking = destination.waiting[1][1]
    destination.let_go(overtaking)
    first_life.until(lambda: first_life.status()["totals"]["events_delivered"] > 1)
    assert first_life.source("a.log")["acknowledged"] == known
    assert first_life.status()["totals"]["bytes_acknowledged"] > known
    first_life.die()
    overtaken = {event.message for put in destination.puts[-1:] for event in put.events}

    fresh = FakeDestination(now_ms)
    with stepping(settings, fresh) as second_life:
        second_life.ship()
        # The stream that could tell is not there any more.
        assert second_life.totals.possible_duplicates > 0
        fates_add_up(second_life.status(), path)
    destination.let_go()

    lines = path.read_text(encoding="utf-8").splitlines()
    sent = fresh.messages(GROUP, "a.log")
    assert sent == [line for line in lines[1:] if line not in overtaken]


VOLUME_CALLS = ("write", "sync", "create", "open_append", "rename")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT])
def test_c05_shipping_goes_on_when_the_state_cannot_be_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    """A full, read-only or broken state directory: everything is shipped, and it says so.

    Once it is writable again all is written down: the next life sends nothing twice. Catches: an
    OSError that ends the pump, or lines that are thrown away with the write that failed.
    """
    destination = FakeDestination(now_ms)
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    with stepping(settings, destination) as sidecar:
        append(path, "before\n")
        sidecar.ship()

        def refuse(*_: object) -> NoReturn:
            raise OSError(error, os.strerror(error))

        with monkeypatch.context() as volume:
            for name in VOLUME_CALLS:
                volume.setattr(FileSystem, name, refuse)
            for number in range(5):
                append(path, f"meanwhile {number}\n")
                sidecar.ship()
                sidecar.pass_time(10.0)
            status = sidecar.status()
            [said] = status["degraded"]
            assert said.startswith("journal: ")
            assert os.strerror(error) in said
            assert status["totals"]["journal_write_failures"] > 0
            assert status["totals"]["events_delivered"] == 6
            sidecar.until(sidecar.is_healthy, seconds=0.0)
        sidecar.pass_time(10.0)
        assert sidecar.status()["degraded"] == []
        sidecar.die()
        append(path, "after\n")
        with stepping(settings, destination) as next_life:
            next_life.ship()
            assert next_life.totals.possible_duplicates == 0

    messages = destination.messages(GROUP, "a.log")
    assert messages == ["before", *(f"meanwhile {n}" for n in range(5)), "after"]


@pytest.mark.parametrize("refused", ["POISON", "2001-01-01T00:00:00Z ancient"])
def test_c05_dead_letters_wait_for_the_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """A refused event is not settled before its dead letter is durable; other streams go on.

    Catches: bytes counted as rejected although the letter could not be written.
    """
    destination = FakeDestination(now_ms, poison="POISON")
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    with stepping(settings, destination) as sidecar:

        def refuse(*_: object) -> NoReturn:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as volume:
            for name in VOLUME_CALLS:
                volume.setattr(FileSystem, name, refuse)
            append(path, f"good\n{refused}\n")
            append(tmp_path / "logs" / "b.log", "other\n")
            sidecar.pass_time(30.0)
            assert destination.messages(GROUP, "b.log") == ["other"]
            assert sidecar.status()["totals"]["bytes_rejected"] == 0
            assert sidecar.letters() == []
        sidecar.ship()
        fates_add_up(sidecar.status(), path, tmp_path / "logs" / "b.log")

    assert destination.messages(GROUP, "a.log") == ["good"]
    assert [letter["message"] for letter in sidecar.letters()] == [refused]


def test_fates_add_up_after_a_restart(tmp_path: Path) -> None:
    """Acknowledged, rejected, filtered, gone and backlog come to the bytes that were written.

    Before and after a restart, clean or not. Catches: a counter that starts anew at 0.
    """
    destination = FakeDestination(now_ms, poison="POISON")
    log, cut = tmp_path / "logs" / "a.log", tmp_path / "logs" / "cut.log"
    logs = [{"include": [f"{tmp_path}/logs/*.log"], "drop": ["^debug"], "partial": "1s"}]
    settings = settings_for(tmp_path, logs=logs)
    with stepping(settings, destination) as sidecar:
        append(log, "one\ndebug two\nPOISON\nthree\n" * 50)
        append(cut, "four\n" * 10)
        sidecar.ship()
        destination.down = True
        gone = append(cut, "unread\n" * 3) + append(cut, "no line feed")
        sidecar.pass_time(2.0)
        cut.unlink()
        append(log, "five\n")
        sidecar.pass_time(30.0)
        destination.down = False
        sidecar.ship()
        before = sidecar.status()
    assert gone
    everything = log.stat().st_size + 50 + len(gone)
    totals = before["totals"]
    kinds = ("bytes_acknowledged", "bytes_rejected", "bytes_filtered", "bytes_gone")
    assert sum(totals[kind] for kind in kinds) + before["backlog"]["bytes"] == everything
    assert totals["bytes_rejected"] == 50 * len("POISON\n")
    assert totals["bytes_filtered"] == 50 * len("debug two\n")

    with stepping(settings, destination) as again:
        append(log, "six\n")
        again.ship()
        known = {source["path"] for source in again.status()["sources"]}
        assert str(log) in known
        of_log = again.status()["totals"]
        assert of_log["bytes_rejected"] == totals["bytes_rejected"]
        assert of_log["bytes_filtered"] == totals["bytes_filtered"]

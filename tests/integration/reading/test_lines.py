"""L01 to L04 and L07: what one line becomes, however it was written."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from tests.support.shipping import GROUP, Shipping, append, everything_is_settled, lines, text

PART = re.compile(r"\[part (\d+)(, last,)? of ([0-9a-f]{12})\] ")


def joined(messages: list[str]) -> list[str]:
    """The lines that the parts among `messages` were, and the messages that are no parts."""
    whole: list[str] = []
    open_id, expected = "", 1
    for message in messages:
        found = PART.match(message)
        if found is None:
            assert not open_id, "a line's last part is missing"
            whole.append(message)
            continue
        number, last, of = int(found[1]), found[2], found[3]
        if number == 1:
            assert not open_id, "a line begins inside another"
            whole.append("")
            open_id, expected = of, 1
        assert (of, number) == (open_id, expected), "parts out of order"
        whole[-1] += message[found.end() :]
        expected += 1
        if last:
            open_id = ""
    assert not open_id, "a line without its last part"
    return whole


def test_l01_lines_in_events_out(tmp_path: Path) -> None:
    """Each line is one event, in order; a CR before the LF goes, others stay; an empty line is
    one space; nothing is trimmed.

    Catches: `strip()` in place of taking the line end off; dropping empty lines by default.
    """
    append(tmp_path / "logs/a.log", b"one\r\n\n  two  \r\n\r\nth\rree\nfour\r\r\n\tfive\n")
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        expected = ["one", " ", "  two  ", " ", "th\rree", "four\r", "\tfive"]
        assert sidecar.messages("a.log") == expected


def test_l01_empty_lines_may_be_dropped(tmp_path: Path) -> None:
    """With `empty_lines: drop` they are filtered: no event, counted, and their bytes settled.

    Catches: not settling the bytes of dropped lines, which leaves a backlog for ever.
    """
    log = tmp_path / "logs/a.log"
    append(log, b"\n\none\n\r\ntwo\n\n")
    with Shipping(tmp_path, entry={"empty_lines": "drop"}) as sidecar:
        sidecar.settle()
        assert sidecar.messages("a.log") == ["one", "two"]
        assert sidecar.totals.events_filtered == 4
        everything_is_settled(sidecar.status(), log.stat().st_size)


def test_l01_a_file_of_dropped_lines_alone_is_not_read_again(tmp_path: Path) -> None:
    """Filtered bytes move the checkpoint although nothing was ever sent.

    Catches: journalling a filtered range only with the next acknowledgement.
    """
    log = tmp_path / "logs/a.log"
    append(log, b"\n\n\n")
    with Shipping(tmp_path, entry={"empty_lines": "drop"}) as sidecar:
        sidecar.settle()
        sidecar.restart(clean=False)
        sidecar.settle()
        assert sidecar.totals.events_filtered == 0
        everything_is_settled(sidecar.status(), 3)


@pytest.mark.parametrize("restarts", [False, True])
def test_l02_partial_line_over_many_writes(tmp_path: Path, restarts: bool) -> None:
    """A line written byte by byte, cut inside characters and inside CRLF, is one event at its
    line feed, also when the sidecar is restarted between any two of the writes.

    Catches: shipping what a read ended with; keeping the beginning of a line in memory alone.
    """
    log = tmp_path / "logs/a.log"
    line = "grüße €100 😀 …"
    with Shipping(tmp_path) as sidecar:
        append(log, ["before"])
        for byte in (line + "\r\n").encode():
            assert sidecar.messages("a.log") in ([], ["before"])
            append(log, bytes([byte]))
            if restarts:
                sidecar.restart(clean=byte % 2 == 0)
            sidecar.settle()
        append(log, ["after"])
        sidecar.settle()
        assert sidecar.messages("a.log") == ["before", line, "after"]
        assert sidecar.totals.invalid_lines == 0


def test_l02_partial_line_of_a_living_file_is_no_backlog(tmp_path: Path) -> None:
    """While its file lives, an incomplete line is neither shipped, however long it lasts, nor
    backlog; a drain leaves it in place and ends with 0.

    Catches: shipping a last line after `partial` without asking whether its file is finished.
    """
    log = tmp_path / "logs/a.log"
    append(log, "whole\npart")
    with Shipping(tmp_path) as sidecar:
        sidecar.pass_time(300)
        assert sidecar.messages("a.log") == ["whole"]
        assert sidecar.status()["backlog"]["bytes"] == 0
        assert sidecar.restart() == 0
        append(log, "ial\n")
        sidecar.settle()
        assert sidecar.messages("a.log") == ["whole", "partial"]


@pytest.mark.parametrize("turn", [256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1])
def test_l02_line_and_character_across_two_reads(tmp_path: Path, turn: int) -> None:
    """A character that lies across the end of a read of 256 KiB comes out whole.

    Catches: assembling what a read gave up to its last byte instead of its last line feed.
    """
    filler = "x" * (turn - 3)
    messages = [filler, "€" * 100, "end"]
    append(tmp_path / "logs/a.log", messages)
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        assert sidecar.messages("a.log") == messages


@pytest.mark.parametrize("end", ["rotated", "deleted"])
@pytest.mark.parametrize("restarts", [False, True])
def test_l03_final_line_without_line_feed(tmp_path: Path, end: str, restarts: bool) -> None:
    """A finished file's last line is shipped once, after `partial` of quiet; before that it waits.
    It is not shipped again after a restart.

    Catches: never passing `finished`; asking for `renamed_away` alone, or for `deleted` alone.
    """
    log = tmp_path / "logs/a.log"
    append(log, "whole\nwithout line feed")
    with Shipping(tmp_path, entry={"partial": "10s"}) as sidecar:
        sidecar.settle()
        if end == "rotated":
            log.rename(tmp_path / "logs/a.log.1")
            append(log, ["next file"])
        else:
            log.unlink()
        sidecar.settle()
        assert "without line feed" not in sidecar.messages("a.log")
        sidecar.pass_time(15)
        assert sorted(sidecar.messages("a.log")).count("without line feed") == 1
        if restarts:
            sidecar.restart(clean=False)
            sidecar.pass_time(15)
        expected = ["whole", "without line feed"] + ["next file"] * (end == "rotated")
        assert sorted(sidecar.messages("a.log")) == sorted(expected)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("late", [b"\n", b"\r\n"])
def test_l03_late_line_feed_is_no_line(tmp_path: Path, restarts: bool, late: bytes) -> None:
    """The line feed that arrives after its line was shipped without it makes no event; what is
    behind it is an event of its own.

    Catches: forgetting, over a restart, that the last line had no line end.
    """
    log, rotated = tmp_path / "logs/a.log", tmp_path / "logs/a.log.1"
    append(log, "whole\nwithout")
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        log.rename(rotated)
        sidecar.pass_time(1.5)
        assert sidecar.messages("a.log") == ["whole", "without"]
        if restarts:
            sidecar.restart()
        append(rotated, late + b"another\n")
        sidecar.pass_time(5)
        assert sidecar.messages("a.log") == ["whole", "without", "another"]


@pytest.mark.parametrize("over", [-1, 0, 1])
@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
def test_l04_exactly_at_the_limit(tmp_path: Path, over: int, letter: str) -> None:
    """A line of exactly `max_event_bytes` is one event, one byte more makes parts that join to
    the line, none over the limit, none with half a character; the next line survives.

    Catches: `>=` for `>`; counting characters; cutting at any byte.
    """
    limit = 1000
    size = limit + over
    line = letter * (size // len(letter.encode()))
    line += "y" * (size - len(line.encode()))
    append(tmp_path / "logs/a.log", ["before", line, "after"])
    with Shipping(tmp_path, entry={"max_event_bytes": limit}) as sidecar:
        sidecar.settle()
        messages = sidecar.messages("a.log")
        assert (len(messages) == 3) == (over <= 0)
        assert joined(messages) == ["before", line, "after"]
        assert max(len(message.encode()) for message in messages) <= limit


@pytest.mark.parametrize("clean", [True, False])
def test_l04_restart_inside_an_oversize_line(tmp_path: Path, clean: bool) -> None:
    """A line that grows over many limits while the sidecar is restarted in its middle comes out
    as one row of parts, with one timestamp and one ID; a kill repeats nothing that had arrived.

    Catches: resuming inside a line as though a line began there; numbering parts anew.
    """
    log = tmp_path / "logs/a.log"
    pieces = [f"<{number:04d}>" * 150 for number in range(8)]
    append(log, ["before"])
    with Shipping(tmp_path, entry={"max_event_bytes": 700}) as sidecar:
        for piece in pieces:
            append(log, piece)
            sidecar.settle()
            sidecar.restart(clean=clean)
            sidecar.settle()
        append(log, "\nafter\n")
        sidecar.settle()
        assert joined(sidecar.messages("a.log")) == ["before", "".join(pieces), "after"]
        parts = [e for e in sidecar.fake.events(GROUP, "a.log") if PART.match(e.message)]
        assert len({event.timestamp for event in parts}) == 1


def test_l04_ten_megabytes_without_a_line_feed(tmp_path: Path) -> None:
    """A line of 10 MB written in pieces goes out in parts as it grows, with little in memory and
    without reading the same bytes over and over; other files go on.

    Catches: waiting for the line feed before anything is shipped; reading from the line's start.
    """
    log = tmp_path / "logs/long.log"
    piece = "0123456789abcdef" * 16 * 1024
    with Shipping(tmp_path) as sidecar:
        append(log, ["before"])
        peak = 0
        for number in range(40):
            append(log, piece)
            append(tmp_path / "logs/other.log", [f"other {number}"])
            sidecar.settle()
            peak = max(peak, sidecar.source("long.log").unread)
        append(log, "\nafter\n")
        sidecar.settle()
        assert joined(sidecar.messages("long.log")) == ["before", piece * 40, "after"]
        assert len(sidecar.messages("other.log")) == 40
        assert peak < 2_000_000
        assert sidecar.totals.read_bytes < 4 * log.stat().st_size


def test_l07_burst_of_a_hundred_thousand_lines(tmp_path: Path) -> None:
    """100,000 lines at once are all there, in order, none twice.

    Catches: losing the remainder of a portion when a batch is full.
    """
    burst = lines("burst", 100_000)
    log = tmp_path / "logs/a.log"
    append(log, burst)
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        assert sidecar.messages("a.log") == burst
        everything_is_settled(sidecar.status(), log.stat().st_size)


def test_l07_busy_files_get_fair_turns(tmp_path: Path) -> None:
    """Beside three files with megabytes to read, a small file is shipped within two steps of being
    found, and the three keep level.

    Catches: reading one file to its end before the next gets a turn.
    """
    busy = lines("busy " + "x" * 200, 30_000)
    for name in "abc":
        append(tmp_path / f"logs/{name}.log", busy)
    with Shipping(tmp_path) as sidecar:
        sidecar.step()
        append(tmp_path / "logs/small.log", ["small"])
        sidecar.step(1.0)
        positions = [sidecar.source(f"{name}.log").position for name in "abc"]
        assert max(positions) - min(positions) <= 512 * 1024
        assert max(positions) < len(text(busy)) / 2, "too little was written for a contest"
        assert sidecar.source("small.log").position == len("small\n")
        sidecar.settle()
        for name in "abc":
            assert sidecar.messages(f"{name}.log") == busy


def test_l02_arrival_times_never_go_back(tmp_path: Path) -> None:
    """Lines without a time of their own are shown in the file's order over several batches.

    Catches: stamping each batch with the wall clock without looking at the one before.
    """
    log = tmp_path / "logs/a.log"
    expected: list[str] = []
    with Shipping(tmp_path) as sidecar:
        for number in range(30):
            append(log, more := lines(f"write {number}", 3))
            expected += more
            sidecar.step()
        sidecar.settle()
        assert sidecar.messages("a.log") == expected
        newest = sidecar.fake.events(GROUP, "a.log")[-1].timestamp
        assert newest <= time.time() * 1000 + 1000

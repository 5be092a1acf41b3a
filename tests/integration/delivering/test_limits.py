"""W01, W02, W09: what a request may hold, its order and span, and names, at the exact bounds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sidecar.delivery import encode
from tests.integration.delivering.stepped import GROUP, append, settings_for, stepping
from tests.support.fake_destination import FakeDestination

DAY_MS = 24 * 3600 * 1000


def now_ms() -> int:
    return int(time.time() * 1000)


def iso(at_ms: int) -> str:
    """A time as log lines write it, to the millisecond."""
    moment = datetime.fromtimestamp(at_ms / 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03d}Z"


@pytest.fixture
def destination() -> FakeDestination:
    """A lawful CloudWatch in memory; an unlawful batch is an assertion there, seen as no answer."""
    return FakeDestination(now_ms)


def batches(destination: FakeDestination) -> list[tuple[int, int]]:
    """Count and size, as CloudWatch counts it, of each batch after the first line's."""
    sizes = [[len(event.message.encode()) for event in put.events] for put in destination.puts]
    assert [put.events[0].message for put in destination.puts[:2]] == ["first"] * 2
    assert sizes[0] == sizes[1], "the stream is made first, then the line is sent again"
    return [(len(each), encode.batch_bytes(each)) for each in sizes[2:]]


@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
@pytest.mark.parametrize("over", [-1, 0, 1])
def test_w01_batch_is_filled_to_the_last_byte(
    tmp_path: Path, destination: FakeDestination, letter: str, over: int
) -> None:
    """A batch holds 1,048,576 bytes of UTF-8 + 26 an event and not one more.

    Catches: counting characters for bytes, `>=` for `>` against the room, 25 for 26 an event.
    """
    lines = 100
    whole = encode.MAX_BATCH_BYTES - lines * encode.EVENT_OVERHEAD + over
    each = whole // lines // 4 * 4
    texts = [letter * (each // len(letter.encode()))] * (lines - 1)
    texts = [text.ljust(len(text) + each - len(text.encode()), "x") for text in texts]
    texts.append("y" * (whole - sum(len(text.encode()) for text in texts)))

    with stepping(settings_for(tmp_path, delivery={"linger": "1h"}), destination) as sidecar:
        append(tmp_path / "logs" / "a.log", "first\n")
        sidecar.ship()
        append(tmp_path / "logs" / "a.log", "\n".join(texts) + "\n")
        sidecar.until(lambda: sidecar.status()["totals"]["read_bytes"] > whole)
        sidecar.pass_time(1.0)
        cut_when_full = batches(destination)
        sidecar.pass_time(3700.0, each=100.0)
        sidecar.until(sidecar.settled)

    full = (lines, encode.MAX_BATCH_BYTES + over) if over <= 0 else None
    if over < 0:
        assert cut_when_full == [], "one byte of room is left, so it waits"
        assert batches(destination) == [full]
    elif over == 0:
        assert cut_when_full == [full]
        assert batches(destination) == [full]
    else:
        assert [count for count, _ in cut_when_full] == [lines - 1]
        assert [count for count, _ in batches(destination)] == [lines - 1, 1]
    assert destination.messages(GROUP, "a.log") == ["first", *texts]


@pytest.mark.parametrize("lines", [9_999, 10_000, 10_001, 20_001])
def test_w01_batch_holds_10000_events(
    tmp_path: Path, destination: FakeDestination, lines: int
) -> None:
    """A batch holds 10,000 events and not one more, however short they are.

    Catches: `MAX_EVENTS` 10_001, or a cut by bytes alone.
    """
    texts = [str(number % 10) for number in range(lines)]
    with stepping(settings_for(tmp_path, delivery={"linger": "1h"}), destination) as sidecar:
        append(tmp_path / "logs" / "a.log", "first\n")
        sidecar.ship()
        append(tmp_path / "logs" / "a.log", "\n".join(texts) + "\n")
        sidecar.until(lambda: sidecar.status()["totals"]["read_bytes"] >= 2 * lines)
        sidecar.pass_time(3700.0, each=100.0)
        sidecar.until(sidecar.settled)

    full, rest = divmod(lines, 10_000)
    assert [count for count, _ in batches(destination)] == [10_000] * full + [rest] * bool(rest)
    assert destination.messages(GROUP, "a.log") == ["first", *texts]


def test_w01_largest_event_fills_a_batch_alone(
    tmp_path: Path, destination: FakeDestination
) -> None:
    """The longest event the configuration allows is one event of one batch, byte for byte.

    Catches: an event limit that forgets the 26 bytes (the batch would be refused for ever).
    """
    logs = [{"include": [f"{tmp_path}/logs/*.log"], "max_event_bytes": encode.MAX_MESSAGE_BYTES}]
    longest = "x" * encode.MAX_MESSAGE_BYTES
    append(tmp_path / "logs" / "a.log", f"a\n{longest}\nb\n")
    with stepping(settings_for(tmp_path, logs=logs), destination) as sidecar:
        sidecar.ship()

    assert destination.messages(GROUP, "a.log") == ["a", longest, "b"]


def test_w02_order_is_chronological_and_equal_times_keep_file_order(
    tmp_path: Path, destination: FakeDestination
) -> None:
    """Lines whose times go back and forth arrive sorted by time, equal ones as in the file.

    Catches: a sort with the message as second key, or none at all.
    """
    base = now_ms() - 3_600_000
    order = [5, 3, 3, 9, 0, 3, 9, 1]
    lines = [f"{iso(base + step)} {chr(122 - n)}" for n, step in enumerate(order)]
    append(tmp_path / "logs" / "a.log", "\n".join(lines) + "\n")
    with stepping(settings_for(tmp_path), destination) as sidecar:
        sidecar.ship()
        assert sidecar.status()["totals"]["events_rejected"] == 0

    expected = [line for _, line in sorted(zip(order, lines, strict=True), key=lambda p: p[0])]
    assert [put.events for put in destination.puts][-1] == destination.events(GROUP, "a.log")
    assert destination.messages(GROUP, "a.log") == expected


@pytest.mark.parametrize("first", ["old", "new"])
@pytest.mark.parametrize(("over", "parts"), [(-1, [2]), (0, [2]), (1, [1, 1])])
def test_w02_span_is_24_hours_exactly(
    tmp_path: Path, destination: FakeDestination, over: int, parts: list[int], first: str
) -> None:
    """Two events 24 hours apart share a batch; a millisecond more parts them.

    Catches: `>=` for `>` in the parting by span, or a span of 24 hours and 1 ms.
    """
    base = now_ms() - 2 * DAY_MS
    lines = [f"{iso(base)} old", f"{iso(base + DAY_MS + over)} new"]
    in_file = lines if first == "old" else lines[::-1]
    append(tmp_path / "logs" / "a.log", "\n".join(in_file) + "\n")
    with stepping(settings_for(tmp_path), destination) as sidecar:
        sidecar.ship()

    stored = [len(put.events) for put in destination.puts if "stored" in put.outcome.text]
    assert stored == parts
    assert destination.messages(GROUP, "a.log") == lines


def test_w02_times_over_many_days_in_any_order(
    tmp_path: Path, destination: FakeDestination
) -> None:
    """A file that jumps between ten days arrives whole, each batch lawful, and settles every byte.

    Catches: spans parted by neighbours in the file, where only the sorted order tells.
    """
    base = now_ms() - 11 * DAY_MS
    times = [base + (n * 7 % 10) * DAY_MS + n for n in range(500)]
    lines = [f"{iso(at)} line {n}" for n, at in enumerate(times)]
    path = tmp_path / "logs" / "a.log"
    append(path, "\n".join(lines) + "\n")
    with stepping(settings_for(tmp_path), destination) as sidecar:
        sidecar.ship()
        assert sidecar.source("a.log")["acknowledged"] == path.stat().st_size

    by_time = [line for _, line in sorted(zip(times, lines, strict=True))]
    assert destination.messages(GROUP, "a.log") == by_time


AWKWARD = [
    "a:b*c.log",
    "new\nline.log",
    "tab\there.log",
    "ü/日本.log",
    "..log",
    "a b/$(x) {task}.log",
]


def test_w09_any_file_name_becomes_a_lawful_stream_of_its_group(
    tmp_path: Path, destination: FakeDestination
) -> None:
    """Names with `:`, `*`, control characters or braces, and over 512, are shipped lawfully.

    What an attacker puts in a name stays inside the configured group. Catches: a stream name
    without its sanitising, or one cut at the end where long paths differ.
    """
    deep = "/".join(["d" * 100] * 6)
    names = [*AWKWARD, f"{deep}/one.log", f"{deep}/two.log", f"{'e' * 240}/{'f' * 240}/g.log"]
    for name in names:
        append(tmp_path / "logs" / name, f"from {name!r}\n")
    with stepping(settings_for(tmp_path), destination) as sidecar:
        sidecar.ship()
        assert sidecar.status()["degraded"] == []

    streams = destination.streams(GROUP)
    assert len(streams) == len(names)
    assert max(map(len, streams)) == 512
    shipped = {text for stream in streams for text in destination.messages(GROUP, stream)}
    assert shipped == {f"from {name!r}" for name in names}
    assert {put.group for put in destination.puts} == {GROUP}


def test_w09_two_names_that_become_one_share_the_stream(
    tmp_path: Path, destination: FakeDestination
) -> None:
    """`a:b` and `a*b` are both `a_b`: nothing of either is lost.

    Catches: a stream taken as the key of a file.
    """
    append(tmp_path / "logs" / "a:b.log", "one\ntwo\n")
    append(tmp_path / "logs" / "a*b.log", "three\nfour\n")
    with stepping(settings_for(tmp_path), destination) as sidecar:
        sidecar.ship()

    assert destination.streams(GROUP) == ["a_b.log"]
    texts = destination.messages(GROUP, "a_b.log")
    assert sorted(texts) == ["four", "one", "three", "two"]
    assert texts.index("one") < texts.index("two")
    assert texts.index("three") < texts.index("four")

"""L04: lines longer than an event may be."""

from __future__ import annotations

import hashlib
import re

import pytest

from sidecar.model.assembler import Assembler
from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.records import Resume
from tests.unit.assembler.feeds import NOW, STREAM, assembler, messages_of, records_of

PREFIX = re.compile(r"\[part (\d+)(, last,)? of ([0-9a-f]{12})\] ")


def joined(messages: list[str]) -> str:
    """The line that the parts are of."""
    return "".join(PREFIX.sub("", message, count=1) for message in messages)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b""])
def test_l04_at_the_limit_and_on_either_side(line_end: bytes) -> None:
    """Up to the limit a line is one event, one byte more and it is two parts.

    Caught: comparing with ``>=``.
    """
    for size, events in ((255, 1), (256, 1), (257, 2)):
        messages = messages_of(b"x" * size + line_end + b"next\n", max_event_bytes=256)
        if not line_end:
            messages = messages_of(b"x" * size, max_event_bytes=256)
        else:
            assert messages.pop() == "next"
        assert len(messages) == events
        assert joined(messages) == "x" * size


def test_l04_parts_are_named_as_the_contract_says() -> None:
    """First, middle and last parts have their prefixes, one ID, one time, and fit the limit.

    Caught: numbering from 0, or an ID of the part's own offset.
    """
    line = "2026-11-23T08:58:49.123Z " + "x" * 600
    data = b"before\n" + line.encode() + b"\nafter\n"
    records = records_of(data, max_event_bytes=256, timestamp="auto")
    identifier = hashlib.sha256(f"{STREAM}:7".encode()).hexdigest()[:12]
    parts = records.messages[1:-1]
    assert [PREFIX.match(part)[0] for part in parts] == [  # type: ignore[index]
        f"[part 1 of {identifier}] ",
        f"[part 2 of {identifier}] ",
        f"[part 3, last, of {identifier}] ",
    ]
    assert joined(parts) == line
    assert len(set(records.timestamps[1:])) == 1
    assert max(records.sizes) <= 256
    assert records.messages[-1] == "after"


def test_l04_parts_end_between_characters() -> None:
    """No part ends inside a character, in UTF-8 or in another encoding.

    Caught: cutting at the byte of the limit.
    """
    line = "€𝄞é" * 100
    for encoding in ("utf-8", "utf-16-le", "gb18030"):
        records = records_of((line + "\n").encode(encoding), max_event_bytes=256, encoding=encoding)
        assert joined(records.messages) == line
        assert records.invalid == 0
        assert max(records.sizes) <= 256
        assert min(records.sizes[:-1]) > 256 - len("[part 10, last, of 0123456789ab] ") - 8


def test_l04_ten_megabytes_without_line_feed_keep_memory_bounded() -> None:
    """Parts go out before the line's end is seen: no more than a window stays unconsumed.

    Caught: waiting for the line feed.
    """
    rules = AssemblyRules.of(timestamp="arrival")
    line = b"0123456789" * 1_000_000
    data = line + b"\nafter\n"
    tail = Assembler(rules, stream=STREAM)
    messages: list[str] = []
    consumed = 0
    for size in [*range(1 << 20, len(data), 1 << 20), len(data)]:
        assert size - consumed <= rules.window + (1 << 20)
        records = tail.feed(data[consumed:size], consumed, NOW)
        messages += records.messages
        consumed = records.consumed
    assert messages.pop() == "after"
    assert joined(messages).encode() == line
    assert len(messages) == 11


def test_l04_a_line_that_may_still_fit_waits() -> None:
    """A carriage return or half a character at the end proves nothing about the length.

    Caught: counting the carriage return of a line end that is not all there.
    """
    for rest in (b"\r", b"\xe2\x82"):
        tail = assembler(max_event_bytes=256)
        assert tail.feed(b"x" * 256 + rest, 0, NOW).consumed == 0
    assert assembler(max_event_bytes=256).feed(b"x" * 257, 0, NOW).messages != []


def test_l04_a_restart_inside_a_line_goes_on_with_the_next_part() -> None:
    """The checkpoint between two parts and its Resume give the parts that were still to come.

    Caught: taking the rest for a line of its own.
    """
    data = b"x" * 1000 + b"\nafter\n"
    at_once = records_of(data, max_event_bytes=256)
    first_end = at_once.ends[0]
    resume = at_once.resumes[first_end]
    assert resume == Resume(line_start=0, part=2, timestamp=-1, arrival=NOW)
    again = Assembler(
        AssemblyRules.of(timestamp="arrival", max_event_bytes=256), stream=STREAM, resume=resume
    )
    records = again.feed(data[first_end:], first_end, NOW)
    assert records.messages == at_once.messages[1:]
    assert records.ends == at_once.ends[1:]


def test_l04_one_time_for_all_parts_across_a_restart() -> None:
    """Parts of a line without a time carry that of the event before, after a restart too.

    Caught: not taking the timestamp from the Resume.
    """
    rules = AssemblyRules.of(max_event_bytes=256)
    data = b"1795424329 before\n" + b"x" * 600 + b"\nafter\n"
    at_once = Assembler(rules, stream=STREAM).feed(data, 0, NOW)
    assert set(at_once.timestamps) == {1_795_424_329_000}
    end = at_once.ends[1]
    again = Assembler(rules, stream=STREAM, resume=at_once.resumes[end])
    assert set(again.feed(data[end:], end, NOW).timestamps) == {1_795_424_329_000}


def test_l04_the_time_of_a_long_json_line_is_its_own() -> None:
    """Though it cannot be parsed before it ends: the top-level key counts, no inner one.

    Caught: searching for the key anywhere in the text.
    """
    line = b'{"a":{"ts":1},"b":"\\"ts\\":2","ts":1795424329.5,"c":"' + b"x" * 400 + b'"}\n'
    records = records_of(line, max_event_bytes=256, timestamp="auto")
    assert set(records.timestamps) == {1_795_424_329_500}
    assert records.broken_json == 0


def test_l04_invalid_bytes_in_a_long_line() -> None:
    """What is replaced grows, and the parts fit nonetheless and rejoin to the replaced line.

    Caught: measuring parts in the source's bytes.
    """
    raw = b"ab\xff\xe2\x82" * 100
    records = records_of(raw + b"\n", max_event_bytes=256)
    assert joined(records.messages) == raw.decode(errors="replace")
    assert max(records.sizes) <= 256
    assert records.invalid == len(records)


def test_l04_a_dropped_long_line_is_dropped_to_its_end() -> None:
    """Its first part decides, and a restart inside it does not ship the rest.

    Caught: keeping no Resume for filtered ranges.
    """
    tail = assembler(max_event_bytes=256, drop=["^DEBUG"])
    data = b"DEBUG " + b"x" * 900 + b"\nnext\n"
    first = tail.feed(data[:500], 0, NOW)
    assert first.messages == []
    assert first.filtered == [(0, 500)]
    assert first.filtered_events == {"drop": 1}
    resume = first.resumes[500]
    again = Assembler(
        AssemblyRules.of(max_event_bytes=256, drop=["^DEBUG"], timestamp="arrival"),
        stream=STREAM,
        resume=resume,
    )
    rest = again.feed(data[500:], 500, NOW)
    assert rest.messages == ["next"]
    assert rest.filtered == [(500, 907)]
    assert rest.filtered_events == {}


def test_l04_a_line_at_the_limit_beside_a_longer_one() -> None:
    """It is one event all the same.

    Caught: splitting it when the block holds a longer line.
    """
    messages = messages_of(b"x" * 256 + b"\n" + b"y" * 257 + b"\n", max_event_bytes=256)
    assert messages[0] == "x" * 256
    assert len(messages) == 3


def test_l04_a_line_end_in_two_reads_is_no_part_of_a_long_line() -> None:
    """The carriage return that a read ends with belongs to the line feed of the next.

    Caught: shipping the carriage return with a part.
    """
    for size in range(258, 700):
        tail = assembler(max_event_bytes=256)
        data = b"x" * size + b"\r\nafter\n"
        before = tail.feed(data[: size + 1], 0, NOW)
        after = tail.feed(data[before.consumed :], before.consumed, NOW)
        messages = before.messages + after.messages
        assert messages.pop() == "after"
        assert joined(messages) == "x" * size


def test_l04_a_dropped_long_line_keeps_the_time_before_it() -> None:
    """What follows a restart inside it takes the time of the last event that was shipped.

    Caught: a Resume of a dropped line without that time.
    """
    rules = AssemblyRules.of(max_event_bytes=256, drop=["^DEBUG"])
    data = b"1795424329 before\nDEBUG " + b"x" * 900
    first = Assembler(rules, stream=STREAM).feed(data, 0, NOW)
    again = Assembler(rules, stream=STREAM, resume=first.resumes[first.consumed])
    rest = again.feed(b"x\nafter\n", first.consumed, NOW)
    assert rest.timestamps == [1_795_424_329_000]

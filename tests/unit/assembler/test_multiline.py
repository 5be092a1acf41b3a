"""G01 and G02: events of several lines."""

from __future__ import annotations

from typing import Any

from sidecar.model.assembler import Assembler
from sidecar.model.assembly_rules import AssemblyRules
from tests.unit.assembler.feeds import NOW, STREAM, assembler, records_of

GROUPED: dict[str, Any] = {"multiline": {"start": r"^\S"}}
TRACE = b"ERROR boom\r\n  at one\r\n\r\n  at two\r\nINFO next\r\n"


def test_g01_a_start_groups_and_the_next_start_closes() -> None:
    """A stack trace is one event, joined with line feeds; the group behind stays open.

    Caught: closing a group at an empty line, or at the end of the data.
    """
    records = assembler(**GROUPED).feed(TRACE, 0, NOW)
    assert records.messages == ["ERROR boom\n  at one\n\n  at two"]
    assert records.sizes == [len(records.messages[0])]
    assert (records.starts, records.ends) == ([0], [TRACE.index(b"INFO")])
    assert records.consumed == TRACE.index(b"INFO")


def test_g01_the_wait_closes_a_group() -> None:
    """With ``close`` the open group is an event; a line that comes later is another.

    Caught: ignoring ``close``.
    """
    tail = assembler(**GROUPED)
    assert tail.feed(b"a\n b\n c", 0, NOW).messages == []
    closed = tail.feed(b"a\n b\n c", 0, NOW, close=True)
    assert closed.messages == ["a\n b"]
    assert closed.consumed == 5
    assert tail.feed(b" c\n", 5, NOW, close=True).messages == [" c"]


def test_g01_lines_before_the_first_start_are_a_group() -> None:
    """They have no start to belong to, and stay together.

    Caught: dropping them, or shipping each by itself.
    """
    assert records_of(b" x\n y\na\n b\n", **GROUPED).messages == [" x\n y", "a\n b"]


def test_g01_a_group_is_bounded_in_lines() -> None:
    """What overflows ``max_lines`` becomes the next event.

    Caught: letting one line more in.
    """
    data = b"a\n" + b" b\n" * 4
    records = records_of(data, multiline={"start": r"^\S", "max_lines": 2})
    assert records.messages == ["a\n b", " b\n b", " b"]


def test_g01_a_group_is_bounded_in_bytes() -> None:
    """Line feeds included it fills an event exactly, and not one byte more.

    Caught: forgetting the line feeds in a group's size.
    """
    first, second = b"a" * 100, b" " + b"b" * 154
    exact = records_of(first + b"\n" + second + b"\n", max_event_bytes=256, **GROUPED)
    assert exact.sizes == [256]
    over = records_of(first + b"\n" + second + b"b\n", max_event_bytes=256, **GROUPED)
    assert over.sizes == [100, 156]
    thirds = records_of(
        b"a" * 85 + (b"\n " + b"b" * 84) * 2 + b"\n", max_event_bytes=256, **GROUPED
    )
    assert thirds.sizes == [171, 85]


def test_g01_a_group_that_grows_without_a_start_goes_out_at_its_bounds() -> None:
    """However long no start comes, what is presented again stays below the window.

    Caught: waiting for a start beyond the bounds.
    """
    rules = AssemblyRules.of(timestamp="arrival", max_event_bytes=256, **GROUPED)
    tail = Assembler(rules, stream=STREAM)
    held = b"a\n"
    consumed = 0
    for _ in range(200):
        held += b" bbbbbbbbbbbbbb\n"
        records = tail.feed(held, consumed, NOW)
        held = held[records.consumed - consumed :]
        consumed = records.consumed
        assert len(held) <= 256 + 16
    assert consumed > 200 * 14


def test_g01_a_long_line_is_parts_of_its_own() -> None:
    """It closes the group before it, and what follows begins another.

    Caught: joining a part to a group.
    """
    data = b"a\n b\n " + b"x" * 300 + b"\n c\n"
    records = records_of(data, max_event_bytes=256, **GROUPED)
    assert records.messages[0] == "a\n b"
    assert records.messages[1].startswith("[part 1 of ")
    assert records.messages[-1] == " c"


def test_g01_an_unfinished_line_that_has_no_room_closes_the_group() -> None:
    """So no more than one event's bytes and one line wait, whatever the line becomes.

    Caught: holding group and unfinished line together beyond the window.
    """
    tail = assembler(max_event_bytes=256, **GROUPED)
    records = tail.feed(b"a" * 200 + b"\n " + b"b" * 60, 0, NOW)
    assert records.sizes == [200]
    assert records.consumed == 201


def test_g02_the_checkpoint_stands_at_a_groups_start() -> None:
    """A restart while a group is open reads it again from its first line.

    Caught: consuming the lines of an open group.
    """
    data = b"a\n b\nc\n d\n e\nf\n"
    for cut in range(len(data)):
        before = assembler(**GROUPED).feed(data[:cut], 0, NOW)
        assert before.consumed in (0, 5)
        after = assembler(**GROUPED).feed(data[before.consumed :], before.consumed, NOW)
        assert before.messages + after.messages == ["a\n b", "c\n d\n e"]


def test_g02_the_end_of_a_source_closes_a_group() -> None:
    """A rotated, finished file's last group goes out, its unended line with it.

    Caught: leaving the group open for ever.
    """
    assert records_of(b"a\n b\n c", **GROUPED).messages == ["a\n b\n c"]


def test_g02_a_groups_time_is_its_first_lines() -> None:
    """Times further down do not count, and overflow takes the time before it.

    Caught: reading the time of the last line.
    """
    data = b"2026-11-23T08:58:49Z a\n 2026-11-23T09:00:00Z b\n c\n"
    rules: dict[str, Any] = {"multiline": {"start": r"^\d", "max_lines": 2}, "timestamp": "auto"}
    records = records_of(data, **rules)
    assert records.timestamps == [1_795_424_329_000, 1_795_424_329_000]


def test_g02_a_json_object_over_several_lines_has_its_time() -> None:
    """Its first line alone is no JSON; the group is, and is not counted as broken.

    Caught: reading the first line alone.
    """
    data = b'{\n  "ts": 1795424329,\n  "a": {}\n}\n{\n'
    rules: dict[str, Any] = {"multiline": {"start": r"^\{"}, "timestamp": "auto"}
    records = assembler(**rules).feed(data, 0, NOW)
    assert records.timestamps == [1_795_424_329_000]
    assert records.broken_json == 0


def test_groups_of_empty_lines() -> None:
    """They are one event of line feeds, or dropped as one where empty lines are."""
    assert records_of(b"\n\n", **GROUPED).messages == ["\n"]
    assert records_of(b"\n", **GROUPED).messages == [" "]
    dropped = records_of(b"\n\na\n\n b\n", empty_lines="drop", **GROUPED)
    assert dropped.messages == ["a\n\n b"]
    assert (dropped.filtered, dropped.filtered_events) == ([(0, 2)], {"empty": 1})


def test_invalid_lines_of_an_open_group_are_counted_once() -> None:
    """A group that is presented again counts its invalid lines when it goes out."""
    tail = assembler(**GROUPED)
    assert tail.feed(b"a\xff\n b\n", 0, NOW).invalid == 0
    assert tail.feed(b"a\xff\n b\nc\n", 0, NOW).invalid == 1

"""G05: keep, drop and redact."""

from __future__ import annotations

import re

from tests.unit.assembler.feeds import NOW, assembler, records_of


def test_g05_keep_then_drop_then_redact_each_counted() -> None:
    """In this order, each counted on its own, and what is stopped is a settled range.

    Caught: redacting before the filters look, or counting both refusals under one name.
    """
    data = b"keep secret=1\nother\nkeep DROP\nDROP\nkeep\n"
    records = records_of(
        data,
        keep=["keep", "never"],
        drop=["DROP"],
        redact=[{"pattern": r"secret=(\d)", "replace": r"secret=<\1>"}],
    )
    assert records.messages == ["keep secret=<1>", "keep"]
    assert records.filtered == [(14, 35)]
    assert records.filtered_events == {"keep": 2, "drop": 1}
    assert records.redacted == 1
    assert records.sizes == [15, 4]


def test_g05_redactions_follow_one_another() -> None:
    """The second sees what the first left.

    Caught: applying each to the original message.
    """
    rules = [{"pattern": "a", "replace": "b"}, {"pattern": "bb", "replace": "c"}]
    assert records_of(b"ab\n", redact=rules).messages == ["c"]


def test_g05_a_group_is_one_event() -> None:
    """Filters look at all of its lines together.

    Caught: filtering lines before they are grouped.
    """
    records = records_of(b"a\n DROP\nb\n", multiline={"start": r"^\S"}, drop=["DROP"], redact=[])
    assert records.messages == ["b"]
    assert records.filtered_events == {"drop": 1}


def test_g05_times_are_read_before_redaction() -> None:
    """A redaction that hides the time does not change it.

    Caught: reading times of the redacted message.
    """
    records = records_of(
        b"2026-11-23T08:58:49Z x\n",
        timestamp="auto",
        redact=[{"pattern": r"^\S+", "replace": "-"}],
    )
    assert records.messages == ["- x"]
    assert records.timestamps == [1_795_424_329_000]


def test_g05_a_dropped_event_lends_its_time_to_none() -> None:
    """An event without a time takes that of the last one shipped, so a restart knows it too.

    Caught: remembering the times of events that were dropped.
    """
    data = b"1795424329 a\n1795424999 DROP\nb\n"
    records = records_of(data, timestamp="auto", drop=["DROP"])
    assert records.timestamps == [1_795_424_329_000] * 2


def test_a_message_redacted_to_nothing_is_a_space() -> None:
    """CloudWatch takes no empty message."""
    records = records_of(b"secret\n", redact=[{"pattern": ".*", "replace": ""}])
    assert (records.messages, records.sizes) == ([" "], [1])


def test_a_replacement_that_does_not_fit_is_left_out() -> None:
    """The message stays within the limit, nothing hidden shows and nothing else is lost."""
    records = records_of(
        b"x" * 250 + b" key=1\n",
        max_event_bytes=256,
        redact=[{"pattern": "key=.", "replace": "key=<hidden>"}],
    )
    assert records.messages == ["x" * 250 + " "]


def test_a_secret_across_a_cut_is_redacted() -> None:
    """The cut of a long line moves to before what a redaction finds."""
    for offset in range(180, 260):
        line = "." * offset + "secret=123456789" + "." * 300
        records = records_of(
            line.encode() + b"\n",
            max_event_bytes=256,
            redact=[{"pattern": r"(?<=secret=)\d+", "replace": "#"}],
        )
        bodies = [re.sub(r"^\[part [^]]*\] ", "", message) for message in records.messages]
        assert "".join(bodies) == line.replace("123456789", "#")


def test_a_finding_without_end_takes_the_rest_of_the_line() -> None:
    """Where no cut is safe the line ends early: counted, never shipped unredacted."""
    data = b"a=1 secret=" + b"s" * 20_000 + b"\nnext\n"
    tail = assembler(max_event_bytes=256, redact=[{"pattern": "secret=.*", "replace": "secret=#"}])
    seen = tail.feed(data[:6000], 0, NOW)
    rest = tail.feed(data[seen.consumed :], seen.consumed, NOW)
    messages = seen.messages + rest.messages
    assert not any("ss" in message for message in messages)
    assert messages[-1] == "next"
    counts = seen.filtered_events | rest.filtered_events
    assert counts == {"redact": 1}
    assert rest.consumed == len(data)


def test_a_long_line_waits_for_what_redaction_looks_at() -> None:
    """A secret whose end is still to come is not cut."""
    rules = {"max_event_bytes": 256, "redact": [{"pattern": "secret=[0-9]{9}", "replace": "#"}]}
    tail = assembler(**rules)
    data = b"." * 245 + b"secret=123456789" + b"." * 5000 + b"\n"
    assert tail.feed(data[:257], 0, NOW).messages == []
    shipped = tail.feed(data, 0, NOW).messages
    assert "#" in "".join(shipped)
    assert not any("123" in message for message in shipped)

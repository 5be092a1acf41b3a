"""What PutLogEvents accepts, refuses whole, and refuses in part."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.cloudwatch.rules import (
    DAY_MS,
    EVENT_OVERHEAD,
    MAX_AGE_MS,
    MAX_AHEAD_MS,
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_MESSAGE_BYTES,
    MAX_SPAN_MS,
    PRACTICAL_MESSAGE_BYTES,
)

from .conftest import GROUP, STREAM, Get, Put, Refused, replace_body

INVALID = "InvalidParameterException"


def full_batch(now_ms: int, letter: str) -> list[tuple[int, str]]:
    """Four events that fill a batch to the last byte; the letter has two bytes or one."""
    width = len(letter.encode())
    bytes_each = MAX_BATCH_BYTES // 4 - EVENT_OVERHEAD
    return [(now_ms, letter * (bytes_each // width) + "x" * (bytes_each % width))] * 4


@pytest.mark.parametrize("letter", ["x", "é"])
def test_batch_bytes(cloudwatch: StrictCloudWatch, put: Put, refused: Refused, letter: str) -> None:
    """UTF-8 bytes and 26 an event come to 1,048,576 at most; one more and nothing is stored."""
    now_ms = cloudwatch.clock.now_ms()
    events = full_batch(now_ms, letter)
    put(*events)
    assert cloudwatch.events(GROUP, STREAM) == events
    assert cloudwatch.violations == []
    over = [*events[:3], (now_ms, events[3][1] + "x")]
    assert refused(put, *over) == INVALID
    assert cloudwatch.count() == 4
    assert len(cloudwatch.violations) == 1


def test_batch_count(cloudwatch: StrictCloudWatch, put: Put, refused: Refused) -> None:
    """1 to 10,000 events."""
    now_ms = cloudwatch.clock.now_ms()
    assert refused(put) == INVALID
    put(*[(now_ms, "x")] * MAX_BATCH_EVENTS)
    assert refused(put, *[(now_ms, "x")] * (MAX_BATCH_EVENTS + 1)) == INVALID
    assert cloudwatch.count() == MAX_BATCH_EVENTS
    assert len(cloudwatch.violations) == 2


def test_empty_message(cloudwatch: StrictCloudWatch, put: Put, refused: Refused) -> None:
    """A message is never empty, and one empty message refuses the whole call."""
    now_ms = cloudwatch.clock.now_ms()
    assert refused(put, (now_ms, "a"), (now_ms, "")) == INVALID
    assert cloudwatch.count() == 0
    assert "logEvents.2" in cloudwatch.violations[0].message


def test_message_size(cloudwatch: StrictCloudWatch, put: Put, refused: Refused) -> None:
    """One message may fill the batch; those over the practical maximum are counted."""
    now_ms = cloudwatch.clock.now_ms()
    put((now_ms, "x" * PRACTICAL_MESSAGE_BYTES))
    assert cloudwatch.large_messages == 0
    put((now_ms, "x" * MAX_MESSAGE_BYTES))
    assert cloudwatch.large_messages == 1
    assert refused(put, (now_ms, "x" * (MAX_MESSAGE_BYTES + 1))) == INVALID
    assert "Log event too large" in cloudwatch.violations[0].message


def test_order(cloudwatch: StrictCloudWatch, put: Put, refused: Refused) -> None:
    """Chronological, equal timestamps allowed."""
    now_ms = cloudwatch.clock.now_ms()
    put((now_ms - 1, "a"), (now_ms, "b"), (now_ms, "c"))
    assert refused(put, (now_ms, "d"), (now_ms - 1, "e")) == INVALID
    assert cloudwatch.messages(GROUP, STREAM) == ["a", "b", "c"]
    assert "chronological" in cloudwatch.violations[0].message


def test_span(cloudwatch: StrictCloudWatch, put: Put, refused: Refused) -> None:
    """24 hours exactly, and not a millisecond more."""
    now_ms = cloudwatch.clock.now_ms()
    put((now_ms - MAX_SPAN_MS, "a"), (now_ms, "b"))
    assert refused(put, (now_ms - MAX_SPAN_MS - 1, "c"), (now_ms, "d")) == INVALID
    assert cloudwatch.messages(GROUP, STREAM) == ["a", "b"]


def test_span_of_events_that_count() -> None:
    """With strict_span=False, only the events that would be stored count, as AWS documents."""
    with StrictCloudWatch(strict_span=False) as cloudwatch:
        cloudwatch.create(GROUP, STREAM)
        now_ms = cloudwatch.clock.freeze()
        client = cloudwatch.client()
        reply = client.put_log_events(
            logGroupName=GROUP,
            logStreamName=STREAM,
            logEvents=[
                {"timestamp": 0, "message": "long ago"},
                {"timestamp": now_ms, "message": "now"},
            ],
        )
        client.close()
        assert reply["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
        assert cloudwatch.messages(GROUP, STREAM) == ["now"]


def test_too_new(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """More than two hours ahead: the index of the first such event, inclusive."""
    limit = cloudwatch.clock.now_ms() + MAX_AHEAD_MS
    reply = put((limit - 1, "a"), (limit, "b"), (limit + 1, "c"), (limit + 2, "d"))
    assert reply["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 2}
    assert cloudwatch.messages(GROUP, STREAM) == ["a", "b"]


def test_too_old(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """More than 14 days old: the index behind the last such event, exclusive."""
    limit = cloudwatch.clock.now_ms() - MAX_AGE_MS
    reply = put((limit - 2, "a"), (limit - 1, "b"), (limit, "c"))
    assert reply["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    assert cloudwatch.messages(GROUP, STREAM) == ["c"]


def test_expired(cloudwatch: StrictCloudWatch, client: Any, put: Put) -> None:
    """Past the group's retention: the index behind the last such event, exclusive."""
    client.put_retention_policy(logGroupName=GROUP, retentionInDays=3)
    limit = cloudwatch.clock.now_ms() - 3 * DAY_MS
    reply = put((limit - 1, "a"), (limit, "b"), (limit + 1, "c"))
    assert reply["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert cloudwatch.messages(GROUP, STREAM) == ["b", "c"]


def test_expired_and_too_old(cloudwatch: StrictCloudWatch, client: Any, put: Put) -> None:
    """Each rule says its own index; what both spare is stored."""
    client.put_retention_policy(logGroupName=GROUP, retentionInDays=14)
    limit = cloudwatch.clock.now_ms() - MAX_AGE_MS
    reply = put((limit - 1, "a"), (limit, "b"))
    assert reply["rejectedLogEventsInfo"] == {
        "tooOldLogEventEndIndex": 1,
        "expiredLogEventEndIndex": 1,
    }
    assert cloudwatch.messages(GROUP, STREAM) == ["b"]


def test_expired_and_too_new(cloudwatch: StrictCloudWatch, client: Any, put: Put) -> None:
    """Refused at both ends of one batch, which the clock brings within 24 hours."""
    client.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    now_ms = cloudwatch.clock.now_ms()
    ends = (now_ms - DAY_MS - 1, now_ms + MAX_AHEAD_MS + 1)
    cloudwatch.operations.strict_span = False
    reply = put((ends[0], "a"), (now_ms, "b"), (ends[1], "c"))
    assert reply["rejectedLogEventsInfo"] == {
        "expiredLogEventEndIndex": 1,
        "tooNewLogEventStartIndex": 2,
    }
    assert cloudwatch.messages(GROUP, STREAM) == ["b"]


def test_all_refused(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """A batch of nothing but refused events is a success that stores nothing."""
    reply = put((0, "a"), (1, "b"))
    assert reply["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 2}
    far = cloudwatch.clock.now_ms() + DAY_MS
    assert put((far, "c"))["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 0}
    assert cloudwatch.count() == 0
    assert cloudwatch.violations == []


def test_ages_go_by_the_clock(cloudwatch: StrictCloudWatch, put: Put) -> None:
    """What is too new now is welcome when the clock has moved."""
    event = (cloudwatch.clock.now_ms() + DAY_MS, "a")
    assert "rejectedLogEventsInfo" in put(event)
    cloudwatch.clock.advance(DAY_MS / 1000)
    assert "rejectedLogEventsInfo" not in put(event)
    assert cloudwatch.events(GROUP, STREAM) == [event]


def test_non_ascii_messages_survive(cloudwatch: StrictCloudWatch, put: Put, get: Get) -> None:
    """Messages of several widths come back as they were, also behind refused ones."""
    now_ms = cloudwatch.clock.now_ms()
    cloudwatch.operations.strict_span = False
    events = [(now_ms, "naïve"), (now_ms, "漢字"), (now_ms, "😀\x00\t"), (now_ms, "plain")]
    put((0, "é" * 7), *events, (now_ms + DAY_MS, "ü"))
    assert cloudwatch.events(GROUP, STREAM) == events
    assert get() == events


@pytest.mark.parametrize(
    "event",
    [
        {"timestamp": 1},
        {"message": "x"},
        {"timestamp": "1", "message": "x"},
        {"timestamp": 1.5, "message": "x"},
        {"timestamp": True, "message": "x"},
        {"timestamp": 1, "message": None},
        "text",
    ],
    ids=repr,
)
def test_misshapen_event(
    cloudwatch: StrictCloudWatch, client: Any, refused: Refused, event: Any
) -> None:
    """An event of another shape cannot be read, and nothing of its call is stored."""
    body = {"logGroupName": GROUP, "logStreamName": STREAM}
    good = {"timestamp": cloudwatch.clock.now_ms(), "message": "good"}
    replace_body(client, orjson.dumps(body | {"logEvents": [good, event]}))
    assert refused(client.put_log_events, **body, logEvents=[good]) == "SerializationException"
    assert cloudwatch.count() == 0
    assert cloudwatch.violations


@pytest.mark.parametrize(
    ("group", "stream", "code"),
    [
        ("no/such", STREAM, "ResourceNotFoundException"),
        (GROUP, "no such", "ResourceNotFoundException"),
        ("bad name", STREAM, INVALID),
        ("", STREAM, INVALID),
        (GROUP, "bad:name", INVALID),
        (GROUP, "", INVALID),
    ],
)
def test_wrong_target(
    cloudwatch: StrictCloudWatch, put: Put, refused: Refused, group: str, stream: str, code: str
) -> None:
    """Missing ones are lawful questions; unlawful names are violations."""
    now_ms = cloudwatch.clock.now_ms()
    assert refused(put, (now_ms, "x"), group=group, stream=stream) == code
    assert bool(cloudwatch.violations) == (code == INVALID)


def test_same_batch_twice(cloudwatch: StrictCloudWatch, put: Put, get: Get) -> None:
    """Nothing recognises a retry."""
    event = (cloudwatch.clock.now_ms(), "again")
    put(event)
    put(event)
    assert get() == [event, event]
    assert cloudwatch.requests["PutLogEvents"] == 2


def test_timestamp_below_zero(cloudwatch: StrictCloudWatch, put: Put, refused: Refused) -> None:
    """There is no time before 1970."""
    assert refused(put, (-1, "x")) == INVALID
    assert cloudwatch.violations

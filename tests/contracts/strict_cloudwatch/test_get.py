"""Reading back: order, pages, tokens, ranges."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.cloudwatch.batch import Batch, Content, Piece, Visibility
from tests.support.cloudwatch.reading import (
    LATEST,
    MAX_PAGE_BYTES,
    MAX_PAGE_EVENTS,
    Position,
    before,
    behind,
    ordered,
    take,
)
from tests.support.cloudwatch.rules import DAY_MS

from .conftest import GROUP, STREAM, Get, Put, Refused

HEAD = {"logGroupName": GROUP, "logStreamName": STREAM, "startFromHead": True}
TAIL = {"logGroupName": GROUP, "logStreamName": STREAM}


def texts(page: Any) -> list[str]:
    """The messages of one page."""
    return [event["message"] for event in page["events"]]


def test_order_is_by_timestamp_then_arrival(
    cloudwatch: StrictCloudWatch, put: Put, get: Get
) -> None:
    """Batches that overlap in time are merged; equal timestamps keep the order of arrival."""
    now_ms = cloudwatch.clock.now_ms()
    put((now_ms, "b1"), (now_ms + 5, "d1"), (now_ms + 5, "d2"))
    put((now_ms - 1, "a"), (now_ms, "b2"), (now_ms + 5, "d3"), (now_ms + 9, "e"))
    put((now_ms, "b3"), (now_ms + 1, "c"))
    assert [m for _, m in get()] == ["a", "b1", "b2", "b3", "c", "d1", "d2", "d3", "e"]
    assert cloudwatch.messages(GROUP, STREAM)[0] == "b1"


def test_page_of_10000_events(cloudwatch: StrictCloudWatch, client: Any, put: Put) -> None:
    """A page ends after 10,000 events, and the token leads on."""
    now_ms = cloudwatch.clock.now_ms()
    put(*[(now_ms, "x")] * MAX_PAGE_EVENTS)
    put((now_ms, "last"))
    page = client.get_log_events(**HEAD)
    assert len(page["events"]) == MAX_PAGE_EVENTS
    assert texts(client.get_log_events(**HEAD, nextToken=page["nextForwardToken"])) == ["last"]


def test_page_of_one_megabyte(cloudwatch: StrictCloudWatch, client: Any, put: Put) -> None:
    """A page ends before it is over 1 MB, and one event always fits."""
    now_ms = cloudwatch.clock.now_ms()
    for letter in "ab":
        put(*[(now_ms, letter * 300_000)] * 3)
    page = client.get_log_events(**HEAD)
    assert len(page["events"]) == 3
    assert sum(len(text) for text in texts(page)) <= MAX_PAGE_BYTES
    page = client.get_log_events(**HEAD, nextToken=page["nextForwardToken"])
    assert len(page["events"]) == 3


def test_token_repeats_at_the_end_and_leads_on_later(
    cloudwatch: StrictCloudWatch, client: Any, put: Put
) -> None:
    """The end is a token that repeats; events that arrive behind it are found through it."""
    now_ms = cloudwatch.clock.now_ms()
    empty = client.get_log_events(**HEAD)
    assert empty["events"] == []
    again = client.get_log_events(**HEAD, nextToken=empty["nextForwardToken"])
    assert again["nextForwardToken"] == empty["nextForwardToken"]
    put((now_ms, "a"))
    page = client.get_log_events(**HEAD, nextToken=empty["nextForwardToken"])
    assert texts(page) == ["a"]
    end = client.get_log_events(**HEAD, nextToken=page["nextForwardToken"])
    assert end["events"] == []
    assert end["nextForwardToken"] == page["nextForwardToken"]
    put((now_ms, "b"))
    assert texts(client.get_log_events(**HEAD, nextToken=end["nextForwardToken"])) == ["b"]


def test_backward(cloudwatch: StrictCloudWatch, client: Any, put: Put) -> None:
    """Without startFromHead the latest page comes first, each in ascending order."""
    now_ms = cloudwatch.clock.now_ms()
    put(*[(now_ms + i, str(i)) for i in range(5)])
    page = client.get_log_events(**TAIL, limit=2)
    assert texts(page) == ["3", "4"]
    older = client.get_log_events(**TAIL, limit=2, nextToken=page["nextBackwardToken"])
    assert texts(older) == ["1", "2"]
    oldest = client.get_log_events(**TAIL, limit=2, nextToken=older["nextBackwardToken"])
    assert texts(oldest) == ["0"]
    end = client.get_log_events(**TAIL, limit=2, nextToken=oldest["nextBackwardToken"])
    assert end["events"] == []
    assert end["nextBackwardToken"] == oldest["nextBackwardToken"]
    forth = client.get_log_events(**HEAD, nextToken=older["nextForwardToken"])
    assert texts(forth) == ["3", "4"]


def test_range(cloudwatch: StrictCloudWatch, put: Put, get: Get) -> None:
    """startTime is inclusive, endTime is exclusive."""
    now_ms = cloudwatch.clock.now_ms()
    put((now_ms, "a"), (now_ms + 1, "b"), (now_ms + 2, "c"), (now_ms + 3, "d"))
    assert [m for _, m in get(startTime=now_ms + 1, endTime=now_ms + 3)] == ["b", "c"]
    assert [m for _, m in get(endTime=now_ms)] == []
    assert [m for _, m in get(startTime=now_ms + 1, endTime=now_ms + 3, limit=1)] == ["b", "c"]


def test_retention_hides(cloudwatch: StrictCloudWatch, client: Any, put: Put, get: Get) -> None:
    """What has grown older than the retention cannot be read any more."""
    put((cloudwatch.clock.now_ms(), "a"))
    client.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
    assert len(get()) == 1
    cloudwatch.clock.advance(DAY_MS / 1000 + 1)
    assert get() == []


@pytest.mark.parametrize(
    "options",
    [
        {"nextToken": "f/never/given"},
        {"nextToken": "x"},
        {"limit": 0},
        {"limit": MAX_PAGE_EVENTS + 1},
        {"startTime": -1},
        {"endTime": "soon"},
        {"logStreamName": "a:b"},
        {"logGroupIdentifier": GROUP},
    ],
    ids=repr,
)
def test_unlawful_reads(
    cloudwatch: StrictCloudWatch, client: Any, refused: Refused, options: dict[str, Any]
) -> None:
    """Tokens never given, limits and times out of bounds, two names at once."""
    assert refused(client.get_log_events, **HEAD | options) == "InvalidParameterException"
    assert len(cloudwatch.violations) == 1


def test_forward_token_needs_start_from_head(
    cloudwatch: StrictCloudWatch, client: Any, refused: Refused
) -> None:
    """As the API reference demands."""
    token = client.get_log_events(**HEAD)["nextForwardToken"]
    assert refused(client.get_log_events, **TAIL, nextToken=token) == "InvalidParameterException"


def test_infrequent_access_cannot_be_read(
    cloudwatch: StrictCloudWatch, client: Any, refused: Refused
) -> None:
    """A group of that class takes events and gives none back."""
    client.create_log_group(logGroupName="cold", logGroupClass="INFREQUENT_ACCESS")
    client.create_log_stream(logGroupName="cold", logStreamName="s")
    where = {"logGroupName": "cold", "logStreamName": "s"}
    event = {"timestamp": cloudwatch.clock.now_ms(), "message": "x"}
    client.put_log_events(**where, logEvents=[event])
    assert refused(client.get_log_events, **where) == "InvalidParameterException"
    assert refused(client.filter_log_events, logGroupName="cold") == "InvalidParameterException"
    assert cloudwatch.count("cold") == 1
    assert cloudwatch.violations == []


def test_group_by_identifier(cloudwatch: StrictCloudWatch, client: Any, put: Put) -> None:
    """A name or an ARN do as identifier."""
    put((cloudwatch.clock.now_ms(), "a"))
    arn = client.describe_log_groups()["logGroups"][0]["logGroupArn"]
    for identifier in (GROUP, arn):
        page = client.get_log_events(
            logGroupIdentifier=identifier, logStreamName=STREAM, startFromHead=True
        )
        assert texts(page) == ["a"]


def test_filter(cloudwatch: StrictCloudWatch, client: Any, put: Put) -> None:
    """Several streams in one order, by prefix or names, with pages that end without a token."""
    now_ms = cloudwatch.clock.now_ms()
    cloudwatch.create(GROUP, "task/b", "other")
    put((now_ms, "one red"), (now_ms + 2, "three"))
    put((now_ms + 1, "two red"), stream="task/b")
    put((now_ms, "zero red"), stream="other")
    page = client.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="task/", limit=2)
    assert texts(page) == ["one red", "two red"]
    assert [event["logStreamName"] for event in page["events"]] == [STREAM, "task/b"]
    rest = client.filter_log_events(
        logGroupName=GROUP, logStreamNamePrefix="task/", nextToken=page["nextToken"]
    )
    assert texts(rest) == ["three"]
    assert "nextToken" not in rest
    named = client.filter_log_events(
        logGroupName=GROUP, logStreamNames=["other", STREAM], filterPattern="red"
    )
    assert texts(named) == ["one red", "zero red"]
    assert len({event["eventId"] for event in page["events"] + rest["events"]}) == 3


def batches(seed: int) -> list[Batch]:
    """Some batches with many equal timestamps, some of them partly invisible at first."""
    chance = random.Random(seed)
    made = []
    for number in range(1, chance.randint(1, 7) + 1):
        count = chance.randint(1, 6)
        timestamps = sorted(chance.randint(1, 8) for _ in range(count))
        content = Content(timestamps, [1] * count, b"x" * count)
        pieces = tuple(Piece(index, index + 1, chance.choice((0, 0, 99))) for index in range(count))
        visibility = chance.choice((Visibility(), Visibility(pieces)))
        made.append(
            Batch.of(
                content, (0, count), stream="s", number=number, now_ms=0, visibility=visibility
            )
        )
    return made


@settings(max_examples=200)
@given(
    st.integers(0, 10_000), st.integers(1, 5), st.integers(0, 9), st.integers(0, 9), st.booleans()
)
def test_pages_are_the_sorted_whole(
    seed: int, limit: int, start: int, end: int, backward: bool
) -> None:
    """Whatever overlaps, the pages put together are all visible events in order, each once."""
    made = batches(seed)
    expected = sorted(
        (batch.timestamps[i], batch.number, i)
        for batch in made
        for first, last in batch.visibility.ranges(len(batch), 1)
        for i in range(first, last)
        if start <= batch.timestamps[i] < end
    )
    low, high = Position(start), Position(end)
    found: list[tuple[int, int, int]] = []
    while page := take(ordered(made, 1, low, high), limit, backward=backward):
        keys = [
            (piece.batch.timestamps[i], piece.batch.number, i)
            for piece in page
            for i in range(piece.first, piece.last)
        ]
        assert len(keys) <= limit
        found = keys + found if backward else found + keys
        low, high = (low, before(page)) if backward else (behind(page), high)
    assert found == expected
    assert all(a < b for a, b in pairwise(found))
    assert ordered(made, 1, Position(0), Position(LATEST)) == sorted(
        ordered(made, 1, Position(0), Position(LATEST)),
        key=lambda s: (s.batch.timestamps[s.first], s.batch.number, s.first),
    )

"""Where the strict double and moto, written by others, say the same of CloudWatch Logs.

moto enforces less (no sizes, counts, spans, signatures) and gives other indexes for what it
refuses in part, so only the common ground stands here; the double's own rules and faults are
proved in the package `strict_cloudwatch` beside this file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from tests.support.cloudwatch import StrictCloudWatch

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

GROUP = "/ecs/reports"
STREAM = "task/web.log"
HEAD: dict[str, Any] = {"logGroupName": GROUP, "logStreamName": STREAM, "startFromHead": True}


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    """moto's server in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def strict_url() -> Iterator[str]:
    """The strict double; whatever these tests send must be lawful where it is not refused."""
    with StrictCloudWatch(verify_signatures=True) as cloudwatch:
        yield cloudwatch.url


@pytest.fixture(params=["strict", "moto"])
def client(request: pytest.FixtureRequest) -> Iterator[CloudWatchLogsClient]:
    """A client of either, with one group and one stream, both empty."""
    url = request.getfixturevalue(f"{request.param}_url")
    opened = boto3.client(
        "logs",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIASTRICTCLOUDWATCH",
        aws_secret_access_key="strict/cloudwatch/secret/key/for+tests",
        config=Config(retries={"total_max_attempts": 1}),
    )
    for group in opened.describe_log_groups()["logGroups"]:
        opened.delete_log_group(logGroupName=group["logGroupName"])
    opened.create_log_group(logGroupName=GROUP)
    opened.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    yield opened
    opened.close()


def put(client: CloudWatchLogsClient, *events: tuple[int, str], stream: str = STREAM) -> Any:
    """Puts (timestamp, message) pairs."""
    return client.put_log_events(
        logGroupName=GROUP,
        logStreamName=stream,
        logEvents=[{"timestamp": at, "message": text} for at, text in events],
    )


def read(client: CloudWatchLogsClient, **options: Any) -> list[tuple[int, str]]:
    """Everything, page by page, until the token repeats."""
    found: list[tuple[int, str]] = []
    token: dict[str, Any] = {}
    while True:
        page = client.get_log_events(**HEAD, **options, **token)
        found += [(event["timestamp"], event["message"]) for event in page["events"]]
        if page["nextForwardToken"] == token.get("nextToken"):
            return found
        token = {"nextToken": page["nextForwardToken"]}


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    """The service's name for the refusal."""
    return str(error.value.response["Error"]["Code"])


def now() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def test_what_is_put_is_read(client: CloudWatchLogsClient) -> None:
    """Messages of several alphabets, in order, with their timestamps."""
    at = now()
    events = [(at - 2, "plain"), (at - 1, "ünïcode 漢字 😀"), (at, '{"json": "\\n"}')]
    reply = put(client, *events)
    assert reply["nextSequenceToken"]
    assert "rejectedLogEventsInfo" not in reply
    assert read(client) == events


def test_batches_are_merged_by_time(client: CloudWatchLogsClient) -> None:
    """A later batch with earlier timestamps is read first."""
    at = now()
    put(client, (at, "b"), (at + 2, "d"))
    put(client, (at - 1, "a"), (at + 1, "c"))
    assert [message for _, message in read(client)] == ["a", "b", "c", "d"]


def test_nothing_is_deduplicated(client: CloudWatchLogsClient) -> None:
    """The same batch twice is stored twice."""
    event = (now(), "again")
    put(client, event)
    put(client, event)
    assert read(client) == [event, event]


def test_sequence_tokens_are_ignored(client: CloudWatchLogsClient) -> None:
    """Any token does."""
    event: Any = {"timestamp": now(), "message": "a"}
    client.put_log_events(
        logGroupName=GROUP, logStreamName=STREAM, logEvents=[event], sequenceToken="anything"
    )
    assert len(read(client)) == 1


def test_order_is_demanded(client: CloudWatchLogsClient) -> None:
    """Events that go back in time refuse the whole call."""
    at = now()
    with pytest.raises(ClientError) as caught:
        put(client, (at, "a"), (at - 1, "b"))
    assert code_of(caught) == "InvalidParameterException"
    assert read(client) == []


def test_range_of_time(client: CloudWatchLogsClient) -> None:
    """startTime is inclusive."""
    at = now()
    put(client, *[(at + i, str(i)) for i in range(5)])
    assert [message for _, message in read(client, startTime=at + 2)] == ["2", "3", "4"]


def test_pages(client: CloudWatchLogsClient) -> None:
    """Pages of `limit` come to the whole, and the token repeats at the end."""
    at = now()
    events = [(at + i, str(i)) for i in range(7)]
    put(client, *events)
    assert read(client, limit=3) == events


def test_missing_group_and_stream(client: CloudWatchLogsClient) -> None:
    """Neither is made on the way, by writing or by reading."""
    with pytest.raises(ClientError) as caught:
        put(client, (now(), "a"), stream="none")
    assert code_of(caught) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as caught:
        client.get_log_events(logGroupName="none", logStreamName=STREAM)
    assert code_of(caught) == "ResourceNotFoundException"
    with pytest.raises(ClientError) as caught:
        client.create_log_stream(logGroupName="none", logStreamName=STREAM)
    assert code_of(caught) == "ResourceNotFoundException"


def test_names_that_are_taken(client: CloudWatchLogsClient) -> None:
    """Creating again is an error of its own."""
    with pytest.raises(ClientError) as caught:
        client.create_log_group(logGroupName=GROUP)
    assert code_of(caught) == "ResourceAlreadyExistsException"
    with pytest.raises(ClientError) as caught:
        client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    assert code_of(caught) == "ResourceAlreadyExistsException"


def test_groups_as_they_were_made(client: CloudWatchLogsClient) -> None:
    """Retention, class and tags are kept, and the group is found by its prefix."""
    client.create_log_group(logGroupName="/ecs/other", tags={"team": "reports"})
    client.put_retention_policy(logGroupName="/ecs/other", retentionInDays=30)
    [found] = client.describe_log_groups(logGroupNamePrefix="/ecs/o")["logGroups"]
    assert found["logGroupName"] == "/ecs/other"
    assert found["retentionInDays"] == 30
    assert found["arn"].endswith(":log-group:/ecs/other:*")
    arn = found["arn"].removesuffix(":*")
    client.tag_resource(resourceArn=arn, tags={"cost": "7"})
    tags = client.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == {"team": "reports", "cost": "7"}


def test_streams_are_listed(client: CloudWatchLogsClient) -> None:
    """By name, by prefix, and gone once deleted."""
    client.create_log_stream(logGroupName=GROUP, logStreamName="task/b.log")
    client.create_log_stream(logGroupName=GROUP, logStreamName="other")

    def names(prefix: str) -> list[str]:
        page = client.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=prefix)
        return [stream["logStreamName"] for stream in page["logStreams"]]

    assert names("task/") == ["task/b.log", STREAM]
    client.delete_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    assert names("task/") == ["task/b.log"]
    client.delete_log_group(logGroupName=GROUP)
    assert client.describe_log_groups()["logGroups"] == []


def test_filter_over_streams(client: CloudWatchLogsClient) -> None:
    """FilterLogEvents reads several streams, page by page."""
    at = now()
    client.create_log_stream(logGroupName=GROUP, logStreamName="second")
    put(client, (at, "a"), (at + 1, "b"))
    put(client, (at + 2, "c"), stream="second")
    pages = client.get_paginator("filter_log_events").paginate(logGroupName=GROUP)
    events = [event for page in pages for event in page["events"]]
    assert [event["message"] for event in events] == ["a", "b", "c"]
    assert events[2]["logStreamName"] == "second"


def test_only_old_events(client: CloudWatchLogsClient) -> None:
    """A batch of one event from 1970 is a success that stores nothing and says why."""
    reply = put(client, (0, "a"))
    assert "tooOldLogEventEndIndex" in reply["rejectedLogEventsInfo"]
    assert read(client) == []

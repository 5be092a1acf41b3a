"""Groups and streams: names, classes, tags, retention, lists."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.cloudwatch import ACCOUNT_QUOTAS, StrictCloudWatch

from .conftest import GROUP, STREAM, Put, Refused

INVALID = "InvalidParameterException"
EXISTS = "ResourceAlreadyExistsException"
MISSING = "ResourceNotFoundException"


@pytest.mark.parametrize("name", ["a", "a" * 512, "/aws/lambda/f", "A-z_0.9#/x", "aws"])
def test_lawful_group_names(cloudwatch: StrictCloudWatch, client: Any, name: str) -> None:
    """1 to 512 of the permitted characters."""
    client.create_log_group(logGroupName=name)
    assert name in cloudwatch.store.groups
    assert cloudwatch.violations == []


@pytest.mark.parametrize("name", ["", "a" * 513, "a b", "a:b", "a*", "é", "a\n", "aws/x", None])
def test_unlawful_group_names(
    cloudwatch: StrictCloudWatch, client: Any, refused: Refused, name: Any
) -> None:
    """Other characters, other lengths, and what starts with aws/."""
    assert refused(client.create_log_group, logGroupName=name) == INVALID
    assert list(cloudwatch.store.groups) == [GROUP]
    assert len(cloudwatch.violations) == 1


@pytest.mark.parametrize("name", ["a", "a" * 512, "a b/ü [1]$\n", "漢" * 512])
def test_lawful_stream_names(cloudwatch: StrictCloudWatch, client: Any, name: str) -> None:
    """1 to 512 characters of any kind but two."""
    client.create_log_stream(logGroupName=GROUP, logStreamName=name)
    assert (GROUP, name) in cloudwatch.streams()
    assert cloudwatch.violations == []


@pytest.mark.parametrize("name", ["", "a" * 513, "a:b", "a*b", None])
def test_unlawful_stream_names(
    cloudwatch: StrictCloudWatch, client: Any, refused: Refused, name: Any
) -> None:
    """No colon, no asterisk, no other length."""
    call = client.create_log_stream
    assert refused(call, logGroupName=GROUP, logStreamName=name) == INVALID
    assert cloudwatch.streams() == [(GROUP, STREAM)]
    assert len(cloudwatch.violations) == 1


def test_deleting(cloudwatch: StrictCloudWatch, client: Any, put: Put, refused: Refused) -> None:
    """What is deleted is gone with its events, and missing from then on."""
    put((cloudwatch.clock.now_ms(), "a"))
    client.delete_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    assert refused(put, (cloudwatch.clock.now_ms(), "b")) == MISSING
    client.create_log_stream(logGroupName=GROUP, logStreamName=STREAM)
    assert cloudwatch.events(GROUP, STREAM) == []
    client.delete_log_group(logGroupName=GROUP)
    assert refused(client.delete_log_group, logGroupName=GROUP) == MISSING
    create = client.create_log_stream
    assert refused(create, logGroupName=GROUP, logStreamName=STREAM) == MISSING


def test_group_options(cloudwatch: StrictCloudWatch, client: Any, refused: Refused) -> None:
    """Class, key, tags and retention show in the description; unlawful ones create nothing."""
    client.create_log_group(
        logGroupName="g",
        logGroupClass="INFREQUENT_ACCESS",
        kmsKeyId="arn:aws:kms:us-east-1:123456789012:key/1",
        tags={"team": "reports"},
    )
    client.put_retention_policy(logGroupName="g", retentionInDays=30)
    found = client.describe_log_groups(logGroupNamePrefix="g")["logGroups"][0]
    assert found["logGroupClass"] == "INFREQUENT_ACCESS"
    assert found["retentionInDays"] == 30
    assert found["kmsKeyId"].endswith("key/1")
    client.tag_resource(resourceArn=found["logGroupArn"], tags={"cost": "7"})
    tags = client.list_tags_for_resource(resourceArn=found["logGroupArn"])["tags"]
    assert tags == {"team": "reports", "cost": "7"}
    assert refused(client.tag_resource, resourceArn=found["arn"], tags={"a": "b"}) == INVALID
    options: dict[str, Any]
    for options in (
        {"logGroupClass": "WARM"},
        {"tags": {}},
        {"tags": {"aws:x": "y"}},
        {"tags": {"k" * 129: "y"}},
        {"tags": {str(i): "" for i in range(51)}},
    ):
        assert refused(client.create_log_group, logGroupName="h", **options) == INVALID
    assert "h" not in cloudwatch.store.groups


def test_retention_days(cloudwatch: StrictCloudWatch, client: Any, refused: Refused) -> None:
    """Only the numbers of days on offer."""
    for days in (1, 14, 3653):
        client.put_retention_policy(logGroupName=GROUP, retentionInDays=days)
    for wrong in (0, 2, 15, 3654, "7", None):
        call = client.put_retention_policy
        assert refused(call, logGroupName=GROUP, retentionInDays=wrong) == INVALID
    assert cloudwatch.store.groups[GROUP].retention_days == 3653
    call = client.put_retention_policy
    assert refused(call, logGroupName="none", retentionInDays=1) == MISSING


def test_descriptions_come_in_pages(cloudwatch: StrictCloudWatch, client: Any) -> None:
    """At most 50, or `limit`, in order of name."""
    cloudwatch.create("many", *[f"s{i:03d}" for i in range(120)])
    pages = client.get_paginator("describe_log_streams").paginate(
        logGroupName="many", logStreamNamePrefix="s"
    )
    found = [[stream["logStreamName"] for stream in page["logStreams"]] for page in pages]
    assert [len(names) for names in found] == [50, 50, 20]
    assert [name for names in found for name in names] == [f"s{i:03d}" for i in range(120)]
    page = client.describe_log_groups(limit=1)
    assert [group["logGroupName"] for group in page["logGroups"]] == [GROUP]
    page = client.describe_log_groups(limit=1, nextToken=page["nextToken"])
    assert [group["logGroupName"] for group in page["logGroups"]] == ["many"]
    assert "nextToken" not in page


def test_descriptions_prove_no_delivery(
    cloudwatch: StrictCloudWatch, client: Any, put: Put
) -> None:
    """A stream's times are an hour late."""
    now_ms = cloudwatch.clock.now_ms()
    put((now_ms, "a"))
    stream = client.describe_log_streams(logGroupName=GROUP)["logStreams"][0]
    assert "lastEventTimestamp" not in stream
    cloudwatch.clock.advance(3600)
    stream = client.describe_log_streams(logGroupName=GROUP)["logStreams"][0]
    assert stream["lastEventTimestamp"] == now_ms


def test_order_by_last_event_excludes_prefix(
    cloudwatch: StrictCloudWatch, client: Any, refused: Refused
) -> None:
    """As the API reference says."""
    call = client.describe_log_streams
    code = refused(call, logGroupName=GROUP, orderBy="LastEventTime", logStreamNamePrefix="task")
    assert code == INVALID


def test_quotas(refused: Refused) -> None:
    """With an account's quotas, the eleventh group within a second is throttled."""
    with StrictCloudWatch(quotas=ACCOUNT_QUOTAS) as cloudwatch:
        cloudwatch.clock.freeze()
        client = cloudwatch.client()
        for number in range(10):
            client.create_log_group(logGroupName=f"g{number}")
        assert refused(client.create_log_group, logGroupName="g10") == "ThrottlingException"
        cloudwatch.clock.advance(0.1)
        client.create_log_group(logGroupName="g10")
        assert refused(client.create_log_group, logGroupName="g11") == "ThrottlingException"
        client.close()
        assert len(cloudwatch.store.groups) == 11

"""One strict CloudWatch Logs a test, and a boto3 client that checks nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloudwatch import StrictCloudWatch

GROUP = "/ecs/reports"
STREAM = "task/web.log"


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """With one group and one stream, and its clock standing still."""
    with StrictCloudWatch() as double:
        double.create(GROUP, STREAM)
        double.clock.freeze()
        yield double


@pytest.fixture
def client(cloudwatch: StrictCloudWatch) -> Iterator[Any]:
    """Sends what it is told to: botocore's own checks are off, and so are its retries."""
    opened = cloudwatch.client(parameter_validation=False, read_timeout=5)
    yield opened
    opened.close()


Put = Callable[..., Any]


@pytest.fixture
def put(client: Any) -> Put:
    """Puts (timestamp, message) pairs into the one stream, or the one named."""

    def put(*events: tuple[int, str], group: str = GROUP, stream: str = STREAM) -> Any:
        return client.put_log_events(
            logGroupName=group,
            logStreamName=stream,
            logEvents=[{"timestamp": at, "message": text} for at, text in events],
        )

    return put


Get = Callable[..., list[tuple[int, str]]]


@pytest.fixture
def get(client: Any) -> Get:
    """All that can be read of the one stream, page by page, from its head."""

    def get(**options: Any) -> list[tuple[int, str]]:
        found: list[tuple[int, str]] = []
        token: dict[str, str] = {}
        while True:
            page = client.get_log_events(
                logGroupName=GROUP, logStreamName=STREAM, startFromHead=True, **options, **token
            )
            found += [(event["timestamp"], event["message"]) for event in page["events"]]
            if page["nextForwardToken"] == token.get("nextToken"):
                return found
            token = {"nextToken": page["nextForwardToken"]}

    return get


Refused = Callable[..., str]


@pytest.fixture
def refused() -> Refused:
    """Calls, expects a refusal, and returns its code."""

    def refused(call: Callable[..., Any], *arguments: Any, **options: Any) -> str:
        with pytest.raises(ClientError) as caught:
            call(*arguments, **options)
        return str(caught.value.response["Error"]["Code"])

    return refused


def replace_body(client: Any, body: bytes, **headers: str) -> None:
    """Makes the client sign and send these bytes, whatever it is asked to send."""

    def replace(params: dict[str, Any], **_: Any) -> None:
        params["body"] = body
        params["headers"].update(headers)

    client.meta.events.register("before-call.cloudwatch-logs.*", replace)

"""Reads the events of artifacts back from CloudWatch Logs, for `sidecar artifacts`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sidecar.delivery import outcomes
from sidecar.delivery.credentials import RoleNotAssumed, open_session
from sidecar.delivery.destination import MissingTarget

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0


class ManifestsUnreadable(Exception):  # noqa: N818
    """CloudWatch Logs does not give them; the text says why, and what to do."""


class ManifestReader:
    """One client for a whole command. Reading is free of effects, so boto3 may retry it."""

    def __init__(self, role_arn: str | None) -> None:
        with _readable("logs:DescribeLogStreams", ""):
            self._client: CloudWatchLogsClient = open_session(role_arn=role_arn).client(
                "logs",
                config=Config(
                    connect_timeout=CONNECT_SECONDS,
                    read_timeout=READ_SECONDS,
                    retries={"total_max_attempts": 6, "mode": "standard"},
                ),
            )

    def streams(self, group: str) -> Iterator[str]:
        """The streams of a group by name, one an artifact; none where there is no such group."""
        with _readable("logs:DescribeLogStreams", group):
            pages = self._client.get_paginator("describe_log_streams")
            for page in pages.paginate(logGroupName=group):
                for stream in page["logStreams"]:
                    yield stream["logStreamName"]

    def newest_first(self, group: str, stream: str) -> Iterator[str]:
        """The messages of a stream; none where there is no such stream.

        An empty page is not the end: that is where CloudWatch gives the same token back.
        """
        token: dict[str, Any] = {}
        with _readable("logs:GetLogEvents", group):
            while True:
                page = self._client.get_log_events(
                    logGroupName=group, logStreamName=stream, startFromHead=False, **token
                )
                if "events" not in page or "nextBackwardToken" not in page:
                    raise ManifestsUnreadable(f"the answer about {stream} broke off; try again")
                for event in reversed(page["events"]):
                    yield event["message"]
                following = {"nextToken": page["nextBackwardToken"]}
                if following == token:
                    return
                token = following


@contextmanager
def _readable(act: str, group: str) -> Iterator[None]:
    """What is missing reads as empty; every other refusal becomes a ManifestsUnreadable."""
    try:
        yield
    except (ClientError, BotoCoreError, RoleNotAssumed) as error:
        sent = isinstance(error, ClientError)
        failure = outcomes.failure(error, act=act, group=group, sent=sent)
        if not isinstance(failure, MissingTarget):
            raise ManifestsUnreadable(failure.text) from error

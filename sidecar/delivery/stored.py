"""Reads back what a stream holds, page by page, leaving some of the account's quota to others."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sidecar.delivery import outcomes
from sidecar.delivery.client import Client
from sidecar.delivery.destination import (
    Failure,
    Invalid,
    MissingTarget,
    Throttled,
    Unknown,
    Unreachable,
)
from sidecar.model.backoff import delay

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

# docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html: GetLogEvents, 10
# requests a second for an account and region in most of them. The rest is left to reconciling.
READS_PER_SECOND: Final = 8.0

ATTEMPTS: Final = 8
"""Failures in a row that are waited out; then the stream cannot be read."""


class Held(NamedTuple):
    """An event as CloudWatch shows it; `ingested` is when it was stored. Both in ms."""

    timestamp: int
    ingested: int
    message: str


class NotReadable(Exception):  # noqa: N818 - no fault of ours, but an answer
    """CloudWatch does not show it; the text says why, in words for a person."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message if isinstance(failure, Invalid) else failure.text)


class Stored:
    """What CloudWatch holds, for somebody who only asks."""

    def __init__(
        self,
        client: Client,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._clock = clock
        self._sleep = sleep
        self._not_before = float("-inf")
        self.requests = 0

    def streams(self, group: str) -> Iterator[str]:
        """The group's streams by name; none where there is no such group. Raises NotReadable."""
        where: dict[str, Any] = {}
        while True:

            def request(client: CloudWatchLogsClient, where: dict[str, Any] = where) -> Any:
                return client.describe_log_streams(logGroupName=group, **where)

            answer = self._ask("logs:DescribeLogStreams", group, request, ("logStreams",))
            if answer is None:
                return
            for stream in answer["logStreams"]:
                yield stream["logStreamName"]
            if "nextToken" not in answer:
                return
            where = {"nextToken": answer["nextToken"]}

    def pages(self, group: str, stream: str, least: int, before: int) -> Iterator[list[Held]]:
        """The events with least <= timestamp < before (ms), the oldest first.

        Nothing for a stream that does not exist. Raises NotReadable.
        """
        between = {"startTime": max(0, least), "endTime": before}
        yield from self._pages(group, stream, forwards=True, **between)

    def newest_first(self, group: str, stream: str) -> Iterator[Held]:
        """Every event of a stream; none where there is no such stream. Raises NotReadable."""
        for page in self._pages(group, stream, forwards=False):
            yield from reversed(page)

    def _pages(
        self,
        group: str,
        stream: str,
        *,
        forwards: bool,
        **between: Any,
    ) -> Iterator[list[Held]]:
        following = "nextForwardToken" if forwards else "nextBackwardToken"
        where: dict[str, Any] = {}
        while True:

            def request(client: CloudWatchLogsClient, where: dict[str, Any] = where) -> Any:
                return client.get_log_events(
                    logGroupName=group,
                    logStreamName=stream,
                    startFromHead=forwards,
                    **between,
                    **where,
                )

            answer = self._ask("logs:GetLogEvents", group, request, ("events", following))
            if answer is None:
                return
            if answer["events"]:
                yield [
                    Held(event["timestamp"], event.get("ingestionTime", 0), event["message"])
                    for event in answer["events"]
                ]
            # An empty page is no end: only the token that comes back is.
            if where == {"nextToken": answer[following]}:
                return
            where = {"nextToken": answer[following]}

    def retention_days(self, group: str) -> int | None:
        """How long the group keeps events; None for ever, or where nobody may know."""

        def request(client: CloudWatchLogsClient) -> Any:
            return client.describe_log_groups(logGroupNamePrefix=group, limit=50)

        try:
            answer = self._ask("logs:DescribeLogGroups", group, request, ("logGroups",)) or {}
        except NotReadable:
            return None
        for found in answer.get("logGroups", ()):
            if found.get("logGroupName") == group:
                days: int | None = found.get("retentionInDays")
                return days
        return None

    def _ask(
        self,
        act: str,
        group: str,
        request: Callable[[CloudWatchLogsClient], Any],
        keys: tuple[str, ...],
    ) -> Any:
        """The answer, which has all these keys; None where group or stream is missing."""
        for failures in range(1, ATTEMPTS + 1):
            self._wait_for_turn()
            outcome: Failure
            try:
                with self._client.lend() as client:
                    answer = request(client)
                if all(key in answer for key in keys):
                    return answer
                outcome = Unknown(f"the answer to {act} broke off")
            except Exception as error:  # noqa: BLE001  whatever it is, it has an outcome
                outcome = outcomes.failure(error, act=act, group=group, sent=self._client.sent)
            if isinstance(outcome, MissingTarget):
                return None
            passing = isinstance(outcome, Throttled | Unreachable | Unknown)
            if not passing or failures == ATTEMPTS:
                raise NotReadable(outcome)
            self._sleep(delay(failures, random.random))
        raise AssertionError("unreachable")

    def _wait_for_turn(self) -> None:
        self.requests += 1
        now = self._clock()
        if now < self._not_before:
            self._sleep(self._not_before - now)
        self._not_before = max(now, self._not_before) + 1.0 / READS_PER_SECOND

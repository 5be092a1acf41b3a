"""What the stand-in for CloudWatch holds, read back with boto3."""

from collections import Counter
from typing import Any

import boto3
from botocore.config import Config


class Stored:
    """A reader of one CloudWatch Logs endpoint, for a `with` block."""

    def __init__(self, url: str) -> None:
        self._logs = boto3.client(
            "logs",
            endpoint_url=url,
            region_name="eu-central-1",
            aws_access_key_id="stand-in",
            aws_secret_access_key="stand-in",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def __enter__(self) -> "Stored":
        return self

    def __exit__(self, *_: object) -> None:
        self._logs.close()

    def messages(self, group: str) -> dict[str, list[str]]:
        """Every event's message by stream; empty while the group does not exist."""
        found: dict[str, list[str]] = {}
        try:
            pages = list(
                self._logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
            )
        except self._logs.exceptions.ResourceNotFoundException:
            return found
        for stream in (stream["logStreamName"] for page in pages for stream in page["logStreams"]):
            found[stream] = [event["message"] for event in self._events(group, stream)]
        return found

    def _events(self, group: str, stream: str) -> list[Any]:
        """The end is where the token repeats."""
        events: list[Any] = []
        asked: dict[str, str] = {}
        while True:
            page = self._logs.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, **asked
            )
            events += page["events"]
            if asked.get("nextToken") == page["nextForwardToken"]:
                return events
            asked = {"nextToken": page["nextForwardToken"]}


def lines(content: bytes) -> list[str]:
    """The complete lines of a file as messages: without their line ends."""
    return content.decode().split("\n")[:-1]


def lost(written: Counter[str], stored: Counter[str]) -> Counter[str]:
    """Lines that were written and are not stored as often."""
    return written - stored


def twice(written: Counter[str], stored: Counter[str]) -> Counter[str]:
    """Events beyond the lines that were written."""
    return stored - written

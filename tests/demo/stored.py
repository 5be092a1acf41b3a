"""What CloudWatch holds, read back with boto3."""

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import boto3
import orjson
from botocore.config import Config

from tests.demo.names import ARTIFACTS, LINES, REGION

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import OutputLogEventTypeDef


class Line(NamedTuple):
    """A log event: its message, and the milliseconds from its timestamp to when it was stored."""

    message: str
    delay: int


class Version(NamedTuple):
    """An artifact's manifest: its name and the sha256 it states; `content` is None if left out."""

    name: str
    sha256: str
    content: bytes | None


class Stored:
    """A reader of one CloudWatch Logs endpoint."""

    def __init__(self, endpoint: str) -> None:
        self._logs = boto3.client(
            "logs",
            endpoint_url=endpoint,
            region_name=REGION,
            aws_access_key_id="stand-in",
            aws_secret_access_key="stand-in",
            config=Config(proxies={}),
        )

    def lines(self) -> list[Line]:
        return [
            Line(event["message"], event["ingestionTime"] - event["timestamp"])
            for stream in self._streams(LINES)
            for event in self._events(LINES, stream)
        ]

    def versions(self) -> list[Version]:
        """Every version of every artifact; deletions are left out."""
        return [
            version
            for stream in self._streams(ARTIFACTS)
            for event in self._events(ARTIFACTS, stream)
            if (version := version_of(event["message"])) is not None
        ]

    def has_artifact(self, name: str) -> bool:
        """Each artifact has a stream of its own, of the same name."""
        try:
            found = self._logs.get_log_events(
                logGroupName=ARTIFACTS, logStreamName=name, startFromHead=True, limit=1
            )
        except self._logs.exceptions.ResourceNotFoundException:
            return False
        return bool(found["events"])

    def _streams(self, group: str) -> list[str]:
        """The names of a group's streams; none while the group does not exist."""
        pages = self._logs.get_paginator("describe_log_streams").paginate(logGroupName=group)
        try:
            return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except self._logs.exceptions.ResourceNotFoundException:
            return []

    def _events(self, group: str, stream: str) -> Iterator["OutputLogEventTypeDef"]:
        """From the first to where the token repeats, which is how GetLogEvents ends."""
        page = self._logs.get_log_events(
            logGroupName=group, logStreamName=stream, startFromHead=True
        )
        while True:
            yield from page["events"]
            token = page["nextForwardToken"]
            page = self._logs.get_log_events(
                logGroupName=group, logStreamName=stream, startFromHead=True, nextToken=token
            )
            if page["nextForwardToken"] == token:
                return


def version_of(message: str) -> Version | None:
    """A manifest, parsed; None for the word of a deletion."""
    manifest = orjson.loads(message)
    if "deleted" in manifest:
        return None
    content = None
    if manifest["content"] is not None:
        content = manifest["content"].encode()
    elif manifest["content_base64"] is not None:
        content = base64.b64decode(manifest["content_base64"])
    return Version(manifest["artifact"], manifest["version"], content)

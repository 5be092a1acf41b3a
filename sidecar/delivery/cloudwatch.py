"""CloudWatch Logs through boto3, which keeps what it is good at: credentials, endpoints,
connections, signatures, errors. What it would do with the events, `carrier` does in its place.
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from sidecar.delivery import outcomes
from sidecar.delivery.carrier import Carrier
from sidecar.delivery.client import Client
from sidecar.delivery.destination import (
    Accepted,
    Created,
    Denied,
    Failure,
    Invalid,
    MissingTarget,
    Outcome,
    Page,
    StoredEvent,
    Target,
    Throttled,
    Unknown,
    Unmade,
    Unreachable,
)

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

    from sidecar.settings import Create

# Higher levels make log lines little smaller, and cost several times as much.
GZIP_LEVEL: Final = 1

Answer = TypeVar("Answer")


class CloudWatchDestination:
    """The destination that is CloudWatch Logs itself, or anything that boto3's endpoint names.

    Building one touches neither the network nor the credentials: what is wrong with them is the
    outcome of an act, and heals without a new destination.
    """

    def __init__(
        self,
        client: Client,
        *,
        create: Create,
        compression: Literal["none", "gzip"] = "none",
    ) -> None:
        self._client = client
        self._create = create
        self._gzipped = compression == "gzip"
        self._making_lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        # Groups that this process made, or may have made, and whose retention is not set yet.
        self._unfinished: set[str] = set()

    def put(self, group: str, stream: str, body: bytes, count: int) -> Outcome:
        if self._gzipped:
            body = gzip.compress(body, GZIP_LEVEL, mtime=0)
        carrier = Carrier(body, gzipped=self._gzipped)

        def request(client: CloudWatchLogsClient) -> Outcome:
            try:
                answer = client.put_log_events(
                    logGroupName=group, logStreamName=stream, logEvents=carrier
                )
            except client.exceptions.DataAlreadyAcceptedException:
                return Accepted(0, count)
            return outcomes.accepted(count, answer.get("rejectedLogEventsInfo", {}))

        outcome = self._ask("logs:PutLogEvents", group, request)
        if self._client.sent and not carrier.placed:
            return Denied(
                "BodyNotPlaced",
                "boto3 sent a placeholder and not the batch",
                "use a version of boto3 that this release was tested with",
            )
        if isinstance(outcome, Accepted) and not carrier.answered:
            return Unknown("a success whose content is not CloudWatch's; check AWS_ENDPOINT_URL")
        return outcome

    def create(self, group: str, stream: str, what: Target) -> Created | Unmade:
        note = ""
        if what == "group" or group in self._unfinished:
            # One maker of a group at a time: CreateLogGroup has a quota of 10 a second, and many
            # streams of a new group find it missing at once.
            with self._making_lock:
                making = self._making.setdefault(group, threading.Lock())
            with making:
                made = self._make_group(group)
            if not isinstance(made, Created):
                return _unmade(made)
            note = made.note
        outcome = self._ask(
            "logs:CreateLogStream",
            group,
            lambda client: _made(
                client, client.create_log_stream, logGroupName=group, logStreamName=stream
            ),
        )
        if isinstance(outcome, MissingTarget):
            return MissingTarget("group")
        return Created(note) if isinstance(outcome, bool) else _unmade(outcome)

    def read(
        self, group: str, stream: str, least: int, greatest: int, token: str | None = None
    ) -> Page | Failure:
        where: dict[str, Any] = {} if token is None else {"nextToken": token}
        answer = self._ask(
            "logs:GetLogEvents",
            group,
            lambda client: client.get_log_events(
                logGroupName=group,
                logStreamName=stream,
                startTime=least,
                endTime=greatest + 1,
                startFromHead=True,
                **where,
            ),
        )
        if not isinstance(answer, dict):
            return answer
        # A page without its token or its events is an answer that was cut off.
        following, shown = answer.get("nextForwardToken"), answer.get("events")
        if following is None or shown is None:
            return Unknown("a page of events that is not whole")
        # `endTime` is exclusive, and not everything that speaks this protocol takes it so.
        events = [
            StoredEvent(event["timestamp"], event["message"])
            for event in shown
            if least <= event["timestamp"] <= greatest
        ]
        return Page(events, following, end=following == token)

    def close(self) -> None:
        """Let the connections go."""
        self._client.close()

    def _make_group(self, group: str) -> Created | Failure:
        if not self._create.groups:
            return Denied(
                "GroupMissing",
                f"the log group {group} does not exist",
                "create it, or set create.groups: true",
            )
        wanted: dict[str, Any] = {"logGroupName": group}
        if self._create.class_ != "STANDARD":
            wanted["logGroupClass"] = self._create.class_
        if self._create.tags:
            wanted["tags"] = dict(self._create.tags)
        if self._create.kms_key:
            wanted["kmsKeyId"] = self._create.kms_key
        made = self._ask(
            outcomes.CREATE_GROUP,
            group,
            lambda client: _made(client, client.create_log_group, **wanted),
        )
        if made is True or isinstance(made, Unknown):
            self._unfinished.add(group)
        if not isinstance(made, bool):
            return made
        # Somebody else's group keeps its retention; one of ours may have been made by a request
        # whose answer was lost.
        return self._retain(group) if group in self._unfinished else Created()

    def _retain(self, group: str) -> Created | Failure:
        days = self._create.retention_days
        if days is None:
            self._unfinished.discard(group)
            return Created()
        outcome = self._ask(
            "logs:PutRetentionPolicy",
            group,
            lambda client: client.put_retention_policy(logGroupName=group, retentionInDays=days),
        )
        if isinstance(outcome, Throttled | Unreachable | Unknown | MissingTarget):
            return outcome
        # Logs matter more than how long they are kept: refused, they are kept for ever.
        self._unfinished.discard(group)
        if isinstance(outcome, Denied | Invalid):
            return Created(f"the retention of {group} is not set: {outcome.text}")
        return Created()

    def _ask(
        self, act: str, group: str, request: Callable[[CloudWatchLogsClient], Answer]
    ) -> Answer | Failure:
        """The answer to one request, or the outcome that stands for what was raised instead."""
        try:
            with self._client.lend() as client:
                return request(client)
        except Exception as error:  # noqa: BLE001  the port promises that nothing is raised
            outcome = outcomes.failure(error, act=act, group=group, sent=self._client.sent)
        if outcomes.is_stale(outcome):
            self._client.renew()
        return outcome


def _made(client: CloudWatchLogsClient, make: Callable[..., Any], **wanted: Any) -> bool:
    """Whether this call made it; False where it was there already."""
    try:
        make(**wanted)
    except client.exceptions.ResourceAlreadyExistsException:
        return False
    return True


def _unmade(failure: Failure) -> Unmade:
    """A failure of an act that stores nothing, so that nobody takes it for a word on events."""
    if isinstance(failure, Unknown):
        return Unreachable(failure.message)
    if isinstance(failure, Invalid):
        return Denied("InvalidCreation", failure.message, "correct create in the configuration")
    return failure

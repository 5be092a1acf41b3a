"""The operations on groups, streams and events, from a parsed request to a reply's content.

Every rule of `rules` is applied before anything is stored: a refused call stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import rules
from .batch import EVERYTHING, Content, Visibility
from .errors import ServiceError, invalid, malformed
from .reads import Reads
from .store import Group, Store, Stream

# DescribeLogGroups and DescribeLogStreams: "limit ... Maximum value of 50".
MAX_DESCRIBED = 50
ACCOUNT = "123456789012"
# DescribeLogStreams: lastEventTimestamp "updates on an eventual consistency basis. It typically
# updates in less than an hour": as late as that, here.
DESCRIPTION_LAG_MS = 3600 * 1000

Request = dict[str, Any]
Reply = dict[str, Any]


class Operations:
    """The service without its wire: one method an operation."""

    def __init__(self, store: Store, *, region: str, strict_span: bool = True) -> None:
        self.store = store
        self.region = region
        self.strict_span = strict_span
        self.large_messages = 0
        self.reads = Reads(store)
        self._by_name: dict[str, Callable[[Request], Reply]] = {
            "CreateLogGroup": self.create_log_group,
            "CreateLogStream": self.create_log_stream,
            "DeleteLogGroup": self.delete_log_group,
            "DeleteLogStream": self.delete_log_stream,
            "DescribeLogGroups": self.describe_log_groups,
            "DescribeLogStreams": self.describe_log_streams,
            "ListTagsForResource": self.list_tags_for_resource,
            "PutRetentionPolicy": self.put_retention_policy,
            "TagResource": self.tag_resource,
        }
        self.names = frozenset(self._by_name) | {"PutLogEvents", "GetLogEvents", "FilterLogEvents"}

    def execute(
        self,
        operation: str,
        request: Request,
        visibility: Visibility = EVERYTHING,
        *,
        blind: bool = False,
    ) -> Reply:
        """Does one request; raises ServiceError.

        `visibility` concerns what is put, and `blind` reads, which then find nothing.
        """
        if operation == "PutLogEvents":
            return self.put_log_events(request, visibility)
        if operation == "GetLogEvents":
            return self.reads.get_log_events(request, blind=blind)
        if operation == "FilterLogEvents":
            return self.reads.filter_log_events(request, blind=blind)
        try:
            operate = self._by_name[operation]
        except KeyError:
            raise ServiceError("UnknownOperationException", operation) from None
        return operate(request)

    def put_log_events(self, request: Request, visibility: Visibility = EVERYTHING) -> Reply:
        """Checks the whole batch, then stores what is neither too old nor too new."""
        group = rules.check_group_name(request.get("logGroupName"))
        stream = rules.check_stream_name(request.get("logStreamName"))
        content = Content.of(rules.check_count(request.get("logEvents")))
        rules.check_sizes(content.sizes)
        rules.check_order(content.timestamps)
        if self.strict_span:
            rules.check_span(content.timestamps)
        else:
            self._check_valid_span(group, content)
        refusals = self.store.append(group, stream, content, visibility)
        if max(content.sizes) > rules.PRACTICAL_MESSAGE_BYTES:
            self.large_messages += sum(
                size > rules.PRACTICAL_MESSAGE_BYTES for size in content.sizes
            )
        info = refusals.info()
        # Ignored by the service since 2023, and still given out.
        reply: Reply = {"nextSequenceToken": "49640912821178817833517986466168945147170627572855"}
        return reply | {"rejectedLogEventsInfo": info} if info else reply

    def _check_valid_span(self, group: str, content: Content) -> None:
        found = self.store.group(group)
        now_ms = self.store.clock.now_ms()
        first, last = rules.refusals(content.timestamps, now_ms, found.retention_days).stored
        rules.check_span(content.timestamps[first:last])

    def create_log_group(self, request: Request) -> Reply:
        """With class, tags and key, all checked before the group exists."""
        name = rules.check_new_group_name(request.get("logGroupName"))
        class_ = request.get("logGroupClass", "STANDARD")
        if class_ not in rules.CLASSES:
            raise rules.constraint(class_, "logGroupClass", "Member must satisfy enum value set")
        tags = rules.check_tags(request["tags"]) if "tags" in request else {}
        group = self.store.create_group(name, class_=class_, kms_key=request.get("kmsKeyId"))
        group.tags.update(tags)
        return {}

    def delete_log_group(self, request: Request) -> Reply:
        """Removes the group with all its streams."""
        self.store.delete_group(rules.check_group_name(request.get("logGroupName")))
        return {}

    def create_log_stream(self, request: Request) -> Reply:
        """In a group that exists."""
        group = rules.check_group_name(request.get("logGroupName"))
        self.store.create_stream(group, rules.check_stream_name(request.get("logStreamName")))
        return {}

    def delete_log_stream(self, request: Request) -> Reply:
        """Removes the stream with all its events."""
        group = rules.check_group_name(request.get("logGroupName"))
        self.store.delete_stream(group, rules.check_stream_name(request.get("logStreamName")))
        return {}

    def put_retention_policy(self, request: Request) -> Reply:
        """One of the offered numbers of days."""
        group = self.store.group(rules.check_group_name(request.get("logGroupName")))
        group.retention_days = rules.check_retention(request.get("retentionInDays"))
        return {}

    def tag_resource(self, request: Request) -> Reply:
        """Adds tags to a group, named by its ARN without the final `:*`."""
        group = self.store.group_named(request.get("resourceArn"), "resourceArn")
        tags = rules.check_tags(request.get("tags"))
        if len(group.tags | tags) > rules.MAX_TAGS:
            raise ServiceError("TooManyTagsException", "A resource can have no more than 50 tags.")
        group.tags.update(tags)
        return {}

    def list_tags_for_resource(self, request: Request) -> Reply:
        """The tags of a group, named by its ARN."""
        return {"tags": self.store.group_named(request.get("resourceArn"), "resourceArn").tags}

    def describe_log_groups(self, request: Request) -> Reply:
        """Pages of groups in order of name, by prefix or by a part of the name."""
        prefix = request.get("logGroupNamePrefix", "")
        part = request.get("logGroupNamePattern", "")
        if prefix and part:
            raise invalid("LogGroup name prefix and LogGroup name pattern are exclusive.")
        found = [
            group
            for name, group in sorted(self.store.groups.items())
            if name.startswith(prefix) and part.lower() in name.lower()
        ]
        page, token = _page(found, request)
        reply: Reply = {"logGroups": [self._describe_group(group) for group in page]}
        return reply | {"nextToken": token} if token else reply

    def describe_log_streams(self, request: Request) -> Reply:
        """Pages of streams; their times are an hour behind, so they prove no delivery."""
        group = self.store.group_of(request)
        prefix = request.get("logStreamNamePrefix", "")
        order = request.get("orderBy", "LogStreamName")
        if order == "LastEventTime" and prefix:
            raise invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams = [s for s in list(group.streams.values()) if s.name.startswith(prefix)]
        described = [self._describe_stream(group, stream) for stream in streams]
        described.sort(
            key=lambda d: (
                (d.get("lastEventTimestamp", 0), d["logStreamName"])
                if order == "LastEventTime"
                else (0, d["logStreamName"])
            ),
            reverse=bool(request.get("descending")),
        )
        page, token = _page(described, request)
        reply: Reply = {"logStreams": page}
        return reply | {"nextToken": token} if token else reply

    def _arn(self, group: Group) -> str:
        return f"arn:aws:logs:{self.region}:{ACCOUNT}:log-group:{group.name}"

    def _describe_group(self, group: Group) -> Reply:
        described: Reply = {
            "logGroupName": group.name,
            "creationTime": group.created_at,
            "metricFilterCount": 0,
            "arn": self._arn(group) + ":*",
            "logGroupArn": self._arn(group),
            "storedBytes": 0,
            "logGroupClass": group.class_,
        }
        if group.retention_days is not None:
            described["retentionInDays"] = group.retention_days
        if group.kms_key is not None:
            described["kmsKeyId"] = group.kms_key
        return described

    def _describe_stream(self, group: Group, stream: Stream) -> Reply:
        described: Reply = {
            "logStreamName": stream.name,
            "creationTime": stream.created_at,
            "arn": f"{self._arn(group)}:log-stream:{stream.name}",
            "storedBytes": 0,
        }
        shown_until = self.store.clock.now_ms() - DESCRIPTION_LAG_MS
        shown = [b for b in stream.batches.copy() if b.stored_at <= shown_until]
        if shown:
            described["firstEventTimestamp"] = min(b.timestamps[0] for b in shown)
            described["lastEventTimestamp"] = max(b.timestamps[-1] for b in shown)
            described["lastIngestionTime"] = shown[-1].stored_at
        return described


def _page(found: list[Any], request: Request) -> tuple[list[Any], str | None]:
    """At most `limit` of what was found behind the token, and the next token."""
    limit = request.get("limit", MAX_DESCRIBED)
    if not isinstance(limit, int) or not 1 <= limit <= MAX_DESCRIBED:
        raise rules.constraint(limit, "limit", "Member must be between 1 and 50")
    token = request.get("nextToken", "0")
    if not isinstance(token, str):
        raise malformed("nextToken is a string")
    if not token.isdigit():
        raise invalid("The specified nextToken is invalid.")
    begin = int(token)
    end = begin + limit
    return found[begin:end], str(end) if end < len(found) else None

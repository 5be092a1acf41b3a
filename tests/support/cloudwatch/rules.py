"""The rules of CloudWatch Logs for names and for PutLogEvents, as plain functions.

Limits: docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference, PutLogEvents, CreateLogGroup,
CreateLogStream and PutRetentionPolicy, and botocore's model of the service.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import UnlawfulError, invalid

# PutLogEvents: "The maximum batch size is 1,048,576 bytes. This size is calculated as the sum of
# all event messages in UTF-8, plus 26 bytes for each log event."
MAX_BATCH_BYTES = 1_048_576
EVENT_OVERHEAD = 26
# "The maximum number of log events in a batch is 10,000."
MAX_BATCH_EVENTS = 10_000
# "Each log event can be no larger than 1 MB", counted like the batch.
MAX_MESSAGE_BYTES = MAX_BATCH_BYTES - EVENT_OVERHEAD
# Above this a message is lawful by the letter, and the double counts it.
PRACTICAL_MESSAGE_BYTES = 1_000_000
# "A batch of log events in a single request cannot span more than 24 hours."
MAX_SPAN_MS = 24 * 3600 * 1000
# "None of the log events in the batch can be more than 2 hours in the future."
MAX_AHEAD_MS = 2 * 3600 * 1000
# "None of the log events in the batch can be more than 14 days in the past."
MAX_AGE_MS = 14 * 24 * 3600 * 1000
DAY_MS = 24 * 3600 * 1000
# PutRetentionPolicy, retentionInDays, "Possible values".
# fmt: off
RETENTION_DAYS = frozenset({
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731,
    1096, 1827, 2192, 2557, 2922, 3288, 3653,
})
# fmt: on
# CreateLogGroup: length, pattern and "Log group names can't start with the string aws/".
MAX_NAME = 512
GROUP_PATTERN = re.compile(r"[.\-_/#A-Za-z0-9]+")
RESERVED_GROUP_PREFIX = "aws/"
# CreateLogStream: "Do not use ':' (colon) or '*' (asterisk) characters."
STREAM_PATTERN = re.compile(r"[^:*]+")
# CreateLogGroup, logGroupClass in botocore's model.
CLASSES = frozenset(("STANDARD", "INFREQUENT_ACCESS", "DELIVERY", "ESSENTIALS"))
# TagResource: at most 50 tags, keys 1-128 characters, values at most 256.
MAX_TAGS = 50
MAX_TAG_KEY = 128
MAX_TAG_VALUE = 256
TAG_PATTERN = re.compile(r"[\w\s.:/=+\-@]*")


def constraint(value: object, field: str, rule: str) -> UnlawfulError:
    """The wording of the service's own model checks."""
    shown = str(value)
    shown = shown if len(shown) <= 100 else shown[:100] + "…"
    return invalid(
        f"1 validation error detected: Value '{shown}' at '{field}' failed to satisfy "
        f"constraint: {rule}"
    )


def check_group_name(name: object, field: str = "logGroupName") -> str:
    """The name, when it is one CloudWatch accepts."""
    if not isinstance(name, str) or not name:
        raise constraint(name, field, "Member must have length greater than or equal to 1")
    if len(name) > MAX_NAME:
        raise constraint(name, field, "Member must have length less than or equal to 512")
    if not GROUP_PATTERN.fullmatch(name):
        raise constraint(
            name, field, r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
        )
    return name


def check_new_group_name(name: object) -> str:
    """The name, when a group may be created under it."""
    checked = check_group_name(name)
    if checked.startswith(RESERVED_GROUP_PREFIX):
        raise invalid("Log groups starting with aws/ are reserved for AWS.")
    return checked


def check_stream_name(name: object, field: str = "logStreamName") -> str:
    """The name, when it is one CloudWatch accepts."""
    if not isinstance(name, str) or not name:
        raise constraint(name, field, "Member must have length greater than or equal to 1")
    if len(name) > MAX_NAME:
        raise constraint(name, field, "Member must have length less than or equal to 512")
    if not STREAM_PATTERN.fullmatch(name):
        raise constraint(name, field, "Member must satisfy regular expression pattern: [^:*]*")
    return name


def check_tags(tags: object) -> dict[str, str]:
    """The tags, when each key and value is lawful."""
    if not isinstance(tags, dict) or not 1 <= len(tags) <= MAX_TAGS:
        raise constraint(tags, "tags", "Member must have between 1 and 50 entries")
    for key, value in tags.items():
        lawful = (
            isinstance(value, str)
            and 1 <= len(key) <= MAX_TAG_KEY
            and len(value) <= MAX_TAG_VALUE
            and TAG_PATTERN.fullmatch(key)
            and TAG_PATTERN.fullmatch(value)
            and not key.lower().startswith("aws:")
        )
        if not lawful:
            raise constraint(f"{key}={value}", "tags", "Member must be a lawful tag")
    return tags


def check_retention(days: object) -> int:
    """The number of days, when CloudWatch offers it."""
    if not isinstance(days, int) or days not in RETENTION_DAYS:
        raise constraint(days, "retentionInDays", "Member must be one of the offered numbers")
    return days


def check_count(events: object) -> list[object]:
    """The list of events, when it has 1 to 10,000."""
    if not isinstance(events, list) or not events:
        raise constraint(events, "logEvents", "Member must have length greater than or equal to 1")
    if len(events) > MAX_BATCH_EVENTS:
        raise constraint(
            f"[{len(events)} events]",
            "logEvents",
            "Member must have length less than or equal to 10000",
        )
    return events


def check_sizes(sizes: Sequence[int]) -> None:
    """No message is empty or over the bound, and the batch fits; sizes are UTF-8 bytes."""
    if min(sizes) == 0:
        raise constraint(
            "",
            f"logEvents.{list(sizes).index(0) + 1}.member.message",
            "Member must have length greater than or equal to 1",
        )
    largest = max(sizes)
    if largest > MAX_MESSAGE_BYTES:
        raise invalid(
            f"Log event too large: {largest + EVENT_OVERHEAD} bytes exceeds limit of "
            f"{MAX_BATCH_BYTES}"
        )
    total = sum(sizes) + EVENT_OVERHEAD * len(sizes)
    if total > MAX_BATCH_BYTES:
        raise invalid(f"Upload too large: {total} bytes exceeds limit of {MAX_BATCH_BYTES}")


def check_order(timestamps: list[int]) -> None:
    """The timestamps never go back."""
    # Sorting a sorted list is one pass in C, faster than any comparison in Python.
    if timestamps != sorted(timestamps):
        raise invalid("Log events in a single PutLogEvents request must be in chronological order.")
    if timestamps[0] < 0:
        raise constraint(timestamps[0], "logEvents.1.member.timestamp", "Member must be at least 0")


def check_span(timestamps: Sequence[int]) -> None:
    """The ordered timestamps lie within 24 hours."""
    if timestamps and timestamps[-1] - timestamps[0] > MAX_SPAN_MS:
        raise invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than "
            "24 hours."
        )


@dataclass(frozen=True)
class Refusals:
    """Which events of an accepted batch are not stored."""

    count: int
    too_old_end: int
    expired_end: int
    too_new_start: int

    @property
    def stored(self) -> tuple[int, int]:
        """The half-open range of indexes that is stored."""
        first = max(self.too_old_end, self.expired_end)
        return first, max(first, self.too_new_start)

    def info(self) -> dict[str, int]:
        """`rejectedLogEventsInfo`; empty when everything is stored."""
        answer: dict[str, int] = {}
        if self.too_new_start < self.count:
            answer["tooNewLogEventStartIndex"] = self.too_new_start
        if self.too_old_end:
            answer["tooOldLogEventEndIndex"] = self.too_old_end
        if self.expired_end:
            answer["expiredLogEventEndIndex"] = self.expired_end
        return answer


def refusals(timestamps: Sequence[int], now_ms: int, retention_days: int | None) -> Refusals:
    """Applies the rules of age to ordered timestamps; the two end indexes are exclusive."""
    expired = 0
    if retention_days is not None:
        expired = bisect_left(timestamps, now_ms - retention_days * DAY_MS)
    return Refusals(
        count=len(timestamps),
        too_old_end=bisect_left(timestamps, now_ms - MAX_AGE_MS),
        expired_end=expired,
        too_new_start=bisect_right(timestamps, now_ms + MAX_AHEAD_MS),
    )

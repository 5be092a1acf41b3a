"""What one PutLogEvents request carries: its limits and its JSON body.

A body is encoded once and sent as it is, however often. The plain way, one dict an event and one
call of orjson, stands: putting encoded messages together by replacing their separators took
between 0.8 and 2.1 times as long (tests/benchmarks/encode.py), which is not worth a trick.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Final

import orjson

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
# "The maximum batch size is 1,048,576 bytes. This size is calculated as the sum of all event
# messages in UTF-8, plus 26 bytes for each log event."
MAX_BATCH_BYTES: Final = 1_048_576
EVENT_OVERHEAD: Final = 26
# Same page: "The maximum number of log events in a batch is 10,000."
MAX_EVENTS: Final = 10_000
# Same page: "A batch of log events in a single request cannot span more than 24 hours."
MAX_SPAN_MS: Final = 24 * 60 * 60 * 1000
# Same page: "None of the log events in the batch can be more than 2 hours in the future."
MAX_AHEAD_MS: Final = 2 * 60 * 60 * 1000
# Same page: "None of the log events in the batch can be more than 14 days in the past."
MAX_AGE_MS: Final = 14 * 24 * 60 * 60 * 1000
# Follows from the first two: one event alone in a batch.
MAX_MESSAGE_BYTES: Final = MAX_BATCH_BYTES - EVENT_OVERHEAD

_EVENTS_KEY: Final = b'"logEvents":'
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def body(group: str, stream: str, timestamps: Sequence[int], messages: Sequence[str]) -> bytes:
    """The JSON of a request with these events (ms since the epoch, text), in this order.

    A lone surrogate, which has no UTF-8, becomes U+FFFD: of the same three bytes, so sizes hold.
    """
    try:
        return _encoded(group, stream, timestamps, messages)
    except TypeError:
        # orjson refuses lone surrogates, with its only TypeError for text and whole numbers.
        clean = [without_surrogates(message) for message in messages]
        return _encoded(without_surrogates(group), without_surrogates(stream), timestamps, clean)


def decode(body: bytes) -> list[tuple[int, str]]:
    """The (timestamp, message) pairs of a body: for refusals, which are rare."""
    return [(event["timestamp"], event["message"]) for event in orjson.loads(body)["logEvents"]]


def crc(body: bytes) -> int:
    """CRC-32 of the events of a body, the same whichever group and stream it names."""
    # The names stand before the events; a quote in a name is escaped, so it cannot look like a key.
    start = body.index(_EVENTS_KEY)
    return zlib.crc32(memoryview(body)[start:-1])


def message_bytes(message: str) -> int:
    """The size of a message in UTF-8, as CloudWatch counts it, without the overhead."""
    if message.isascii():
        return len(message)
    return len(message.encode("utf-8", "surrogatepass"))


def batch_bytes(sizes: Sequence[int]) -> int:
    """What a batch of messages of these sizes counts against MAX_BATCH_BYTES."""
    return sum(sizes) + EVENT_OVERHEAD * len(sizes)


def without_surrogates(text: str) -> str:
    """`text` with U+FFFD for each lone surrogate."""
    return _LONE_SURROGATE.sub(_REPLACEMENT, text)


def _encoded(group: str, stream: str, timestamps: Sequence[int], messages: Sequence[str]) -> bytes:
    return orjson.dumps(
        {
            "logGroupName": group,
            "logStreamName": stream,
            "logEvents": [
                {"timestamp": timestamp, "message": message}
                for timestamp, message in zip(timestamps, messages, strict=True)
            ],
        }
    )

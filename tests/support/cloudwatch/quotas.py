"""The account's quotas a second, where a test wants them: more is ThrottlingException."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from .clock import Clock
from .errors import ServiceError

# docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html, the lower number
# where regions differ.
ACCOUNT_QUOTAS: Mapping[str, float] = {
    "PutLogEvents": 5000,
    "CreateLogStream": 50,
    "CreateLogGroup": 10,
    "DescribeLogGroups": 10,
    "DescribeLogStreams": 25,
    "GetLogEvents": 10,
    "FilterLogEvents": 5,
}


class Quotas:
    """A bucket an operation, filled by the service's clock, holding one second's worth."""

    def __init__(self, clock: Clock, per_second: Mapping[str, float] | None = None) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.per_second = dict(per_second or {})
        self._buckets: dict[str, tuple[int, float]] = {}

    def take(self, operation: str) -> None:
        """Takes one request's worth; raises ThrottlingException when none is left."""
        rate = self.per_second.get(operation)
        if rate is None:
            return
        with self._lock:
            now_ms = self._clock.now_ms()
            filled_ms, left = self._buckets.get(operation, (now_ms, rate))
            left = min(rate, left + rate * max(0, now_ms - filled_ms) / 1000)
            enough = left >= 1
            self._buckets[operation] = (now_ms, left - 1 if enough else left)
        if not enough:
            raise ServiceError("ThrottlingException", "Rate exceeded")

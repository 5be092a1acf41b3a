"""Contents that are to be kept in a bucket before their manifest is shipped: whose turn it is.

A bucket that refuses is tried again without end, with a pause that grows; what waits for it holds
up neither other buckets nor logs.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from sidecar.health import Degradation
from sidecar.model.backoff import delay
from sidecar.model.stored_object import Refused, StoredObject, Torn, Wanted

log = structlog.get_logger(__name__)


class Outcome(Protocol):
    """One upload and what came of it."""

    @property
    def path(self) -> str: ...
    @property
    def wanted(self) -> Wanted: ...
    @property
    def outcome(self) -> StoredObject | Torn | Refused: ...


class Uploads(Protocol):
    """Carries contents to their buckets, on threads of its own."""

    @property
    def most(self) -> int: ...
    def request(self, path: str, wanted: Wanted) -> None: ...
    def outcomes(self) -> Sequence[Outcome]: ...


@dataclass(slots=True)
class _Trouble:
    text: str
    failures: int
    until: float


class Storing:
    """The artifacts that wait for their turn, bucket by bucket. Owned by the pump."""

    def __init__(self, uploads: Uploads) -> None:
        self._uploads = uploads
        self._waiting: deque[tuple[str, Wanted]] = deque()
        self._under_way: dict[str, str] = {}
        """The buckets of the uploads under way, by path."""
        self._troubles: dict[str, _Trouble] = {}

    @property
    def held_back(self) -> int:
        """Contents that wait for a bucket which refuses."""
        return sum(wanted.bucket in self._troubles for _, wanted in self._waiting)

    def add(self, path: str, wanted: Wanted) -> None:
        """Have it kept; `step` gives the outcome, once."""
        self._waiting.append((path, wanted))

    def step(self, now: float) -> list[tuple[str, StoredObject | Torn]]:
        """What has come out, and the next uploads begun."""
        done: list[tuple[str, StoredObject | Torn]] = []
        for each in self._uploads.outcomes():
            del self._under_way[each.path]
            if isinstance(each.outcome, Refused):
                self._refused(each.path, each.wanted, each.outcome, now)
                continue
            bucket = each.wanted.bucket
            if isinstance(each.outcome, StoredObject) and bucket in self._troubles:
                del self._troubles[bucket]
                log.info("bucket_takes_artifacts_again", bucket=bucket)
            done.append((each.path, each.outcome))
        self._begin(now)
        return done

    def next_due(self) -> float:
        """When the first pause ends."""
        dues = (
            self._troubles[wanted.bucket].until
            for _, wanted in self._waiting
            if wanted.bucket in self._troubles
        )
        return min(dues, default=float("inf"))

    def degradations(self) -> Iterator[Degradation]:
        for trouble in self._troubles.values():
            yield Degradation("artifact_store", trouble.text)
            return

    def _begin(self, now: float) -> None:
        for _ in range(len(self._waiting)):
            if len(self._under_way) >= self._uploads.most:
                return
            path, wanted = self._waiting.popleft()
            if self._may_begin(wanted.bucket, now):
                self._under_way[path] = wanted.bucket
                self._uploads.request(path, wanted)
            else:
                self._waiting.append((path, wanted))

    def _may_begin(self, bucket: str, now: float) -> bool:
        """One at a time is tried where the last one was refused."""
        trouble = self._troubles.get(bucket)
        if trouble is None:
            return True
        return now >= trouble.until and bucket not in self._under_way.values()

    def _refused(self, path: str, wanted: Wanted, refused: Refused, now: float) -> None:
        known = self._troubles.get(wanted.bucket)
        if known is None or known.text != refused.text:
            log.warning(
                "artifact_not_stored", path=path, bucket=wanted.bucket, problem=refused.text
            )
        failures = known.failures + 1 if known is not None else 1
        until = now + delay(failures, random.random)
        self._troubles[wanted.bucket] = _Trouble(refused.text, failures, until)
        self._waiting.append((path, wanted))

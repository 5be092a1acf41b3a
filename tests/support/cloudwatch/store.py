"""What the service keeps: groups, their streams, and every batch in order of arrival.

Nothing is ever recognised as sent before: storing twice stores twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from . import rules
from .batch import EVERYTHING, Batch, Content, Visibility
from .clock import Clock
from .errors import exists, invalid, missing


@dataclass(eq=False)
class Stream:
    """A log stream; `batches` are in order of arrival."""

    name: str
    created_at: int
    batches: list[Batch] = field(default_factory=list)
    count: int = 0


@dataclass(eq=False)
class Group:
    """A log group."""

    name: str
    created_at: int
    class_: str = "STANDARD"
    kms_key: str | None = None
    retention_days: int | None = None
    tags: dict[str, str] = field(default_factory=dict)
    streams: dict[str, Stream] = field(default_factory=dict)


class Store:
    """Every group; each method is one atomic step, for use by many threads."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.groups: dict[str, Group] = {}
        self._lock = threading.Lock()
        self._arrivals = 0

    def create_group(
        self, name: str, *, class_: str = "STANDARD", kms_key: str | None = None
    ) -> Group:
        """A new empty group; raises when the name is taken."""
        with self._lock:
            if name in self.groups:
                raise exists("group")
            group = Group(name, self.clock.now_ms(), class_, kms_key)
            self.groups[name] = group
            return group

    def create_stream(self, group_name: str, name: str) -> Stream:
        """A new empty stream; raises when the group is missing or the name is taken."""
        with self._lock:
            group = self.group(group_name)
            if name in group.streams:
                raise exists("stream")
            stream = Stream(name, self.clock.now_ms())
            group.streams[name] = stream
            return stream

    def delete_group(self, name: str) -> None:
        """Removes the group and all it holds; raises when it is missing."""
        with self._lock:
            self.group(name)
            del self.groups[name]

    def delete_stream(self, group_name: str, name: str) -> None:
        """Removes the stream and all it holds; raises when it is missing."""
        with self._lock:
            self.stream(group_name, name)
            del self.groups[group_name].streams[name]

    def group(self, name: str) -> Group:
        """The group; raises ResourceNotFoundException."""
        try:
            return self.groups[name]
        except KeyError:
            raise missing("group") from None

    def stream(self, group_name: str, name: str) -> Stream:
        """The stream; raises ResourceNotFoundException, for the group first."""
        try:
            return self.group(group_name).streams[name]
        except KeyError:
            raise missing("stream") from None

    def group_of(self, request: dict[str, Any]) -> Group:
        """The group a request names by `logGroupName` or `logGroupIdentifier`, not both."""
        name, identifier = request.get("logGroupName"), request.get("logGroupIdentifier")
        if (name is None) == (identifier is None):
            raise invalid("Exactly one of logGroupName and logGroupIdentifier is required.")
        if name is not None:
            return self.group(rules.check_group_name(name))
        return self.group_named(identifier, "logGroupIdentifier")

    def group_named(self, identifier: object, field_name: str) -> Group:
        """The group with this name or ARN, the latter without the final `:*`."""
        if not isinstance(identifier, str) or identifier.endswith("*"):
            raise rules.constraint(identifier, field_name, "Member must be a name or an ARN")
        return self.group(identifier.rpartition(":log-group:")[2])

    def append(
        self,
        group_name: str,
        stream_name: str,
        content: Content,
        visibility: Visibility = EVERYTHING,
    ) -> rules.Refusals:
        """Stores what the rules of age admit, and says what they do not."""
        with self._lock:
            stream = self.stream(group_name, stream_name)
            now_ms = self.clock.now_ms()
            retention = self.groups[group_name].retention_days
            refusals = rules.refusals(content.timestamps, now_ms, retention)
            first, last = refusals.stored
            if first < last:
                self._arrivals += 1
                batch = Batch.of(
                    content,
                    (first, last),
                    stream=stream_name,
                    number=self._arrivals,
                    now_ms=now_ms,
                    visibility=visibility,
                )
                stream.batches.append(batch)
                stream.count += len(batch)
            return refusals

    def batches(self, group_name: str, stream_name: str) -> list[Batch]:
        """A copy of the stream's list of batches; empty when there is no such stream."""
        with self._lock:
            group = self.groups.get(group_name)
            stream = group.streams.get(stream_name) if group else None
            return list(stream.batches) if stream else []

    def every_stream(self) -> Iterator[tuple[Group, Stream]]:
        """All streams, sorted by group and name."""
        with self._lock:
            found = [(g, s) for g in self.groups.values() for s in g.streams.values()]
        yield from sorted(found, key=lambda pair: (pair[0].name, pair[1].name))

"""A destination in memory, for stepping the shipper: lawful, scripted, and stricter than the
service, since an unlawful batch is an AssertionError and not an outcome.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from sidecar.delivery import encode
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
    Unknown,
    Unmade,
    Unreachable,
)

_DAY_MS = 24 * 60 * 60 * 1000
_GROUP = re.compile(r"(?!aws/)[.\-_/#A-Za-z0-9]{1,512}")
_STREAM = re.compile(r"[^:*]{1,512}")


@dataclass(frozen=True)
class LostReply:
    """Scripted: the batch is stored as usual, and the answer is Unknown."""


@dataclass(frozen=True)
class LostRequest:
    """Scripted: nothing is stored, and the answer is Unknown."""


Scripted: TypeAlias = Failure | LostReply | LostRequest | Accepted


@dataclass(eq=False)
class StoredBatch:
    """What one put stored, in order."""

    events: list[StoredEvent]
    visible: bool = True


@dataclass(frozen=True)
class Put:
    """One call of put and what came of it."""

    group: str
    stream: str
    events: list[StoredEvent]
    outcome: Outcome


@dataclass(eq=False)
class FakeDestination:
    """Groups, streams and batches in memory.

    `down`: every act is Unreachable. `hiding`: what is stored meanwhile is not readable before
    `show()`. `poison`: a batch with a message that contains it is Invalid. `now_ms` is the
    service's clock, for ages. Batches may be scripted, stream by stream; an `Accepted` in a script
    stands for the usual, whatever it says. `puts` is every call, in order.
    """

    now_ms: Callable[[], int]
    may_create_groups: bool = True
    retention_days: int | None = None
    page_events: int = 10_000
    down: bool = False
    hiding: bool = False
    poison: str | None = None
    denied: Denied | None = None
    puts: list[Put] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._groups: dict[str, dict[str, list[StoredBatch]]] = {}
        self._scripts: defaultdict[str, deque[Scripted]] = defaultdict(deque)
        self._lock = threading.RLock()

    def script(self, stream: str, *outcomes: Scripted) -> None:
        """What the next puts to `stream` come to; after the last one it is as usual again."""
        self._scripts[stream].extend(outcomes)

    def make(self, group: str, stream: str) -> None:
        """Have the group and the stream from the start."""
        self._groups.setdefault(group, {}).setdefault(stream, [])

    def delete_group(self, group: str) -> None:
        """Somebody deletes it, with all that it holds."""
        del self._groups[group]

    def delete_stream(self, group: str, stream: str) -> None:
        """Somebody deletes it, with all that it holds."""
        del self._groups[group][stream]

    def show(self) -> None:
        """Everything stored so far becomes readable, and so does what follows."""
        self.hiding = False
        for batch in self._batches():
            batch.visible = True

    def events(self, group: str, stream: str) -> list[StoredEvent]:
        """All that is stored, readable or not, in the order CloudWatch shows."""
        batches = self._groups.get(group, {}).get(stream, [])
        return _chronological(batches)

    def messages(self, group: str, stream: str) -> list[str]:
        """The messages of `events`."""
        return [event.message for event in self.events(group, stream)]

    def streams(self, group: str) -> list[str]:
        """The names of the streams that exist."""
        return sorted(self._groups.get(group, {}))

    def put(self, group: str, stream: str, body: bytes, count: int) -> Outcome:
        events = [StoredEvent(*event) for event in encode.decode(body)]
        assert_lawful(group, stream, events, count)
        with self._lock:
            self.acts["put"] += 1
            outcome = self._outcome(group, stream, events)
            self.puts.append(Put(group, stream, events, outcome))
            return outcome

    def create(self, group: str, stream: str, what: Target) -> Created | Unmade:
        _assert_names(group, stream)
        with self._lock:
            self.acts["create"] += 1
            if (trouble := self._trouble()) is not None:
                return trouble
            if group not in self._groups:
                if what == "stream":
                    return MissingTarget("group")
                if not self.may_create_groups:
                    return Denied("GroupMissing", f"{group} does not exist", "create it")
            self.make(group, stream)
            return Created()

    def read(
        self, group: str, stream: str, least: int, greatest: int, token: str | None = None
    ) -> Page | Failure:
        with self._lock:
            self.acts["read"] += 1
            if (trouble := self._trouble() or self._missing(group, stream)) is not None:
                return trouble
            readable = [batch for batch in self._groups[group][stream] if batch.visible]
            found = [e for e in _chronological(readable) if least <= e.timestamp <= greatest]
            first = int(token or 0)
            page = found[first : first + self.page_events]
            following = str(first + len(page))
            return Page(page, following, end=following == token)

    def _outcome(self, group: str, stream: str, events: list[StoredEvent]) -> Outcome:
        if (trouble := self._trouble()) is not None:
            return trouble
        script = self._scripts[stream]
        scripted = script.popleft() if script else None
        if isinstance(scripted, LostRequest):
            return Unknown("the request was lost")
        if scripted is not None and not isinstance(scripted, LostReply | Accepted):
            return scripted
        outcome = self._store(group, stream, events)
        if isinstance(scripted, LostReply):
            return Unknown("the reply was lost")
        return outcome

    def _store(self, group: str, stream: str, events: list[StoredEvent]) -> Outcome:
        missing = self._missing(group, stream)
        if missing is not None:
            return missing
        if self.poison is not None and any(self.poison in event.message for event in events):
            return Invalid("InvalidParameterException: poisoned")
        outcome = self._judge(events)
        if outcome.first < outcome.last:
            batch = StoredBatch(events[outcome.first : outcome.last], visible=not self.hiding)
            self._groups[group][stream].append(batch)
        return outcome

    def _judge(self, events: list[StoredEvent]) -> Accepted:
        """The rules of age; timestamps are in order."""
        now = self.now_ms()
        kept_since = now - (self.retention_days or 36500) * _DAY_MS
        too_old = sum(event.timestamp < now - encode.MAX_AGE_MS for event in events)
        first = max(too_old, sum(event.timestamp < kept_since for event in events))
        too_new = sum(event.timestamp > now + encode.MAX_AHEAD_MS for event in events)
        return Accepted(first, len(events) - too_new, too_old, first - too_old, too_new)

    def _trouble(self) -> Unreachable | Denied | None:
        return Unreachable("the network is down") if self.down else self.denied

    def _missing(self, group: str, stream: str) -> MissingTarget | None:
        if group not in self._groups:
            return MissingTarget("group")
        return None if stream in self._groups[group] else MissingTarget("stream")

    def _batches(self) -> list[StoredBatch]:
        return [
            batch
            for streams in self._groups.values()
            for batches in streams.values()
            for batch in batches
        ]


def assert_lawful(group: str, stream: str, events: list[StoredEvent], count: int) -> None:
    """Every rule of PutLogEvents that a batch must keep, whatever its age; 24 h over all events."""
    _assert_names(group, stream)
    assert count == len(events), f"the batch says {count} events and has {len(events)}"
    assert 1 <= count <= encode.MAX_EVENTS, f"{count} events in a batch"
    sizes = [len(event.message.encode()) for event in events]
    assert min(sizes) > 0, "an empty message"
    assert encode.batch_bytes(sizes) <= encode.MAX_BATCH_BYTES, "a batch too large"
    times = [event.timestamp for event in events]
    assert times[0] >= 0, "a negative timestamp"
    assert times == sorted(times), "not in chronological order"
    assert times[-1] - times[0] <= encode.MAX_SPAN_MS, "more than 24 hours in a batch"


def _assert_names(group: str, stream: str) -> None:
    assert _GROUP.fullmatch(group), f"no lawful log group: {group!r}"
    assert _STREAM.fullmatch(stream), f"no lawful log stream: {stream!r}"


def _chronological(batches: list[StoredBatch]) -> list[StoredEvent]:
    events = [event for batch in batches for event in batch.events]
    return sorted(events, key=lambda event: event.timestamp)

"""GetLogEvents and FilterLogEvents: what is visible now, page by page."""

from __future__ import annotations

from itertools import count
from typing import Any

from . import rules
from .errors import ServiceError, invalid
from .reading import (
    LATEST,
    MAX_PAGE_EVENTS,
    Position,
    Slice,
    before,
    behind,
    ordered,
    parse_token,
    take,
)
from .store import Group, Store

Request = dict[str, Any]
Reply = dict[str, Any]


class Reads:
    """The two operations that give events back."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._marks = count(1)

    def get_log_events(self, request: Request, *, blind: bool = False) -> Reply:
        """One page of one stream; the token that leads on repeats at the end."""
        group = self._group(request)
        name = rules.check_stream_name(request.get("logStreamName"))
        self._store.stream(group.name, name)
        limit = _limit(request)
        begin, end = _range(request, group, self._store.clock.now_ms())
        direction, given = ("f" if request.get("startFromHead") else "b"), None
        if "nextToken" in request:
            direction, given = parse_token(request["nextToken"])
            if direction == "f" and not request.get("startFromHead"):
                raise invalid("A nextForwardToken needs startFromHead to be true.")
        if given is not None and direction == "f":
            begin = max(begin, given)
        elif given is not None:
            end = min(end, given)
        now_ms = self._store.clock.now_ms()
        batches = [] if blind else self._store.batches(group.name, name)
        slices = ordered(batches, now_ms, begin, end)
        page = take(slices, limit, backward=direction == "b")
        forward, backward = (behind(page), before(page)) if page else (begin, end)
        reply = {
            "events": [event for piece in page for event in _events(piece)],
            "nextForwardToken": forward.token("f"),
            "nextBackwardToken": backward.token("b"),
        }
        if not page and given is not None:
            # Letter by letter the same, or clients would not know the end.
            side = "nextForwardToken" if direction == "f" else "nextBackwardToken"
            reply[side] = request["nextToken"]
        return reply

    def get_nothing(self, request: Request) -> Reply:
        """An empty page although more follows: "this operation can return empty results"."""
        group = self._group(request)
        name = rules.check_stream_name(request.get("logStreamName"))
        self._store.stream(group.name, name)
        mark = f"e{next(self._marks)}"
        begin, end = _range(request, group, self._store.clock.now_ms())
        if "nextToken" in request:
            begin = end = parse_token(request["nextToken"])[1]
        return {
            "events": [],
            "nextForwardToken": begin.token("f", mark),
            "nextBackwardToken": end.token("b", mark),
        }

    def filter_log_events(self, request: Request, *, blind: bool = False) -> Reply:
        """One page over several streams; there is no nextToken at the end."""
        group = self._group(request)
        limit = _limit(request)
        terms = _terms(request.get("filterPattern", ""))
        begin, end = _range(request, group, self._store.clock.now_ms())
        if "nextToken" in request:
            begin = parse_token(request["nextToken"])[1]
        names = [] if blind else _chosen(request, group)
        batches = [b for name in names for b in group.streams[name].batches.copy()]
        slices = ordered(batches, self._store.clock.now_ms(), begin, end)
        page = take(slices, limit)
        events = [
            event | {"logStreamName": piece.batch.stream, "eventId": event_id}
            for piece in page
            for event, event_id in zip(_events(piece), _ids(piece), strict=True)
            if all(term in event["message"] for term in terms)
        ]
        reply: Reply = {"events": events, "searchedLogStreams": []}
        if sum(s.last - s.first for s in page) < sum(s.last - s.first for s in slices):
            reply["nextToken"] = behind(page).token("f")
        return reply

    def _group(self, request: Request) -> Group:
        group = self._store.group_of(request)
        if group.class_ != "STANDARD":
            raise ServiceError(
                "InvalidParameterException",
                f"Reading events is not supported for log group class {group.class_}.",
            )
        return group


def _limit(request: Request) -> int:
    limit = request.get("limit", MAX_PAGE_EVENTS)
    if not isinstance(limit, int) or not 1 <= limit <= MAX_PAGE_EVENTS:
        raise rules.constraint(limit, "limit", "Member must be between 1 and 10000")
    return limit


def _range(request: Request, group: Group, now_ms: int) -> tuple[Position, Position]:
    """startTime inclusive, endTime exclusive, and nothing past the group's retention."""
    start, end = request.get("startTime", 0), request.get("endTime", LATEST)
    for name, moment in (("startTime", start), ("endTime", end)):
        if not isinstance(moment, int) or moment < 0:
            raise rules.constraint(moment, name, "Member must be at least 0")
    if group.retention_days is not None:
        start = max(start, now_ms - group.retention_days * rules.DAY_MS)
    return Position(start), Position(end)


def _chosen(request: Request, group: Group) -> list[str]:
    """The streams FilterLogEvents is to search."""
    names, prefix = request.get("logStreamNames"), request.get("logStreamNamePrefix")
    if names is not None and prefix is not None:
        raise invalid("logStreamNames and logStreamNamePrefix are exclusive.")
    if names is None:
        return [name for name in list(group.streams) if name.startswith(prefix or "")]
    if not 1 <= len(names) <= 100:
        raise rules.constraint(names, "logStreamNames", "Member must have 1 to 100 entries")
    return [name for name in names if name in group.streams]


def _terms(pattern: str) -> list[str]:
    """The words that must all occur; the double knows no other filter patterns."""
    if any(mark in pattern for mark in '{}[]?-%"'):
        raise invalid("This double understands filter patterns of plain words only.")
    return pattern.split()


def _events(piece: Slice) -> list[dict[str, Any]]:
    batch = piece.batch
    return [
        {
            "timestamp": batch.timestamps[index],
            "message": batch.message(index),
            "ingestionTime": batch.stored_at,
        }
        for index in range(piece.first, piece.last)
    ]


def _ids(piece: Slice) -> list[str]:
    batch = piece.batch
    return [
        f"{batch.timestamps[index]:020d}{batch.number:020d}{index:016d}"
        for index in range(piece.first, piece.last)
    ]

"""A destination whose answers get lost, and that shows what it holds as a test wants it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from sidecar.delivery import encode
from sidecar.delivery.destination import (
    Denied,
    Failure,
    Invalid,
    Outcome,
    Page,
    StoredEvent,
    Unknown,
)
from tests.support.fake_destination import FakeDestination


def now_ms() -> int:
    return int(time.time() * 1000)


class Asked(FakeDestination):
    """`losing` decides for each put: None as usual, "reply" stored and Unknown, "half" the same of
    every second event, "request" only Unknown. `reading` replaces what a read would answer;
    `reads` are the streams and times that were asked for.
    """

    def __init__(self) -> None:
        super().__init__(now_ms)
        self.losing: Callable[[str, list[StoredEvent]], str | None] = lambda _stream, _events: None
        self.reading: Callable[[Page | Failure], Page | Failure] = lambda answer: answer
        self.reads: list[tuple[str, int, int]] = []

    def put(self, group: str, stream: str, body: bytes, count: int) -> Outcome:
        events = [StoredEvent(*event) for event in encode.decode(body)]
        lost = self.losing(stream, events)
        if lost == "request":
            self.acts["put"] += 1
            return Unknown("the request was lost")
        if lost == "half":
            kept = events[::2]
            times, messages = [event.timestamp for event in kept], [event.message for event in kept]
            body, count = encode.body(group, stream, times, messages), len(kept)
        outcome = super().put(group, stream, body, count)
        return Unknown("the reply was lost") if lost else outcome

    def read(
        self, group: str, stream: str, least: int, greatest: int, token: str | None = None
    ) -> Page | Failure:
        self.reads.append((stream, least, greatest))
        return self.reading(super().read(group, stream, least, greatest, token))

    def lose(self, how: str, times: int = 1, stream: str | None = None) -> None:
        """The next `times` puts to the stream, or to any, come to nothing that is known."""
        left = [times]

        def losing(to: str, _events: list[StoredEvent]) -> str | None:
            if stream not in (None, to) or not left[0]:
                return None
            left[0] -= 1
            return how

        self.losing = losing

    def counts(self, group: str, stream: str) -> Counter[str]:
        """How often each message is stored."""
        return Counter(self.messages(group, stream))


class Shifting(Asked):
    """Its pages are counted from the start of what is in sight, 20 events each. The first reading
    sees the first third of the events only from its second page on, and never the last third."""

    PAGE = 20

    def __init__(self) -> None:
        super().__init__()
        self.torn = False

    def read(
        self, group: str, stream: str, least: int, greatest: int, token: str | None = None
    ) -> Page | Failure:
        whole = super().read(group, stream, least, greatest)
        assert isinstance(whole, Page)
        events = whole.events
        first = int(token or 0)
        if not self.torn:
            events = events[: len(events) * 2 // 3]
            events = events if first else events[len(events) // 2 :]
            self.torn = bool(first and events[first:])
        shown = events[first : first + self.PAGE]
        return Page(shown, str(first + len(shown)), end=token is not None and not shown)


def without(share: Callable[[int], bool]) -> Callable[[Page | Failure], Page | Failure]:
    """Pages that show only the events whose place in the page is in the share."""

    def shown(answer: Page | Failure) -> Page | Failure:
        if not isinstance(answer, Page):
            return answer
        kept = [event for index, event in enumerate(answer.events) if share(index)]
        return Page(kept, answer.token, answer.end)

    return shown


REFUSED_READ = Denied(
    "AccessDeniedException",
    "not authorized to perform: logs:GetLogEvents",
    "allow logs:GetLogEvents on the log group in the task role",
)
UNREADABLE_CLASS = Invalid("InvalidParameterException: not supported for this log class")

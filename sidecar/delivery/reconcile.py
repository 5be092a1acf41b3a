"""Asks CloudWatch what became of requests whose outcome is unknown.

One inquiry a stream and stretch of time: it reads that stretch page by page, again and again, until
every event is found, or until `reconcile_wait` after the sending has passed and two readings agree.
Decides nothing about bytes: it gives resolutions, and `delivery` acts on them.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sidecar.delivery.destination import Denied, Failure, Invalid, MissingTarget, Page
from sidecar.delivery.sender import LONGEST_CREATION, Answer, Query, Senders
from sidecar.health import Degradation
from sidecar.model.backoff import delay
from sidecar.model.batch import Batch, StreamKey
from sidecar.model.digest import checksum, key, unpack
from sidecar.model.history import History
from sidecar.model.journal import IntentSent
from sidecar.model.reconciliation import Comparison
from sidecar.telemetry import Totals

MOST_PAGES = 50
"""Pages read for an intent at most: beyond that its events are sent again and counted."""

READ_SECONDS = 0.5
"""Between two reads. Of an account's GetLogEvents, 10 to 30 a second, a member takes 2."""

FIRST_PAUSE = 1.0
"""Seconds between the first two readings; each pause is twice the one before."""

NOTHING_SHOWN = -1

DAY_MS = 24 * 60 * 60 * 1000


@dataclass(slots=True, eq=False)
class Unresolved:
    """A request of unknown outcome.

    `sent_at` is in monotonic seconds. `batch` is at hand while the process that sent it lives.
    """

    intent: IntentSent
    sent_at: float
    batch: Batch | None = None

    @property
    def key(self) -> StreamKey:
        return StreamKey(self.intent.group, self.intent.stream)


@dataclass(frozen=True, slots=True)
class Resolution:
    """What an inquiry came to.

    `missing` are the events that are not stored, by index. They may be stored all the same where
    it is `doubtful`: then they count as possible duplicates. `why` is a fixed word.
    """

    unresolved: Unresolved
    missing: list[int]
    doubtful: bool
    why: str


@dataclass(slots=True, eq=False)
class _Inquiry:
    key: StreamKey
    unresolved: list[Unresolved]
    least: int
    greatest: int
    until: float
    due: float
    comparison: Comparison | None = None
    keys: list[list[int]] = field(default_factory=list)
    reading: Counter[int] | None = None
    began: float = 0.0
    shown_to: int = NOTHING_SHOWN
    """The timestamp of the last event that this reading has shown."""
    token: str | None = None
    last: Counter[int] | None = None
    last_pages: int = 0
    pages: int = 0
    readings: int = 0
    failures: int = 0
    problem: Failure | None = None
    is_gone: bool = False
    was_there: bool = False

    def overlaps(self, other: _Inquiry) -> bool:
        same = self.key == other.key
        return same and self.least <= other.greatest and other.least <= self.greatest


class Reconciler:
    """Every inquiry that is open, one page at a time over all of them. Owned by the pump."""

    def __init__(
        self,
        *,
        senders: Senders,
        history: History,
        totals: Totals,
        enabled: bool,
        wait: float,
        retention_days: int | None,
    ) -> None:
        self._senders = senders
        self._history = history
        self._totals = totals
        self._enabled = enabled
        self._wait = wait
        self._retention_days = retention_days
        self._inquiries: list[_Inquiry] = []
        self._asking: _Inquiry | None = None
        self._next_read_at = float("-inf")
        self._denied: Denied | None = None
        self.answered = False
        """Has CloudWatch shown a page after it had failed to?"""

    @property
    def count(self) -> int:
        """Requests whose outcome is being asked for."""
        return sum(len(inquiry.unresolved) for inquiry in self._inquiries)

    @property
    def is_unanswered(self) -> bool:
        """Is CloudWatch asked in vain, of late?"""
        return any(inquiry.failures for inquiry in self._inquiries)

    def hopeless(self, intent: IntentSent, now_ms: int) -> str | None:
        """Why asking could prove nothing, in a fixed word; None when it may."""
        if not self._enabled:
            return "off"
        if not intent.events:
            return "old_format"
        key = intent.group, intent.stream
        if not self._history.reaches(key, intent.least, intent.greatest):
            return "history_ends"
        if self._retention_days and intent.least < now_ms - self._retention_days * DAY_MS:
            return "past_retention"
        return None

    def ask(self, unresolved: Unresolved, now: float) -> None:
        """Begin to find out; what it comes to is given by a later `step`."""
        intent = unresolved.intent
        inquiry = _Inquiry(
            unresolved.key,
            [unresolved],
            intent.least,
            intent.greatest,
            # A stream that had to be made may have been sent to a moment later.
            until=min(unresolved.sent_at, now) + LONGEST_CREATION + self._wait,
            due=now,
        )
        for other in [each for each in self._inquiries if each.overlaps(inquiry)]:
            # What one is compared with may be the other: they are resolved together, from anew.
            self._close(other)
            inquiry.unresolved += other.unresolved
            inquiry.least = min(inquiry.least, other.least)
            inquiry.greatest = max(inquiry.greatest, other.greatest)
            inquiry.until = max(inquiry.until, other.until)
        # Now: until its turn to read comes, the history may be far on.
        self._compare(inquiry)
        self._inquiries.append(inquiry)

    def step(self, now: float) -> list[Resolution]:
        """Take in what was read, and read on; gives what is known now."""
        resolutions = []
        for answer in self._senders.answers():
            inquiry = self._asking
            self._asking = None
            if inquiry in self._inquiries and inquiry is not None and _fits(answer, inquiry):
                resolutions += self._take(inquiry, answer, now)
        self._read_on(now)
        return resolutions

    def next_due(self, now: float) -> float:
        """Seconds until there may be something to read."""
        if self._asking is not None or not self._inquiries:
            return 60.0
        due = min(inquiry.due for inquiry in self._inquiries)
        return max(due, self._next_read_at) - now

    def degradations(self, now: float) -> Iterator[Degradation]:
        """What is being asked for and what stands in the way, in words for a person."""
        if self._inquiries:
            oldest = max(0.0, max(now - each.until for each in self._inquiries) + self._wait)
            text = f"{self.count} requests may be stored or not; CloudWatch is asked what it holds"
            problems = [each.problem for each in self._inquiries if each.problem is not None]
            if problems:
                text += f", without an answer so far: {problems[0].text}"
            else:
                text += f"; the oldest was sent {oldest:.0f} s ago"
            yield Degradation("reconciling", text)
        if self._denied is not None:
            yield Degradation("reconcile_denied", self._denied.text)

    def _read_on(self, now: float) -> None:
        if self._asking is not None or self._senders.reading or now < self._next_read_at:
            return
        waiting = [inquiry for inquiry in self._inquiries if inquiry.due <= now]
        if not waiting:
            return
        # A reading that has begun is finished first: what it shows should be of one moment.
        inquiry = min(waiting, key=lambda each: (each.reading is None, each.due))
        if inquiry.reading is None:
            inquiry.reading, inquiry.token, inquiry.began = Counter(), None, now
            inquiry.shown_to = NOTHING_SHOWN
        self._asking = inquiry
        self._next_read_at = now + READ_SECONDS
        self._totals.cloudwatch_reads += 1
        self._senders.read(Query(*inquiry.key, inquiry.least, inquiry.greatest, inquiry.token))

    def _compare(self, inquiry: _Inquiry) -> None:
        inquiry.keys = []
        for each in inquiry.unresolved:
            intent = each.intent
            events = unpack(intent.events, intent.least, intent.count, intent.sources)
            inquiry.keys.append(events.keys)
        acknowledged = self._history.keys(inquiry.key, inquiry.least, inquiry.greatest)
        unknown = (each for keys in inquiry.keys for each in keys)
        inquiry.comparison = Comparison(unknown, acknowledged)

    def _take(self, inquiry: _Inquiry, answer: Answer, now: float) -> list[Resolution]:
        page = answer.page
        if isinstance(page, MissingTarget):
            # One that was never there holds nothing; one that was has lost what it held.
            known = inquiry.was_there or self._history.knows(inquiry.key)
            inquiry.is_gone = inquiry.is_gone or known
            page = Page([], "", end=True)
        elif isinstance(page, Page):
            inquiry.was_there = True
        if isinstance(page, Denied) and _is_forbidden(page):
            self._denied = page
            return self._give_up(inquiry, "denied")
        if isinstance(page, Invalid) and answer.query.token is None:
            return self._give_up(inquiry, "refused")
        if not isinstance(page, Page):
            inquiry.failures += 1
            inquiry.problem = page
            inquiry.reading = None
            inquiry.due = now + max(READ_SECONDS, delay(inquiry.failures, random.random))
            return []
        if inquiry.failures:
            inquiry.failures, inquiry.problem, self.answered = 0, None, True
        self._denied = None
        assert inquiry.reading is not None
        assert inquiry.comparison is not None
        inquiry.pages += 1
        if page.events and page.events[0].timestamp < inquiry.shown_to:
            # Older events came into sight meanwhile: the last page may have shown these too.
            inquiry.reading, inquiry.due = None, now + FIRST_PAUSE
            return self._within_pages(inquiry)
        if page.events:
            inquiry.shown_to = page.events[-1].timestamp
        inquiry.reading.update(key(time, checksum(message)) for time, message in page.events)
        if inquiry.comparison.fits(inquiry.reading):
            inquiry.comparison.take(inquiry.reading)
            # While all of them are there it does not matter what else is.
            if inquiry.comparison.all_found:
                return self._close_with(inquiry, "found", doubtful=False)
        if not page.end:
            inquiry.token = page.token
            return self._within_pages(inquiry)
        return self._read_through(inquiry, now)

    def _within_pages(self, inquiry: _Inquiry) -> list[Resolution]:
        """Nothing yet, unless it has read all that it may."""
        most = MOST_PAGES * len(inquiry.unresolved)
        return self._give_up(inquiry, "too_many_pages") if inquiry.pages >= most else []

    def _read_through(self, inquiry: _Inquiry, now: float) -> list[Resolution]:
        """A reading is over, and something is missing yet."""
        reading, inquiry.reading = inquiry.reading, None
        agrees = inquiry.last == reading
        pages = inquiry.pages - inquiry.last_pages
        inquiry.last, inquiry.last_pages = reading, inquiry.pages
        inquiry.readings += 1
        left = MOST_PAGES * len(inquiry.unresolved) - inquiry.pages
        if inquiry.began >= inquiry.until and (agrees or left < pages):
            return self._conclude(inquiry, reading, agrees=agrees)
        pause = FIRST_PAUSE * 2.0 ** min(inquiry.readings - 1, 5)
        inquiry.due = now + pause
        if now < inquiry.until and (inquiry.due > inquiry.until or left < 3 * pages):
            inquiry.due = inquiry.until
        elif now >= inquiry.until:
            inquiry.due = now + FIRST_PAUSE
        return []

    def _conclude(
        self, inquiry: _Inquiry, reading: Counter[int] | None, *, agrees: bool
    ) -> list[Resolution]:
        comparison = inquiry.comparison
        assert comparison is not None
        assert reading is not None
        if not comparison.fits(reading):
            return self._give_up(inquiry, "foreign_events")
        if inquiry.is_gone:
            return self._give_up(inquiry, "stream_missing")
        if comparison.is_hidden:
            return self._close_with(inquiry, "hidden_events", doubtful=True)
        return self._close_with(inquiry, "read" if agrees else "unsteady", doubtful=not agrees)

    def _close_with(self, inquiry: _Inquiry, why: str, *, doubtful: bool) -> list[Resolution]:
        """Tell each unknown event whether it is stored, over all requests of the inquiry."""
        assert inquiry.comparison is not None
        self._close(inquiry)
        together = [each for keys in inquiry.keys for each in keys]
        missing = inquiry.comparison.missing(together)
        resolutions = []
        first = 0
        for each, keys in zip(inquiry.unresolved, inquiry.keys, strict=True):
            last = first + len(keys)
            own = [index - first for index in missing if first <= index < last]
            resolutions.append(Resolution(each, own, doubtful and bool(own), why))
            first = last
        return resolutions

    def _give_up(self, inquiry: _Inquiry, why: str) -> list[Resolution]:
        """Nothing is proved: all of it is sent again, and counted."""
        self._close(inquiry)
        return [
            Resolution(each, list(range(each.intent.count)), True, why)
            for each in inquiry.unresolved
        ]

    def _close(self, inquiry: _Inquiry) -> None:
        self._inquiries.remove(inquiry)
        if self._asking is inquiry:
            # Its answer is still to come, and is nobody's then.
            self._asking = None


def _fits(answer: Answer, inquiry: _Inquiry) -> bool:
    """Is it the answer to what the inquiry asked last?"""
    asked = Query(*inquiry.key, inquiry.least, inquiry.greatest, inquiry.token)
    return answer.query == asked and inquiry.reading is not None


def _is_forbidden(denied: Denied) -> bool:
    """Is it reading that is not allowed? Missing or expired credentials heal by themselves."""
    words = ("AccessDenied", "NotAuthorized", "Unauthorized", "InvalidOperation", "Unsupported")
    return any(word in denied.code for word in words)

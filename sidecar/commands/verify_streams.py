"""One stream at a time: what its files say it holds, against what it holds."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from sidecar.commands import verify_files
from sidecar.commands.rehearsal import Rehearsal
from sidecar.commands.verify_balance import Chunk, Counts, difference, hash_of, merged
from sidecar.commands.verify_files import Content
from sidecar.commands.verify_verdict import Feeders, Verdict
from sidecar.delivery.encode import MAX_AGE_MS, MAX_AHEAD_MS
from sidecar.delivery.stored import Held, NotReadable, Stored
from sidecar.model.records import NO_TIME, Records

LATE_MS: Final = 60_000
"""An event that was stored so long after its own time is called late."""

CLOCKS_MS: Final = 60_000
"""By how much two members' clocks may differ."""

EXAMPLES: Final = 10
"""Places of lost events that are named, a stream."""

LONGEST_CONTINUED: Final = 4096
"""Characters of a missing line up to which it is looked for in two pieces."""

AGAIN_SECONDS: Final = 2.0
"""Between two readings of a stream whose latest events may not be visible yet."""

DAY_MS: Final = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class _Place:
    path: str
    offset: int
    length: int
    timestamp: int


class Verification:
    """Compares streams. `letters` are the offsets of dead letters, by content."""

    def __init__(
        self,
        rehearsal: Rehearsal,
        stored: Stored,
        letters: dict[str, dict[int, int]],
        *,
        since_ms: int | None,
        patience: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`patience` tells whether what was accepted of late may still be invisible."""
        self._stored = stored
        self._letters = letters
        self._since = since_ms
        self._patience = patience
        self._sleep = sleep
        self._now_ms = int(rehearsal.now * 1000)
        self._has_state = bool(rehearsal.known.members)
        self._retentions: dict[str, int | None] = {}

    def verdict(self, feeders: Feeders) -> Verdict:
        """The verdict on one stream."""
        while True:
            comparison = _Comparison(feeders, self)
            try:
                verdict = comparison.made()
            except NotReadable as error:
                verdict = comparison.verdict
                verdict.problem = str(error)
                return verdict
            if not verdict.lost or not self._patience():
                return verdict
            self._sleep(AGAIN_SECONDS)

    def horizon(self, group: str) -> int:
        """Events before this time need not be there: the group's retention is over for them, or,
        where no journal tells what was refused, they are older than CloudWatch takes."""
        if group not in self._retentions:
            self._retentions[group] = self._stored.retention_days(group)
        days = self._retentions[group]
        kept = 0 if days is None else self._now_ms - days * DAY_MS
        return kept if self._has_state else max(kept, self._now_ms - MAX_AGE_MS)


class _Comparison:
    """One reading of one stream and its files."""

    def __init__(self, feeders: Feeders, whole: Verification) -> None:
        self._feeders = feeders
        self._whole = whole
        self._since = whole._since
        self._now_ms = whole._now_ms
        self._letters = whole._letters
        self._stored = whole._stored
        self._splits = feeders.joins_lines
        self.verdict = Verdict(
            *feeders.key,
            files=len(feeders.contents),
            backlog_bytes=sum(content.backlog_bytes for content in feeders.contents),
            unverifiable_bytes=feeders.gone_bytes,
        )

    def made(self) -> Verdict:
        verdict = self.verdict
        least, greatest = self._window()
        if not verdict.expected:
            return verdict
        key = self._feeders.key
        pages = self._stored.pages(key.group, key.stream, least, greatest + 1)
        missing, surplus = difference(merged(self._expected_chunks()), self._held_chunks(pages))
        if missing:
            self._account_for_missing(missing, surplus)
        if surplus:
            self._account_for_surplus(surplus, least, greatest)
        return verdict

    def _window(self) -> tuple[int, int]:
        """The times between which the stream is to be read; counts what is expected on the way."""
        # A clock that is ahead stamps what it sends twice later than we would.
        least, greatest = self._now_ms, self._now_ms + MAX_AHEAD_MS
        for content in self._feeders.contents:
            timeless = False
            for records in self._settled(content, count=True):
                times = [time for time in records.timestamps if time != NO_TIME]
                timeless = timeless or len(times) < len(records) or content.rule.old_events_now
                least = min(least, *times) if times else least
                greatest = max(greatest, *times) if times else greatest
                self.verdict.expected += len(records)
            if timeless:
                # They carry the time of their arrival, which was after the claim.
                claimed = content.record.claim.at_ms if self._whole._has_state else 0
                least = min(least, max(0, claimed - CLOCKS_MS))
        return max(least, self._since or 0), greatest

    def _expected_chunks(self) -> list[Iterator[Chunk]]:
        ordered = sorted(self._feeders.contents, key=lambda content: content.order)
        return [self._chunks(content) for content in ordered]

    def _chunks(self, content: Content) -> Iterator[Chunk]:
        for records in self._settled(content):
            if len(records):
                yield Chunk(records.timestamps[0], self._hashes(records.messages))

    def _held_chunks(self, pages: Iterator[list[Held]]) -> Iterator[Chunk]:
        verdict = self.verdict
        for page in pages:
            verdict.held += len(page)
            for event in page:
                delay = event.ingested - event.timestamp
                if delay > LATE_MS:
                    verdict.late += 1
                    verdict.latest_seconds = max(verdict.latest_seconds, delay / 1000)
            yield Chunk(page[0].timestamp, self._hashes([event.message for event in page]))

    def _hashes(self, messages: list[str]) -> list[int]:
        if self._splits:
            messages = [line or " " for message in messages for line in message.split("\n")]
        return [hash_of(message) for message in messages]

    def _settled(self, content: Content, *, count: bool = False) -> Iterator[Records]:
        """What must be in CloudWatch of this source: settled, in time, and no dead letter."""
        letters = self._letters.get(verify_files.identity(content.record), {})
        early = self._since or 0
        claimed_before = content.record.claim.at_ms < early
        try:
            for records in verify_files.settled(content, self._now_ms):
                wanted = [
                    start not in letters
                    and (time >= early if time != NO_TIME else not claimed_before)
                    for start, time in zip(records.starts, records.timestamps, strict=True)
                ]
                if count:
                    self.verdict.rejected += sum(start in letters for start in records.starts)
                yield records if all(wanted) else _picked(records, wanted)
        except OSError:
            if count:
                self.verdict.unverifiable_bytes += content.record.acknowledged

    def _maybe(self) -> Iterator[tuple[list[str], bool]]:
        """Messages that may be in CloudWatch or not: unsettled, dead letters that may have been
        replayed, before --since, and in siblings that nobody reads. True for those of sources,
        which may be there once and not twice."""
        for content in self._feeders.contents:
            letters = self._letters.get(verify_files.identity(content.record), {})
            if letters or self._since:
                wanted = self._settled(content)
                for records in verify_files.settled(content, self._now_ms):
                    sure = set(next(wanted).starts)
                    unsure = [
                        message
                        for start, message in zip(records.starts, records.messages, strict=True)
                        if start not in sure
                    ]
                    yield unsure, True
            for records in verify_files.unsettled(content, self._now_ms):
                yield records.messages, True
        for path, rule in self._feeders.others:
            for records in verify_files.whole(path, rule, self._feeders.key.stream, self._now_ms):
                yield records.messages, False

    def _account_for_missing(self, missing: Counts, surplus: Counts) -> None:
        """Where the missing events are, and which of them may rightly be missing."""
        verdict = self.verdict
        horizon = self._whole.horizon(verdict.group)
        discarded = [self._discarded_bytes(content) for content in self._feeders.contents]
        for number, place, message in self._missing(missing):
            if len(message) <= LONGEST_CONTINUED and _is_in_two(message, surplus):
                continue
            if place.timestamp != NO_TIME and place.timestamp < horizon:
                verdict.unverifiable += 1
            elif discarded[number] >= place.length:
                # Refused for good, and its dead letter found no room any more.
                discarded[number] -= place.length
                verdict.rejected += 1
            else:
                verdict.lost += 1
                self._note("lost", place)

    def _missing(self, missing: Counts) -> Iterator[tuple[int, _Place, str]]:
        """The missing events, with the numbers of their files.

        Where lines are joined, first those of which every line is missing, then those with some.
        """
        for partly in (False, True) if self._splits else (False,):
            for number, content in enumerate(self._feeders.contents):
                for place, message in self._places(content):
                    if _taken(self._hashes([message]), missing, partly=partly):
                        yield number, place, message

    def _places(self, content: Content) -> Iterator[tuple[_Place, str]]:
        for records in self._settled(content):
            columns = zip(
                *(records.starts, records.ends, records.timestamps, records.messages), strict=True
            )
            for start, end, timestamp, message in columns:
                yield _Place(content.path, start, end - start, timestamp), message

    def _discarded_bytes(self, content: Content) -> int:
        """Rejected bytes of which there is no letter, for want of room."""
        letters = self._letters.get(verify_files.identity(content.record), {})
        return content.record.settled_bytes["rejected"] - sum(letters.values())

    def _account_for_surplus(self, surplus: Counts, least: int, greatest: int) -> None:
        """Which of the held events that are too many are there twice.

        Not those that wait or were rejected and replayed, nor those of bytes that are gone: these
        are older than all that is still here.
        """
        once: set[int] = set()
        for messages, is_once in self._maybe():
            for each in self._hashes(messages):
                if surplus.get(each, 0) > 0:
                    surplus[each] -= 1
                    if is_once:
                        once.add(each)
        known = {each for each in once if surplus[each]}
        for content in self._feeders.contents:
            for records in self._settled(content):
                known.update(each for each in self._hashes(records.messages) if surplus.get(each))
        foreign = {each for each, count in surplus.items() if count and each not in known}
        self.verdict.unverifiable += sum(surplus[each] for each in foreign)
        if known:
            twice = {each: surplus[each] for each in known}
            self._count_duplicates(*self._times_of(twice, foreign, least, greatest))

    def _times_of(
        self, twice: Counts, foreign: set[int], least: int, greatest: int
    ) -> tuple[list[int], int]:
        """When the events that are too many are held, and the newest one is of which no file
        speaks, or -1. Where lines are joined, an event of which every line is too many is one."""
        times: list[int] = []
        newest_foreign = -1
        parts: dict[int, list[int]] = {}
        key = self._feeders.key
        for page in self._stored.pages(key.group, key.stream, least, greatest + 1):
            for event in page:
                hashes = self._hashes([event.message])
                if not foreign.isdisjoint(hashes):
                    newest_foreign = event.timestamp
                if _taken(hashes, twice, partly=False):
                    times.append(event.timestamp)
                elif self._splits:
                    for each in hashes:
                        if twice.get(each, 0):
                            parts.setdefault(each, []).append(event.timestamp)
        for each, moments in parts.items():
            times += moments[: twice[each]]
        return times, newest_foreign

    def _count_duplicates(self, times: list[int], newest_foreign: int) -> None:
        for at in times:
            if at <= newest_foreign:
                self.verdict.unverifiable += 1
            else:
                self.verdict.duplicated += 1
                if len(self.verdict.examples) < EXAMPLES:
                    self.verdict.examples.append({"what": "duplicated", "timestamp": at})

    def _note(self, what: str, place: _Place) -> None:
        if len(self.verdict.examples) < EXAMPLES:
            self.verdict.examples.append(
                {
                    "what": what,
                    "path": place.path,
                    "offset": place.offset,
                    "length": place.length,
                    "timestamp": None if place.timestamp == NO_TIME else place.timestamp,
                }
            )


def _taken(hashes: list[int], counts: Counts, *, partly: bool) -> bool:
    """Take an event out of the counts if they have all its lines, or with `partly` any of them."""
    found = {each: min(needed, counts.get(each, 0)) for each, needed in Counter(hashes).items()}
    if not (any(found.values()) if partly else sum(found.values()) == len(hashes)):
        return False
    for each, count in found.items():
        if count:
            counts[each] -= count
    return True


def _is_in_two(message: str, surplus: Counts) -> bool:
    """A last line that was shipped without its line feed, and continued later, is two events."""
    for at in range(1, len(message)):
        first, second = hash_of(message[:at]), hash_of(message[at:])
        if surplus.get(first, 0) >= 1 + (first == second) and surplus.get(second, 0):
            surplus[first] -= 1
            surplus[second] -= 1
            return True
    return False


def _picked(records: Records, wanted: list[bool]) -> Records:
    picked = Records(records.consumed)
    columns = zip(
        *(records.timestamps, records.messages, records.starts, records.ends, records.sizes),
        strict=True,
    )
    for is_wanted, column in zip(wanted, columns, strict=True):
        if is_wanted:
            picked.add(*column)
    return picked

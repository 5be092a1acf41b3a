"""Sends dead letters again: batch after batch, each noted before its request and after.

Nothing runs beside it, so a plain loop will do. What CloudWatch did certainly not store is sent
again after a pause; where nobody knows, it is sent again and counted.
"""

from __future__ import annotations

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, Protocol

from sidecar.delivery import encode
from sidecar.delivery.destination import (
    Accepted,
    Created,
    Denied,
    Destination,
    Failure,
    Invalid,
    MissingTarget,
    Outcome,
    Unknown,
)
from sidecar.model.backoff import delay
from sidecar.model.batch import StreamKey

MOST_WAITING: Final = 16 * 1024 * 1024
"""Bytes of letters held at once, over all streams."""

ATTEMPTS: Final = 8
"""Failures in a row after which a replay gives up; the letters stay for the next one."""

Key = tuple[str, int]


class Letter(Protocol):
    """What is sent again."""

    @property
    def group(self) -> str: ...
    @property
    def stream(self) -> str: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def message(self) -> str | bytes: ...


class Marking(Protocol):
    """Notes durably what happens to these letters."""

    def __call__(
        self,
        letters: Sequence[Key],
        mark: Literal["under way", "replayed", "refused", "waiting"],
        at_ms: int,
        reason: str = "",
    ) -> None: ...


@dataclass(slots=True)
class Tally:
    """What became of the letters. `problem` says why it ended early, in a person's words."""

    letters: int = 0
    replayed_before: int = 0
    replayed: int = 0
    refused: int = 0
    out_of_range: int = 0
    in_doubt: int = 0
    possible_duplicates: int = 0
    problem: str | None = None

    @property
    def left(self) -> int:
        """Letters that are not in CloudWatch for certain."""
        return self.letters - self.replayed_before - self.replayed


class _Waiting(NamedTuple):
    timestamp: int
    size: int
    message: str
    key: Key
    in_doubt: bool


class Resending:
    """Gathers letters by stream and sends them within every limit of a request."""

    def __init__(
        self,
        destination: Destination,
        mark: Marking,
        tally: Tally,
        *,
        with_time_of_now: bool,
        sleep: Callable[[float], None] = time.sleep,
        now_ms: Callable[[], int] = lambda: int(time.time() * 1000),
    ) -> None:
        self._destination = destination
        self._mark = mark
        self._tally = tally
        self._with_time_of_now = with_time_of_now
        self._sleep = sleep
        self._now_ms = now_ms
        self._waiting: dict[StreamKey, list[_Waiting]] = {}
        self._bytes = 0

    def add(self, key: Key, letter: Letter, now_ms: int, *, in_doubt: bool) -> None:
        """Take a letter; sends what waits where that is much."""
        timestamp = letter.timestamp
        if not now_ms - encode.MAX_AGE_MS <= timestamp <= now_ms + encode.MAX_AHEAD_MS:
            if not self._with_time_of_now:
                self._tally.out_of_range += 1
                return
            timestamp = now_ms
        message = letter.message
        if isinstance(message, bytes):
            message = message.decode("utf-8", "surrogatepass" if _is_text(message) else "replace")
        self._tally.possible_duplicates += in_doubt
        size = encode.message_bytes(message)
        waiting = self._waiting.setdefault(StreamKey(letter.group, letter.stream), [])
        waiting.append(_Waiting(timestamp, size, message, key, in_doubt))
        self._bytes += size
        if self._bytes >= MOST_WAITING:
            self.finish()

    def finish(self) -> None:
        """Send all that waits, unless something stands in the way."""
        for key, letters in self._waiting.items():
            batches = deque(_batches(letters))
            while batches and not self._tally.problem:
                batches.extendleft(reversed(self._send(key, batches.popleft())))
        self._waiting.clear()
        self._bytes = 0

    def _send(self, key: StreamKey, letters: list[_Waiting]) -> list[list[_Waiting]]:
        """Send one batch until something is certain; gives the halves of one that is invalid."""
        keys = [letter.key for letter in letters]
        body = encode.body(
            key.group,
            key.stream,
            [letter.timestamp for letter in letters],
            [letter.message for letter in letters],
        )
        may_be_stored = any(letter.in_doubt for letter in letters)
        for failures in range(1, ATTEMPTS + 1):
            self._mark(keys, "under way", self._now_ms())
            outcome = self._destination.put(key.group, key.stream, body, len(letters))
            if isinstance(outcome, Accepted):
                self._accepted(letters, outcome)
                return []
            if isinstance(outcome, Unknown):
                may_be_stored = True
                self._tally.possible_duplicates += len(letters)
            elif not may_be_stored:
                self._mark(keys, "waiting", self._now_ms())
            if isinstance(outcome, Invalid):
                return self._invalid(letters, outcome)
            outcome = self._mended(key, outcome)
            if isinstance(outcome, Denied) or failures == ATTEMPTS:
                self._tally.problem = f"{key.group} {key.stream}: {outcome.text}"
                return []
            if not isinstance(outcome, MissingTarget):
                self._sleep(delay(failures, random.random))
        return []

    def _mended(self, key: StreamKey, outcome: Outcome) -> Failure:
        """Make what is missing; gives the failure there is now, MissingTarget where it is made."""
        while isinstance(outcome, MissingTarget):
            made = self._destination.create(key.group, key.stream, outcome.what)
            if isinstance(made, Created):
                return outcome
            if isinstance(made, MissingTarget) and made.what == outcome.what:
                return Denied("Missing", made.text, "create it, or set create.groups: true")
            outcome = made
        assert not isinstance(outcome, Accepted)
        return outcome

    def _accepted(self, letters: list[_Waiting], outcome: Accepted) -> None:
        stored = [letter.key for letter in letters[outcome.first : outcome.last]]
        if stored:
            self._mark(stored, "replayed", self._now_ms())
            self._tally.replayed += len(stored)
        parts = {
            "too_old": letters[: outcome.too_old],
            "expired": letters[outcome.too_old : outcome.first],
            "too_new": letters[outcome.last :],
        }
        for reason, refused in parts.items():
            if refused:
                self._mark([each.key for each in refused], "refused", self._now_ms(), reason)
                self._tally.refused += len(refused)

    def _invalid(self, letters: list[_Waiting], outcome: Invalid) -> list[list[_Waiting]]:
        if len(letters) == 1:
            self._mark([letters[0].key], "refused", self._now_ms(), outcome.message)
            self._tally.refused += 1
            return []
        middle = len(letters) // 2
        return [letters[:middle], letters[middle:]]


def _batches(letters: list[_Waiting]) -> list[list[_Waiting]]:
    """Chronological batches, each within the limits of a request."""
    batches: list[list[_Waiting]] = []
    room = 0
    for letter in sorted(letters, key=lambda each: each.timestamp):
        cost = letter.size + encode.EVENT_OVERHEAD
        if (
            cost > room
            or len(batches[-1]) == encode.MAX_EVENTS
            or letter.timestamp - batches[-1][0].timestamp > encode.MAX_SPAN_MS
        ):
            batches.append([])
            room = encode.MAX_BATCH_BYTES
        batches[-1].append(letter)
        room -= cost
    return batches


def _is_text(message: bytes) -> bool:
    try:
        message.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True

"""The port to CloudWatch Logs: three acts, and every way they can come out.

No act raises for anything the service, the network or the credentials can do: it answers with an
outcome. An outcome says first whether the events can have been stored, because nothing removes
duplicates afterwards:

    stored              Accepted            (the part it names)
    certainly not       Throttled  Unreachable  Denied  MissingTarget  Invalid
    nobody knows        Unknown             (ask what is stored, or send again and count it)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias

Target: TypeAlias = Literal["group", "stream"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """Events [first, last) of the batch, in the order of its body, are stored.

    The others were refused for good, in this order around them: `too_old` events (more than 14
    days), then `expired` (past the group's retention), then the stored ones, then `too_new` (more
    than 2 hours ahead). Where no event is stored, first == last.
    """

    first: int
    last: int
    too_old: int = 0
    expired: int = 0
    too_new: int = 0

    @property
    def text(self) -> str:
        refused = self.too_old + self.expired + self.too_new
        return f"{self.last - self.first} events stored, {refused} refused for their age"


@dataclass(frozen=True, slots=True)
class Throttled:
    """Certainly not stored: the service asks for patience. Try again later."""

    message: str

    @property
    def text(self) -> str:
        return (
            f"CloudWatch asks to slow down: {self.message}; it is sent slower until that ends; "
            "where it lasts, have the account's quota raised"
        )


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Certainly not stored: no connection came about, so no request was sent. Try again later."""

    message: str

    @property
    def text(self) -> str:
        return f"CloudWatch cannot be reached: {self.message}"


@dataclass(frozen=True, slots=True)
class Unknown:
    """May be stored, wholly or not at all: the answer is lost, late, broken or a 5xx."""

    message: str

    @property
    def text(self) -> str:
        return f"CloudWatch's answer was lost: {self.message}"


@dataclass(frozen=True, slots=True)
class Denied:
    """Certainly not stored, and trying again helps only once somebody has acted.

    `remedy` tells that somebody what to do. It heals without a restart, so go on trying, slowly.
    """

    code: str
    message: str
    remedy: str

    @property
    def text(self) -> str:
        return f"{self.message} ({self.code}); {self.remedy}"


@dataclass(frozen=True, slots=True)
class MissingTarget:
    """Certainly not stored: the group or the stream does not exist. `create` it, then try again.

    "stream" is also the answer where the service did not say which; `create` finds out.
    """

    what: Target

    @property
    def text(self) -> str:
        return f"the log {self.what} does not exist"


@dataclass(frozen=True, slots=True)
class Invalid:
    """Certainly not stored: the service refuses these events, as they are, for good.

    One event among them may be the cause: send halves.
    """

    message: str

    @property
    def text(self) -> str:
        return f"CloudWatch refuses the batch: {self.message}"


@dataclass(frozen=True, slots=True)
class Created:
    """The target exists now, made by this call or by somebody else.

    `note` is not empty where it was made but not wholly as configured (its retention was refused,
    say): words for a warning.
    """

    note: str = ""

    @property
    def text(self) -> str:
        return self.note or "created"


class StoredEvent(NamedTuple):
    """An event as CloudWatch shows it; the timestamp is in ms since the epoch."""

    timestamp: int
    message: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a stream, oldest events first; it may be empty without being the last.

    `token` asks for the page after it. At `end` CloudWatch gave the token back that it was asked
    with: there is nothing more for now.
    """

    events: list[StoredEvent]
    token: str
    end: bool

    @property
    def text(self) -> str:
        return f"{len(self.events)} events read"


Unmade: TypeAlias = Throttled | Unreachable | Denied | MissingTarget
Failure: TypeAlias = Throttled | Unreachable | Unknown | Denied | MissingTarget | Invalid
Outcome: TypeAlias = Accepted | Failure


class Destination(Protocol):
    """Where batches go. Every act may be called from several threads at once, and ends within 30 s.

    Nothing is tried again inside: an act is at most one request that could store events.
    """

    def put(self, group: str, stream: str, body: bytes, count: int) -> Outcome:
        """Send one batch: a body made by `encode.body`, which holds `count` events."""
        ...

    def create(self, group: str, stream: str, what: Target) -> Created | Unmade:
        """Make what a `MissingTarget(what)` named: the stream, or the group and the stream in it.

        What is there already is a success and is left as it is. A group that may not be made, or
        not as configured, is `Denied`; two makers colliding are `Throttled`; a group that turns
        out to be missing too is `MissingTarget("group")`. It stores no event and can be called
        again, so a lost answer is as good as none: `Unreachable`.
        """
        ...

    def read(
        self, group: str, stream: str, least: int, greatest: int, token: str | None = None
    ) -> Page | Failure:
        """One page of the stream's events with least <= timestamp <= greatest (ms).

        A page proves what is visible now, never what is not stored. `MissingTarget` does not tell
        the group from the stream here.
        """
        ...

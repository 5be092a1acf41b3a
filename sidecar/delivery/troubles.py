"""What stands in the way of delivery, stream by stream, and that it is said once."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from sidecar.delivery.destination import Denied, Failure
from sidecar.health import Degradation
from sidecar.model.batch import StreamKey

log = structlog.get_logger(__name__)

WORTH_A_WORD = 10.0
"""Seconds that a trouble must have lasted before its end is said: most pass with the next try."""


class Troubles:
    """The latest failure of each stream since it last got something through.

    A thousand streams have the same trouble when CloudWatch is away or a role lacks a permission:
    it is said when the first has it, and that it is over when the last has not. A refusal that asks
    for an act of its own (another log group, another permission) is another trouble.
    """

    def __init__(self) -> None:
        self._failures: dict[StreamKey, Failure] = {}
        self._since: dict[tuple[str, str], float] = {}

    def note(self, key: StreamKey, failure: Failure, now: float) -> None:
        """A request of the stream failed."""
        before = self._failures.get(key)
        self._failures[key] = failure
        what = _what(failure)
        if what not in self._since:
            self._since[what] = now
            log.warning(
                "delivery_failing",
                kind=kind_of(failure),
                group=key.group,
                stream=key.stream,
                problem=failure.text,
            )
        if before is not None:
            self._end(before, now)

    def over(self, key: StreamKey, now: float) -> None:
        """The stream got something through, or has nothing more to send."""
        failure = self._failures.pop(key, None)
        if failure is not None:
            self._end(failure, now)

    def degradations(self) -> Iterator[Degradation]:
        """One of each kind, in words for a person."""
        seen: dict[str, Degradation] = {}
        for key, failure in self._failures.items():
            kind = kind_of(failure)
            where = f"{key.group} {key.stream}"
            seen.setdefault(kind, Degradation(kind, f"{failure.text} (first for {where})"))
        yield from seen.values()

    def _end(self, failure: Failure, now: float) -> None:
        what = _what(failure)
        if any(_what(each) == what for each in self._failures.values()):
            return
        seconds = now - self._since.pop(what)
        if seconds >= WORTH_A_WORD:
            log.info("delivery_resumed", after=what[0], seconds=round(seconds))


def _what(failure: Failure) -> tuple[str, str]:
    return kind_of(failure), failure.remedy if isinstance(failure, Denied) else ""


def kind_of(failure: Failure) -> str:
    """A fixed word for a kind of failure: a metric's label."""
    if isinstance(failure, Denied):
        return "denied"
    return {
        "Throttled": "throttled",
        "Unreachable": "unreachable",
        "Unknown": "outcome_unknown",
        "MissingTarget": "missing",
        "Invalid": "invalid",
    }[type(failure).__name__]

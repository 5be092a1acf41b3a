"""`sidecar rejected list`: the dead letters, and what became of those that were sent again."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sidecar.commands.table import table
from sidecar.errors import StateError
from sidecar.registry.letters import KeptLetter, kept_letters
from sidecar.registry.replays import Mark, marks
from sidecar.settings import load

SHOWN: Final = 100
"""Rows of a table without --limit; JSON has all."""

EXCERPT: Final = 60
"""Characters of a message in a table."""

HEADINGS: Final = (
    *("REFUSED AT", "REASON", "GROUP", "STREAM", "EVENT TIME", "PATH"),
    *("OFFSET", "LENGTH", "STATE", "MESSAGE"),
)


def list_letters(
    config: Path | None, environ: Mapping[str, str], *, limit: int | None, as_json: bool
) -> int:
    """Prints them; 0, or 1 where they cannot be read. ConfigurationError passes through."""
    state_dir = load(config, environ).state_dir
    try:
        if as_json:
            _write_json(state_dir, limit)
        else:
            _write_table(state_dir, SHOWN if limit is None else limit)
    except StateError as error:
        sys.stderr.write(f"sidecar: {error}\n")
        return 1
    return 0


def _write_json(state_dir: Path, limit: int | None) -> None:
    """One document, written letter by letter: there may be half a gigabyte of them."""
    counts: Counter[str] = Counter()
    sys.stdout.write('{"letters": [')
    between = "\n"
    for letter in _last(_letters(state_dir, counts), limit):
        sys.stdout.write(between + json.dumps(letter))
        between = ",\n"
    total = {"total": counts.total(), "states": dict(counts)}
    sys.stdout.write(f"\n], {json.dumps(total)[1:]}\n")


def _write_table(state_dir: Path, limit: int) -> None:
    counts: Counter[str] = Counter()
    letters = list(_last(_letters(state_dir, counts), limit))
    if not counts:
        sys.stdout.write(f"no dead letters in {state_dir}\n")
        return
    if letters:
        sys.stdout.write(table(HEADINGS, [_row(letter) for letter in letters]) + "\n")
    hidden = counts.total() - len(letters)
    if hidden:
        sys.stdout.write(f"and {hidden} before these; --limit N shows more, --json has them all\n")
    states = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
    sys.stdout.write(f"{counts.total()} dead letters: {states}\n")


def _letters(state_dir: Path, counts: Counter[str]) -> Iterator[dict[str, Any]]:
    marked = marks(state_dir)
    for kept in kept_letters(state_dir):
        state = state_of(marked.get(kept.key))
        counts[state] += 1
        yield _document(kept, state)


def _last(letters: Iterator[dict[str, Any]], limit: int | None) -> Iterator[dict[str, Any]]:
    return letters if limit is None else iter(deque(letters, maxlen=max(0, limit)))


def state_of(mark: tuple[Mark, str] | None) -> str:
    """A letter's mark in words: waiting, replayed, in doubt, or refused again."""
    if mark is None or mark[0] == "waiting":
        return "waiting"
    return {"under way": "in doubt", "replayed": "replayed"}.get(mark[0], "refused again")


def _document(kept: KeptLetter, state: str) -> dict[str, Any]:
    """The letter as it is kept, and what became of it."""
    fields = asdict(kept.letter)
    message = fields.pop("message")
    if isinstance(message, bytes):
        fields["message_base64"] = b64encode(message).decode("ascii")
    else:
        fields["message"] = message
    return fields | {"member": kept.member, "state": state}


def _row(letter: dict[str, Any]) -> tuple[str, ...]:
    message = str(letter.get("message", "(not text)"))
    return (
        _moment(letter["at"]),
        str(letter["reason"]),
        str(letter["group"]),
        str(letter["stream"]),
        _moment(letter["timestamp"]),
        str(letter["path"]),
        str(letter["offset"]),
        str(letter["length"]),
        str(letter["state"]),
        message if len(message) <= EXCERPT else message[: EXCERPT - 1] + "…",
    )


def _moment(ms: int) -> str:
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError, OSError):
        return str(ms)

"""What a state directory holds, read by somebody who is no member: nothing on it is touched.

No lock is tried, since even a moment's hold could make a starting sidecar wait; so whether a
member is alive is not known here.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.errors import StateError
from sidecar.model.adoption import adopt
from sidecar.model.ledger import Ledger
from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.journal_file import generation_of
from sidecar.registry.journal_recovery import load
from sidecar.registry.members import member_of
from sidecar.registry.state_directory import MEMBERS, unreadable, when_created

ATTEMPTS = 3
"""Readings of one member's folder: it may compact its journal, or be taken over, meanwhile."""


@dataclass(slots=True)
class Survey:
    """Every member's ledger in one, and which member's journal each source stands in."""

    ledger: Ledger = field(default_factory=Ledger)
    owners: dict[int, str] = field(default_factory=dict)
    members: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    created: float | None = None
    """When the state directory was first used, seconds since the epoch; None: it never was."""
    last_written: float = 0.0
    """When a journal was last written to, seconds since the epoch."""


def survey(state_dir: Path, files: FileSystem = REAL) -> Survey:
    """Read it all. Raises StateError where there is a state directory that cannot be read."""
    known = Survey()
    members = state_dir / MEMBERS
    try:
        known.created = when_created(state_dir, files)
        names = files.names(members)
    except (FileNotFoundError, NotADirectoryError):
        return known
    except OSError as error:
        raise unreadable(state_dir, error) from error
    for name in names:
        if not name.startswith("."):
            _take_in(known, members / name, files)
    return known


def _take_in(known: Survey, directory: Path, files: FileSystem) -> None:
    for attempt in range(ATTEMPTS):
        try:
            loaded = load(directory, files)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise unreadable(directory, error) from error
        except StateError:
            if attempt == ATTEMPTS - 1:
                raise
            continue
        if not loaded.warnings:
            break
    with suppress(OSError):
        for name in files.names(directory):
            if generation_of(name) is not None:
                known.last_written = max(known.last_written, files.modified(directory / name))
    before = known.ledger.next_source
    adopt(known.ledger, loaded.ledger)
    known.members.append(member_of(directory.name))
    known.warnings += loaded.warnings
    for number in known.ledger.sources:
        if number >= before:
            known.owners[number] = member_of(directory.name)

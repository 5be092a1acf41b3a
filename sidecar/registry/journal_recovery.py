"""Reads back what a member wrote, however its life ended.

A last line that was cut short is the normal mark of a kill. Anything else that does not read is
told in a warning and costs as little as it can: a bad line itself, a bad snapshot nothing, as the
pair before it is used.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sidecar.errors import StateError
from sidecar.model.journal import (
    VERSION,
    CorruptLineError,
    Entry,
    Header,
    NewerFormatError,
    Trailer,
    decode,
)
from sidecar.model.ledger import Ledger
from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.journal_file import generation_of, journal_name, snapshot_name


@dataclass(slots=True)
class Loaded:
    """What a folder held. `warnings` are for people, one a thing that did not read.

    `broken` are files that could not be used, or not wholly: see `set_aside`. `generation` is
    the highest number in use, 0 for an empty folder; `oldest_version` the lowest of the formats
    that were read.
    """

    ledger: Ledger = field(default_factory=Ledger)
    warnings: list[str] = field(default_factory=list)
    broken: list[Path] = field(default_factory=list)
    generation: int = 0
    oldest_version: int = VERSION


def load(directory: Path, files: FileSystem = REAL) -> Loaded:
    """The newest whole snapshot and every journal from it on. Changes nothing on the volume.

    Raises StateError when all there is was written by a newer sidecar, since starting from
    nothing would send everything again, and OSError when the folder cannot be listed.
    """
    loaded = Loaded()
    names = {name for name in files.names(directory) if generation_of(name) is not None}
    numbers = sorted({generation_of(name) or 0 for name in names}, reverse=True)
    loaded.generation = numbers[0] if numbers else 0
    reader = _Reader(directory, files, loaded)
    base = next(
        (
            number
            for number in numbers
            if snapshot_name(number) in names and reader.take_snapshot(snapshot_name(number))
        ),
        0,
    )
    journals = [n for n in reversed(numbers) if n >= base and journal_name(n) in names]
    if not base and journals and journals[0] > 1:
        loaded.warnings.append(
            f"{directory}: no snapshot can be read; what came before {journal_name(journals[0])}"
            " is not known and will be sent again"
        )
    for number in journals:
        # Its header is durable before anything else is written, its snapshot included.
        began = snapshot_name(number) in names
        reader.take_journal(journal_name(number), began=began)
    if reader.newer and not reader.known:
        raise StateError(
            str(directory / reader.newer[0]),
            "was written by a newer sidecar",
            "run that version or later, or move the folder away to have its files sent again",
        )
    return loaded


def set_aside(broken: list[Path], at_ms: int, files: FileSystem = REAL) -> None:
    """Rename files that did not read, so that nothing overwrites or deletes the evidence."""
    for path in broken:
        with suppress(OSError):
            files.rename(path, path.with_name(f"{path.name}.broken-{at_ms}"))


class _Reader:
    """Folds files of one folder into `loaded`."""

    def __init__(self, directory: Path, files: FileSystem, loaded: Loaded) -> None:
        self.newer: list[str] = []
        self.known = False
        self._directory = directory
        self._files = files
        self._loaded = loaded

    def take_snapshot(self, name: str) -> bool:
        """Whether the snapshot is whole; only then it is the ledger."""
        content = self._read(name)
        if content is None:
            return False
        ledger = Ledger()
        try:
            for entry in _whole_snapshot(content):
                self._note_version(entry)
                ledger.apply(entry)
        except NewerFormatError as error:
            self._is_newer(name, error)
            return False
        except CorruptLineError as error:
            self._warn(name, f"broken snapshot, {_size(content)}: {error}; not used")
            return False
        self.known = True
        self._loaded.ledger = ledger
        return True

    def take_journal(self, name: str, *, began: bool) -> None:
        """Fold the journal's good lines in; one that may not have begun need not have any."""
        content = self._read(name)
        if content is None:
            return
        *lines, rest = content.split(b"\n")
        if rest and b"\0" in rest:
            lines.append(rest)
        if not (lines or began):
            return
        bad: list[int] = []
        unknown = 0
        for number, line in enumerate(lines, start=1):
            if not line:
                continue
            try:
                entry = decode(line)
            except NewerFormatError as error:
                self._is_newer(name, error)
                return
            except CorruptLineError:
                bad.append(number)
                continue
            self.known = True
            self._note_version(entry)
            unknown += not self._loaded.ledger.apply(entry)
        if len(bad) == sum(map(bool, lines)):
            self._warn(name, f"not a journal, {_size(content)}")
        elif bad:
            self._warn(
                name, f"{len(bad)} of {len(lines)} lines are damaged and left out: {_few(bad)}"
            )
        if unknown:
            self._warn(name, f"{unknown} lines speak of sources that are not known")

    def _note_version(self, entry: Entry) -> None:
        if isinstance(entry, Header):
            self._loaded.oldest_version = min(self._loaded.oldest_version, entry.version)

    def _read(self, name: str) -> bytes | None:
        try:
            return self._files.read(self._directory / name)
        except OSError as error:
            self._warn(name, f"cannot be read: {error.strerror or error}")
            return None

    def _is_newer(self, name: str, error: NewerFormatError) -> None:
        self.newer.append(name)
        self._warn(name, f"written by a newer sidecar ({error}); not used")

    def _warn(self, name: str, problem: str) -> None:
        path = self._directory / name
        self._loaded.warnings.append(f"{path}: {problem}")
        if path not in self._loaded.broken:
            self._loaded.broken.append(path)


def _whole_snapshot(content: bytes) -> Iterator[Entry]:
    """The entries between header and trailer. Raises CorruptLineError when any of it is amiss."""
    *lines, rest = content.split(b"\n")
    if rest or not lines:
        raise CorruptLineError("it is cut short" if content else "it is empty")
    if not isinstance(decode(lines[0]), Header):
        raise CorruptLineError("it has no header")
    trailer = decode(lines[-1])
    if not isinstance(trailer, Trailer) or trailer.entries != len(lines) - 2:
        raise CorruptLineError("its end is missing")
    for line in lines[1:-1]:
        yield decode(line)


def _size(content: bytes) -> str:
    return f"{len(content)} bytes" + (", all NUL" if content and not content.strip(b"\0") else "")


def _few(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:5]))
    return f"{shown}, …" if len(numbers) > 5 else shown

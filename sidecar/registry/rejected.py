"""Dead letters: what CloudWatch will never take, kept on the volume as JSON lines.

A letter must be durable before its range is settled as rejected: `append`, then `sync`, and only
when that returned True the settlement.
"""

from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar.model import json_text
from sidecar.registry.file_system import REAL, FileSystem
from sidecar.registry.state_directory import REJECTED

FILE_LIMIT = 64 * 1024 * 1024
"""Bytes of letters one member keeps; further ones are discarded and counted."""

FOLDER_LIMIT = 8 * FILE_LIMIT
"""Bytes of letters all members together keep, as seen when this one began."""

REMEMBERED = 100_000
"""Letters whose source and offset are remembered, so that none is written twice."""

_BUFFER_LIMIT = 1024 * 1024
_TAIL = 1024 * 1024


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One event that was refused for good.

    `source` names the file in a way that outlives this member; `at` is when it was refused and
    `timestamp` the event's own, in milliseconds; `offset` and `length` are bytes in the source.
    """

    at: int
    path: str
    source: str
    offset: int
    length: int
    group: str
    stream: str
    timestamp: int
    reason: str
    message: str | bytes

    def line(self) -> bytes:
        """The letter as it is kept, with its line feed."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__[:-1]}
        message = self.message
        if isinstance(message, str):
            message = message.encode("utf-8", "surrogatepass")
        try:
            fields["message"] = message.decode("utf-8")
        except UnicodeDecodeError:
            fields["message_base64"] = b64encode(message).decode("ascii")
        return json_text.dumps(fields) + b"\n"


class DeadLetters:
    """The letters of one member, in `rejected/<member>.jsonl`.

    `discarded` counts letters past the limits. `problem` is what the volume last refused, in a
    person's words.
    """

    def __init__(
        self,
        state_dir: Path,
        member: str,
        *,
        limit: int = FILE_LIMIT,
        folder_limit: int = FOLDER_LIMIT,
        files: FileSystem = REAL,
    ) -> None:
        self.discarded = 0
        self.problem: str | None = None
        self._folder = state_dir / REJECTED
        self._path = self._folder / f"{member}.jsonl"
        self._files = files
        self._limit = limit
        self._folder_limit = folder_limit
        self._room: int | None = None
        self._written: dict[tuple[str, int], None] = {}
        self._buffer = bytearray()
        self._descriptor: int | None = None
        self._torn = False
        self._unsynced = False

    def remember(self, member: str) -> None:
        """Know the last letters of a member that is taken over, so as not to repeat them."""
        with suppress(OSError):
            tail = self._files.read_tail(self._folder / f"{member}.jsonl", _TAIL)
            for line in tail.split(b"\n"):
                with suppress(ValueError, TypeError, KeyError):
                    letter = json_text.loads(line)
                    self._note(letter["source"], letter["offset"])

    def append(self, letter: DeadLetter) -> bool:
        """Take the letter, once per source and offset; False when the volume takes no more.

        True also when it was discarded for want of room: that is final, and counted.
        """
        key = letter.source, letter.offset
        if key in self._written:
            return True
        if len(self._buffer) >= _BUFFER_LIMIT and not self._write():
            return False
        line = letter.line()
        room = self._measured_room()
        if len(line) > room:
            self.discarded += 1
        else:
            self._room = room - len(line)
            self._buffer += line
        self._note(*key)
        return True

    def sync(self) -> bool:
        """Whether every letter taken is durable now."""
        if not self._buffer and not self._unsynced:
            return True
        return self._write(durably=True)

    def close(self) -> None:
        """Let the file go."""
        if self._descriptor is not None:
            with suppress(OSError):
                self._files.close(self._descriptor)
            self._descriptor = None

    def _write(self, *, durably: bool = False) -> bool:
        try:
            if self._descriptor is None:
                self._files.make_directories(self._folder)
                self._descriptor = self._files.open_append(self._path)
                self._files.sync_directory(self._folder)
            if self._buffer:
                content = b"\n" + self._buffer if self._torn else bytes(self._buffer)
                self._torn = self._unsynced = True
                self._files.write_all(self._descriptor, content)
                self._torn = False
                self._buffer.clear()
            if durably:
                self._files.sync(self._descriptor)
                self._unsynced = False
        except OSError as error:
            self.problem = f"cannot write {self._path}: {error.strerror or error}"
            return False
        self.problem = None
        return True

    def _measured_room(self) -> int:
        """Bytes that may still be written, by both limits."""
        if self._room is None:
            kept = 0
            with suppress(OSError):
                for name in self._files.names(self._folder):
                    kept += self._files.size(self._folder / name)
            self._room = min(self._limit, self._folder_limit - kept)
        return self._room

    def _note(self, source: str, offset: int) -> None:
        self._written[source, offset] = None
        if len(self._written) > REMEMBERED:
            del self._written[next(iter(self._written))]

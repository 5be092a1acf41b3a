"""The function's root on the shared file system: in, log, out.

A sidecar on another host reads what is written here, so:

* one file a writer: two hosts that append to one file over NFS lose each other's lines;
* fsync before an invocation ends: what is only written may stay on this host for ever;
* an artifact is renamed into place when it is whole.
"""

import json
import os
import re
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LARGEST_FILE = 256 << 20
"""Bytes: what 60 s and 512 MB are enough for."""


class InputError(Exception):
    """What the caller asked for cannot be done; says what to ask for instead."""


class Volume:
    """One environment's writer. Its log file is open from the first line on."""

    def __init__(self, root: Path, name: str, environment: str = "") -> None:
        if not root.is_dir():
            raise OSError(f"{root} is no directory: mount the access point there (FUNCTION_VOLUME)")
        own = re.sub(r"[^0-9A-Za-z-]", "", environment) or uuid.uuid4().hex
        self._root = root
        self._name = name
        self._log_path = root / "logs" / f"{own}.log"
        self._log: int | None = None
        self._lines: list[bytes] = []

    def input(self, event: Any) -> str:
        """The name of the file to work on, checked, and put there if it was sent along."""
        file = event.get("file") if isinstance(event, dict) else None
        if not isinstance(file, str) or not file:
            raise InputError('send {"file": "incoming/NAME.csv"}')
        if not _is_below(file, "incoming"):
            raise InputError(f"{file!r} is not below incoming/")
        content = event.get("content")
        if content is not None:
            if not isinstance(content, str):
                raise InputError("content is the file's text")
            self._write_whole(self._root / file, content.encode())
        if not self.path(file).is_file():
            raise InputError(f"{file} is not on the volume; send its content along to try")
        if self.path(file).stat().st_size > LARGEST_FILE:
            raise InputError(f"{file} is over {LARGEST_FILE} bytes")
        return file

    def path(self, file: str) -> Path:
        return self._root / file

    def log(self, event: str, **values: Any) -> None:
        """One JSON line; it is on the volume when `settle` returns."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = {"timestamp": now, "event": event, "function": self._name, **values}
        self._lines.append(json.dumps(line, default=str).encode() + b"\n")

    def publish(self, name: str, document: dict[str, Any]) -> str:
        """Write an artifact; readers see it whole or not at all."""
        final = self._root / "artifacts" / name
        self._write_whole(final, json.dumps(document, indent=1).encode() + b"\n")
        return str(final.relative_to(self._root))

    def settle(self) -> None:
        """Append what was logged, durable and visible to other hosts.

        After an error the file is opened anew at the next call, and the lines wait for it.
        """
        if not self._lines:
            return
        try:
            if self._log is None:
                self._log = self._open()
            block = b"".join(self._lines)
            while block:
                block = block[os.write(self._log, block) :]
            os.fsync(self._log)
        except OSError:
            self._close()
            raise
        self._lines.clear()

    def _open(self) -> int:
        _make(self._log_path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        descriptor = os.open(self._log_path, flags, 0o640)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            # A process of this environment was killed in mid-line.
            os.write(descriptor, b"\n")
        _sync(self._log_path.parent)
        return descriptor

    def _close(self) -> None:
        if self._log is not None:
            descriptor, self._log = self._log, None
            os.close(descriptor)

    def _write_whole(self, final: Path, content: bytes) -> None:
        _make(final.parent)
        # `.part` is never an artifact to the sidecar; its name is this writer's own.
        part = final.with_name(f"{final.name}.{self._log_path.stem}.part")
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.rename(final)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync(final.parent)


def _is_below(file: str, directory: str) -> bool:
    parts = file.split("/")
    plain = all(re.fullmatch(r"(?!\.)[\w. -]+", part) for part in parts)
    return len(parts) > 1 and parts[0] == directory and plain


def _make(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)


def _sync(directory: Path) -> None:
    """Make what was renamed or created in it durable, and visible to other hosts."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

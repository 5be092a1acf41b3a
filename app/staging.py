"""An upload that is coming in: a directory of the process's own until it is complete."""

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

from app.dataset import Format, Record
from app.volume import sync_directory


class Stage:
    """Every method blocks on the volume; OSError passes through."""

    def __init__(self, incoming: Path, dataset: str) -> None:
        self.directory = incoming / dataset
        self.dataset = dataset
        self.bytes = 0
        self._digest = hashlib.sha256()
        self.directory.mkdir()
        self._file = (self.directory / "source").open("wb", buffering=0)

    def write(self, block: bytes) -> None:
        view = memoryview(block)
        while view:
            view = view[self._file.write(view) :]
        self._digest.update(block)
        self.bytes += len(block)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def finish(self, record: Record) -> None:
        """Make source and record durable under their names."""
        os.fsync(self._file.fileno())
        self._file.close()
        (self.directory / "source").rename(self.directory / source_name(record.format))
        with (self.directory / "dataset.json").open("wb") as file:
            file.write(record.model_dump_json(indent=2).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        sync_directory(self.directory)

    def abandon(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            self._file.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def source_name(format_: Format) -> str:
    return f"source.{format_.value}"

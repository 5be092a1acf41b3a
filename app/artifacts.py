"""What a profile leaves for others: `artifacts/ID/NAME`, each visible only when complete."""

import contextlib
import os
import shutil
import time
from pathlib import Path

from app.dataset import ID
from app.volume import publish, sync_directory

PROFILE_JSON = "profile.json"
PROFILE_HTML = "profile.html"
PARQUET = "data.parquet"
MEDIA_TYPES = {
    PROFILE_JSON: "application/json",
    PROFILE_HTML: "text/html; charset=utf-8",
    PARQUET: "application/vnd.apache.parquet",
}
DELETE_TRIES = 5


class Artifacts:
    """All methods block on the volume; OSError passes through unless said otherwise."""

    def __init__(self, root: Path, writer: str) -> None:
        self._root = root
        self._writer = writer

    def directory(self, dataset: str) -> Path:
        return self._root / dataset

    def begin(self, dataset: str) -> None:
        """Make the directory, visible to other hosts, without what a dead process left there."""
        directory = self.directory(dataset)
        directory.mkdir(exist_ok=True)
        sync_directory(self._root)
        self.sweep(dataset)

    def part(self, dataset: str, name: str) -> Path:
        """Where `name` is written until it is complete: no reader takes a `.part` for one."""
        return self.directory(dataset) / f"{name}.{self._writer}.part"

    def publish(self, dataset: str, name: str) -> None:
        publish(self.part(dataset, name), self.directory(dataset) / name)

    def write(self, dataset: str, name: str, content: bytes) -> None:
        self.part(dataset, name).write_bytes(content)
        self.publish(dataset, name)

    def find(self, dataset: str, name: str) -> Path | None:
        """The complete artifact's path; None for every name that is not one."""
        if not ID.fullmatch(dataset) or name not in MEDIA_TYPES:
            return None
        path = self.directory(dataset) / name
        return path if path.is_file() else None

    def sweep(self, dataset: str) -> None:
        """Remove what was left half-written. Only the process whose turn it is may call this."""
        with contextlib.suppress(FileNotFoundError):
            for entry in os.scandir(self.directory(dataset)):
                if entry.name.endswith(".part"):
                    Path(entry.path).unlink()

    def delete(self, dataset: str) -> None:
        """Remove the directory, also while a profile is still writing into it."""
        for attempt in range(DELETE_TRIES):
            try:
                shutil.rmtree(self.directory(dataset))
            except FileNotFoundError:
                return
            except OSError:
                # A file was added or removed meanwhile (or NFS keeps one that is open).
                if attempt == DELETE_TRIES - 1:
                    raise
                time.sleep(0.05)

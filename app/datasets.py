"""The datasets on the volume. Their state is files, so every process answers for all of them.

`datasets/ID/` appears by one rename and holds the source, `dataset.json` and, at the end,
`outcome.json`. It disappears by one rename as well.
"""

import shutil
from collections import OrderedDict
from pathlib import Path

from app.artifacts import Artifacts
from app.dataset import ID, Dataset, Listing, Outcome, Record, Status
from app.errors import DatasetGoneError
from app.presence import Presence
from app.profile_queue import ProfileQueue, Turn
from app.staging import Stage
from app.volume import Volume, names_in, sync_directory, write_whole

# Finished datasets never change, so their records are read once; a bound on memory.
REMEMBERED = 2000


class Datasets:
    """All methods block on the volume: call them off the event loop. OSError passes through."""

    def __init__(self, volume: Volume, presence: Presence, queue: ProfileQueue) -> None:
        self._root = volume.datasets
        self._presence = presence
        self._queue = queue
        self.artifacts = Artifacts(volume.artifacts, presence.name)
        self._finished: OrderedDict[str, Dataset] = OrderedDict()

    def directory(self, dataset: str) -> Path:
        return self._root / dataset

    def stage(self, dataset: str) -> Stage:
        """Where an upload is written until it is complete."""
        return Stage(self._presence.incoming, dataset)

    def accept(self, stage: Stage, record: Record) -> Dataset:
        """Make a complete upload a dataset, durable, and queue its profile; or leave nothing."""
        stage.finish(record)
        turn = Turn(record.id)
        self._queue.announce(turn)
        try:
            stage.directory.rename(self.directory(record.id))
            sync_directory(self._root)
            self._queue.offer(turn)
        except BaseException:
            self.delete(record.id)
            self._queue.done(turn)
            raise
        return Dataset.of(record, Status.QUEUED, None)

    def find(self, dataset: str) -> Dataset | None:
        """The dataset, or None where there is none of that id."""
        if not ID.fullmatch(dataset):
            return None
        return self._read(dataset, None)

    def list(self, limit: int, before: str | None) -> Listing:
        """At most `limit` datasets older than `before`, newest first."""
        ids = sorted(filter(ID.fullmatch, names_in(self._root)), reverse=True)
        if before is not None:
            ids = [name for name in ids if name < before]
        waiting = self._queue.waiting()
        found = [self._read(name, waiting) for name in ids[:limit]]
        return Listing(
            datasets=[dataset for dataset in found if dataset is not None],
            next=ids[limit - 1] if len(ids) > limit else None,
        )

    def delete(self, dataset: str) -> bool:
        """Remove the dataset and its artifacts; false where there is none of that id."""
        if not ID.fullmatch(dataset):
            return False
        trash = self._presence.trash / dataset
        try:
            self.directory(dataset).rename(trash)
        except FileNotFoundError:
            return False
        sync_directory(self._root)
        self._finished.pop(dataset, None)
        self._queue.forget(dataset)
        self.artifacts.delete(dataset)
        shutil.rmtree(trash, ignore_errors=True)
        return True

    def finished(self, dataset: str) -> bool:
        return (self.directory(dataset) / "outcome.json").exists()

    def record(self, dataset: str) -> Record:
        """Raises DatasetGoneError."""
        try:
            return Record.model_validate_json(
                (self.directory(dataset) / "dataset.json").read_bytes()
            )
        except FileNotFoundError:
            raise DatasetGoneError(dataset) from None

    def conclude(self, dataset: str, outcome: Outcome) -> None:
        """Write how the profile ended. Raises DatasetGoneError, the artifacts then removed."""
        content = outcome.model_dump_json(indent=2).encode() + b"\n"
        final = self.directory(dataset) / "outcome.json"
        try:
            write_whole(final, content, part=final.with_name(f"outcome.{self._presence.name}.part"))
        except FileNotFoundError:
            self.artifacts.delete(dataset)
            raise DatasetGoneError(dataset) from None

    def _read(self, name: str, waiting: set[str] | None) -> Dataset | None:
        directory = self.directory(name)
        remembered = self._finished.get(name)
        if remembered is not None and directory.exists():
            return remembered
        try:
            record = self.record(name)
        except DatasetGoneError:
            self._finished.pop(name, None)
            return None
        try:
            outcome = Outcome.model_validate_json((directory / "outcome.json").read_bytes())
        except FileNotFoundError:
            queued = name in (self._queue.waiting() if waiting is None else waiting)
            return Dataset.of(record, Status.QUEUED if queued else Status.PROFILING, None)
        finished = Dataset.of(record, outcome.status, outcome)
        self._finished[name] = finished
        while len(self._finished) > REMEMBERED:
            self._finished.popitem(last=False)
        return finished

"""What the API says about a dataset, and the two records on the volume it is made from."""

import re
import secrets
import time
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, Field

# Milliseconds in hexadecimal first, so that names sort by age until the year 2527.
ID = re.compile(r"[0-9a-f]{11}-[0-9a-f]{10}")


def new_id() -> str:
    return f"{time.time_ns() // 1_000_000:011x}-{secrets.token_hex(5)}"


class Format(StrEnum):
    """What can be read."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


class Status(StrEnum):
    """`queued` and `profiling` end in `ready` or `failed`."""

    QUEUED = "queued"
    PROFILING = "profiling"
    READY = "ready"
    FAILED = "failed"

    @property
    def final(self) -> bool:
        return self in (Status.READY, Status.FAILED)


class Record(BaseModel):
    """`dataset.json`: written once, when the upload is complete."""

    id: str
    name: str
    format: Format
    bytes: int
    sha256: str
    created: str
    request_id: str


class Outcome(BaseModel):
    """`outcome.json`: written once, when the profile has ended."""

    status: Status
    finished: str
    seconds: float
    reason: str | None = None
    rows: int | None = None
    columns: int | None = None
    artifacts: list[str] = []
    warnings: list[str] = []


class Dataset(BaseModel):
    """One dataset, as clients see it."""

    id: str = Field(description="Identifies the dataset in every address below `/datasets`.")
    name: str = Field(description="The file's name as it was given at upload.")
    format: Format
    bytes: int = Field(description="Size of the uploaded file.")
    sha256: str = Field(description="Digest of the uploaded file.")
    created: str = Field(description="When the upload was complete, UTC.")
    status: Status
    reason: str | None = Field(None, description="Why the profile failed.")
    rows: int | None = None
    columns: int | None = None
    finished: str | None = None
    profile_seconds: float | None = None
    warnings: list[str] = Field([], description="What had to be bent to read the file.")
    artifacts: dict[str, str] = Field({}, description="Addresses of the artifacts, by name.")

    @classmethod
    def of(cls, record: Record, status: Status, outcome: Outcome | None) -> "Dataset":
        told: dict[str, Any] = record.model_dump(exclude={"request_id"})
        if outcome is None:
            return cls(**told, status=status)
        return cls(
            **told,
            status=outcome.status,
            reason=outcome.reason,
            rows=outcome.rows,
            columns=outcome.columns,
            finished=outcome.finished,
            profile_seconds=outcome.seconds,
            warnings=outcome.warnings,
            artifacts={
                name: f"/datasets/{record.id}/artifacts/{name}" for name in outcome.artifacts
            },
        )


class Listing(BaseModel):
    """Newest first."""

    datasets: list[Dataset]
    next: str | None = Field(None, description="Pass as `before` to get the next page.")

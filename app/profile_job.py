"""One dataset's profile, from source to artifacts, in a thread; another may stop it."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path

import duckdb
import orjson

from app import artifacts
from app.columns import Column, describe
from app.dataset import Outcome, Record, Status
from app.datasets import Datasets
from app.errors import ProfileError, ProfileStoppedError
from app.log_lines import now
from app.pages import profile as profile_page
from app.reading import connect, explain, quote, read_into, sample
from app.staging import source_name

MOST_COLUMNS = 2000


@dataclass(frozen=True)
class Limits:
    """Memory in bytes, time in seconds, and where the engine may spill."""

    memory: int
    seconds: float
    spill: Path


class ProfileJob:
    """`run` once; `stop` from any thread, any time."""

    def __init__(self, datasets: Datasets, dataset: str, limits: Limits) -> None:
        self._datasets = datasets
        self._dataset = dataset
        self._limits = limits
        self._stopped: str | None = None
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._lock = threading.Lock()

    def stop(self, reason: str) -> None:
        """End the profile soon with ProfileStoppedError(reason)."""
        with self._lock:
            self._stopped = self._stopped or reason
            if self._connection is not None:
                self._connection.interrupt()

    def run(self) -> Outcome:
        """Raises ProfileError, ProfileStoppedError, DatasetGoneError or OSError."""
        started = time.monotonic()
        record = self._datasets.record(self._dataset)
        timer = threading.Timer(self._limits.seconds, self.stop, ("timeout",))
        timer.daemon = True
        timer.start()
        try:
            return self._profile(record, started)
        except duckdb.Error as error:
            self._check()
            raise ProfileError(explain(error, self._datasets.directory(record.id))) from error
        except ProfileStoppedError as stopped:
            if stopped.reason == "timeout":
                limit = f"{self._limits.seconds:g} s"
                raise ProfileError(f"profiling took longer than {limit}") from None
            raise
        finally:
            timer.cancel()
            self._disconnect()

    def _profile(self, record: Record, started: float) -> Outcome:
        store = self._datasets.artifacts
        source = self._datasets.directory(record.id) / source_name(record.format)
        store.begin(record.id)
        parquet = store.part(record.id, artifacts.PARQUET)
        connection = connect(
            memory=self._limits.memory,
            spill=self._limits.spill / record.id,
            readable=[source.parent, parquet.parent],
        )
        with self._lock:
            self._connection = connection
        self._check()
        rows, warnings = read_into(connection, record.format, source, parquet, self._check)
        columns = self._columns(connection, parquet, rows, warnings)
        told = {
            "dataset": record.model_dump(mode="json", exclude={"request_id"}),
            "rows": rows,
            "columns": [column.as_dict() for column in columns],
            "sample": sample(connection, parquet, [column.name for column in columns]),
            "warnings": warnings,
            "profiled": now(),
            "seconds": round(time.monotonic() - started, 3),
        }
        self._check()
        # The data first: whoever sees a profile can also get what it speaks of.
        store.publish(record.id, artifacts.PARQUET)
        content = orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        store.write(record.id, artifacts.PROFILE_JSON, content)
        store.write(record.id, artifacts.PROFILE_HTML, profile_page.render(told).encode())
        return Outcome(
            status=Status.READY,
            finished=now(),
            seconds=round(time.monotonic() - started, 3),
            rows=rows,
            columns=len(columns),
            artifacts=list(artifacts.MEDIA_TYPES),
            warnings=warnings,
        )

    def _columns(
        self,
        connection: duckdb.DuckDBPyConnection,
        parquet: Path,
        rows: int,
        warnings: list[str],
    ) -> list[Column]:
        relation = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(parquet)])
        named = [(str(row[0]), str(row[1])) for row in relation.fetchall()]
        if len(named) > MOST_COLUMNS:
            raise ProfileError(f"{len(named):,} columns are more than {MOST_COLUMNS:,}")
        connection.execute(
            f"CREATE TEMP VIEW source AS SELECT * FROM read_parquet({quote(str(parquet))})"  # noqa: S608 - quoted
        )
        columns = []
        for name, kind in named:
            self._check()
            columns.append(describe(connection, name, kind, rows, warnings))
        return columns

    def _check(self) -> None:
        if self._stopped is not None:
            raise ProfileStoppedError(self._stopped)

    def _disconnect(self) -> None:
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

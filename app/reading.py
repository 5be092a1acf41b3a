"""From an uploaded file to Parquet, by an engine that can reach nothing else."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from app.dataset import Format

# The types of a CSV or JSON file up to this size are decided from all of it.
DETECT_WHOLE_BYTES = 64 << 20
DETECT_ROWS = 200_000
LONGEST_LINE = 16 << 20
SAMPLE_ROWS = 20
SAMPLE_COLUMNS = 100
LONGEST_VALUE = 200
LONGEST_REASON = 400
DELIMITERS = ",;\t|"

Check = Callable[[], None]


def connect(*, memory: int, spill: Path, readable: list[Path]) -> duckdb.DuckDBPyConnection:
    """An engine in memory, of one thread, confined to `readable` and its spill directory.

    Uploads are strangers' files: no extension is installed or loaded, nothing else is opened.
    """
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": f"{memory}B",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
    )
    directories = ", ".join(quote(f"{directory}/") for directory in [*readable, spill])
    connection.execute(f"SET temp_directory = {quote(str(spill))}")
    connection.execute(f"SET max_temp_directory_size = '{max(memory * 8, 1 << 30)}B'")
    connection.execute(f"SET allowed_directories = [{directories}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET enable_progress_bar = false")
    connection.execute("SET TimeZone = 'UTC'") if _knows_zones(connection) else None
    connection.execute("SET lock_configuration = true")
    return connection


def read_into(
    connection: duckdb.DuckDBPyConnection,
    format_: Format,
    source: Path,
    parquet: Path,
    check: Check,
) -> tuple[int, list[str]]:
    """Write `source` as Parquet; the number of rows, and what had to be bent to read it.

    Raises duckdb.Error. `check` is called before each attempt.
    """
    first: duckdb.Error | None = None
    for options, warning in _ways(format_, source):
        check()
        reader = "read_" + {"jsonl": "json"}.get(format_.value, format_.value)
        written = ", ".join(f"{key} = {value}" for key, value in options.items())
        arguments = ", ".join(filter(None, [quote(str(source)), written]))
        try:
            (rows,) = connection.execute(
                f"COPY (SELECT * FROM {reader}({arguments})) TO {quote(str(parquet))} "  # noqa: S608 - quoted
                "(FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)"
            ).fetchone() or (0,)
        except duckdb.InterruptException:
            check()
            raise
        except (duckdb.IOException, duckdb.OutOfMemoryException):
            # The volume or the memory, not the file's shape: another way would end alike.
            raise
        except duckdb.Error as error:
            # Without its stack, which would keep this frame and the connection alive.
            first = first or error.with_traceback(None)
            continue
        if not warning and format_ is Format.CSV and _unparted(connection, parquet):
            continue
        return int(rows), [warning] if warning else []
    raise first or duckdb.InvalidInputException("the columns cannot be told apart")


def _unparted(connection: duckdb.DuckDBPyConnection, parquet: Path) -> bool:
    """Whether the engine took whole rows for one column, as it does where lengths differ."""
    columns = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(parquet)])
    names = [str(row[0]) for row in columns.fetchall()]
    return len(names) == 1 and any(delimiter in names[0] for delimiter in DELIMITERS)


def _ways(format_: Format, source: Path) -> list[tuple[dict[str, str], str]]:
    """Ways to read the file, the strict one first, each with what to tell its owner."""
    small = source.stat().st_size <= DETECT_WHOLE_BYTES
    rows = "-1" if small else str(DETECT_ROWS)
    if format_ is Format.PARQUET:
        return [({}, "")]
    if format_ is Format.JSON_LINES:
        strict = {"format": "'newline_delimited'", "maximum_object_size": str(LONGEST_LINE)}
        ways = [({**strict, "sample_size": rows}, "")]
        return ways if small else [*ways, ({**strict, "sample_size": "-1"}, "")]
    strict = {"max_line_size": str(LONGEST_LINE), "sample_size": rows}
    loose = {**strict, "strict_mode": "false", "null_padding": "true", "sample_size": "-1"}
    text = {**loose, "all_varchar": "true"}
    return [
        (strict, ""),
        (loose, "rows of unequal length or stray quotes: short rows were filled with nulls"),
        (text, "no consistent types: every column is text"),
        ({**strict, "encoding": "'latin-1'"}, "not UTF-8: read as Latin-1"),
        ({**loose, "encoding": "'latin-1'"}, "not UTF-8 and of unequal rows: read as Latin-1"),
    ]


def sample(
    connection: duckdb.DuckDBPyConnection, parquet: Path, columns: list[str]
) -> dict[str, list[Any]]:
    """The first rows as text, cut to what a page can show."""
    shown = columns[:SAMPLE_COLUMNS]
    cells = ", ".join(
        f"left(CAST({identifier(name)} AS VARCHAR), {LONGEST_VALUE})" for name in shown
    )
    rows = connection.execute(
        f"SELECT {cells} FROM read_parquet(?) LIMIT {SAMPLE_ROWS}",  # noqa: S608 - quoted
        [str(parquet)],
    ).fetchall()
    return {"columns": shown, "rows": [list(row) for row in rows]}


def explain(error: duckdb.Error, directory: Path) -> str:
    """The engine's words for a person: its first sentences, without our paths or query."""
    if isinstance(error, duckdb.OutOfMemoryException):
        return "the file needs more memory to be profiled than the service has"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = next((number for number, line in enumerate(lines) if line.startswith("LINE ")), 3)
    told = " ".join(lines[: min(ours, 3)]) or "the file cannot be read"
    told = told.replace(str(directory) + "/", "")
    return re.sub(r"\s+", " ", told)[:LONGEST_REASON]


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _knows_zones(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM duckdb_settings() WHERE name = 'TimeZone'"
    ).fetchone()
    return bool(found and found[0])

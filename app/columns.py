"""What is told of one column: counts, range, moments, commonest values, a histogram."""

import math
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from app.reading import identifier

BINS = 20
COMMONEST = 8
LONGEST_VALUE = 120
# Counting distinct values exactly takes memory for each; beyond this an estimate must do.
EXACT_ROWS = 500_000
# Looking for the commonest of nearly unique values costs much and tells nothing.
MOST_DISTINCT_FOR_COMMONEST = 100_000
# JSON numbers are read as doubles by most; integers beyond this would be rounded.
LARGEST_EXACT = 2**53

WHOLE = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")
NUMBERS = (*WHOLE, *(f"U{name}" for name in WHOLE), "FLOAT", "DOUBLE", "DECIMAL")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Column:
    """`kind` is number, time, text, boolean or other; `histogram` has equal steps."""

    name: str
    type: str
    kind: str
    rows: int
    nulls: int = 0
    distinct: int = 0
    distinct_exact: bool = True
    min: Any = None
    max: Any = None
    mean: float | None = None
    deviation: float | None = None
    quartiles: list[float] | None = None
    commonest: list[dict[str, Any]] = field(default_factory=list)
    histogram: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def describe(
    connection: duckdb.DuckDBPyConnection, name: str, type_: str, rows: int, warnings: list[str]
) -> Column:
    """Describe one column of the view `source`; what the engine cannot do becomes a warning."""
    column = Column(name=name, type=type_, kind=kind_of(type_), rows=rows)
    cell = identifier(name)
    for step in (_counts, _range, _moments, _commonest, _histogram):
        try:
            step(connection, column, cell)
        except (duckdb.InterruptException, duckdb.OutOfMemoryException):
            raise
        except duckdb.Error as error:
            told = str(error).partition("\n")[0][:200]
            warnings.append(f"column {name[:64]!r}: {step.__name__.strip('_')} left out ({told})")
    return column


def kind_of(type_: str) -> str:
    if type_.endswith("]"):
        return "other"
    if type_.startswith(NUMBERS):
        return "number"
    if type_.startswith(("DATE", "TIMESTAMP")):
        return "time"
    return {"VARCHAR": "text", "UUID": "text", "BOOLEAN": "boolean"}.get(
        type_, "text" if type_.startswith("ENUM") else "other"
    )


def _one(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return connection.execute(sql).fetchone() or ()


def _counts(connection: duckdb.DuckDBPyConnection, column: Column, cell: str) -> None:
    column.distinct_exact = column.rows <= EXACT_ROWS
    comparable = cell if column.kind != "other" else f"CAST({cell} AS VARCHAR)"
    distinct = "count(DISTINCT {})" if column.distinct_exact else "approx_count_distinct({})"
    present, column.distinct = _one(
        connection,
        f"SELECT count({cell}), {distinct.format(comparable)} FROM source",  # noqa: S608 - quoted
    )
    column.nulls = column.rows - present
    column.distinct = min(column.distinct, present)


def _range(connection: duckdb.DuckDBPyConnection, column: Column, cell: str) -> None:
    if column.kind == "other":
        return
    least, greatest = _one(
        connection,
        f"SELECT CAST(min({cell}) AS VARCHAR), CAST(max({cell}) AS VARCHAR) FROM source",  # noqa: S608 - quoted
    )
    column.min, column.max = _plain(column, least), _plain(column, greatest)


def _plain(column: Column, text: str | None) -> Any:
    if text is None or column.kind != "number":
        return text if text is None else text[:LONGEST_VALUE]
    if text.lstrip("-").isdigit():
        return int(text) if abs(int(text)) <= LARGEST_EXACT else text
    if column.type.startswith("DECIMAL"):
        return text
    return _finite(float(text)) if math.isfinite(float(text)) else text


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _moments(connection: duckdb.DuckDBPyConnection, column: Column, cell: str) -> None:
    if column.kind != "number":
        return
    number = f"CAST({cell} AS DOUBLE)"
    mean, deviation, quartiles = _one(
        connection,
        f"SELECT avg({number}), stddev_samp({number}), "  # noqa: S608 - quoted
        f"approx_quantile({number}, [0.25, 0.5, 0.75]) FROM source WHERE isfinite({number})",
    )
    column.mean, column.deviation = _finite(mean), _finite(deviation)
    if quartiles is not None:
        column.quartiles = [float(quartile) for quartile in quartiles]


def _commonest(connection: duckdb.DuckDBPyConnection, column: Column, cell: str) -> None:
    few = column.distinct <= (2 * COMMONEST if column.kind in ("number", "time") else math.inf)
    if not few or not 0 < column.distinct <= MOST_DISTINCT_FOR_COMMONEST:
        return
    found = connection.execute(
        f"SELECT left(CAST({cell} AS VARCHAR), {LONGEST_VALUE}) AS value, count(*) AS times "  # noqa: S608 - quoted
        f"FROM source WHERE {cell} IS NOT NULL "
        f"GROUP BY CAST({cell} AS VARCHAR) ORDER BY times DESC, value LIMIT {COMMONEST}"
    ).fetchall()
    column.commonest = [{"value": value, "count": times} for value, times in found]


def _histogram(connection: duckdb.DuckDBPyConnection, column: Column, cell: str) -> None:
    if column.kind == "number":
        number, usable = f"CAST({cell} AS DOUBLE)", f"isfinite(CAST({cell} AS DOUBLE))"
    elif column.kind == "time":
        number, usable = f"epoch({cell})", f"isfinite({cell})"
    else:
        return
    least, greatest = _one(
        connection,
        f"SELECT min({number}), max({number}) FROM source WHERE {usable}",  # noqa: S608 - quoted
    )
    if least is None or not math.isfinite(greatest - least) or greatest <= least:
        return
    whole = column.type.removeprefix("U") in WHOLE
    few = whole and greatest - least < BINS
    # Whole numbers of few values get a bar each: the last bar ends one past the greatest.
    bins = int(greatest - least) + 1 if few else BINS
    end = greatest + 1 if few else greatest
    step = (end - least) / bins
    if step <= 0 or not math.isfinite(step):
        return
    found = dict(
        connection.execute(
            f"SELECT least(CAST(floor(({number} - {least!r}) / {step!r}) AS INTEGER), {bins - 1}) "  # noqa: S608 - numbers
            f"AS bin, count(*) FROM source WHERE {usable} GROUP BY bin"
        ).fetchall()
    )
    column.histogram = [
        {
            "from": _edge(column, least + step * number),
            "to": _edge(column, least + step * (number if few else number + 1)),
            "count": found.get(number, 0),
        }
        for number in range(bins)
    ]


def _edge(column: Column, value: float) -> float | str:
    if column.kind == "number":
        rounded = float(f"{value:.12g}")
        return int(rounded) if rounded.is_integer() and abs(rounded) < LARGEST_EXACT else rounded
    try:
        moment = EPOCH + timedelta(seconds=value)
    except OverflowError:
        return f"{value:.0f} s since 1970"
    return moment.strftime("%Y-%m-%d" if column.type == "DATE" else "%Y-%m-%d %H:%M:%S")

"""What a CSV file holds, column by column, in one pass and little memory.

The standard library only: every megabyte of a package is time in a cold start.
"""

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MOST_COLUMNS = 500
MOST_VALUES = 1000
"""Distinct values counted in a column; beyond that it is known to have more."""
LONGEST_FIELD = 1 << 20


class Column:
    """Counts of one column; numbers as long as everything in it is one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.empty = 0
        self.values = 0
        self._numbers = 0
        self._sum = 0.0
        self._least = math.inf
        self._greatest = -math.inf
        self._seen: set[str] = set()

    def take(self, text: str) -> None:
        if not text.strip():
            self.empty += 1
            return
        self.values += 1
        if len(self._seen) <= MOST_VALUES:
            self._seen.add(text[:200])
        number = _number(text)
        if number is not None:
            self._numbers += 1
            self._sum += number
            self._least = min(self._least, number)
            self._greatest = max(self._greatest, number)

    def told(self) -> dict[str, Any]:
        distinct: int | str = len(self._seen)
        if len(self._seen) > MOST_VALUES:
            distinct = f"over {MOST_VALUES}"
        found: dict[str, Any] = {"name": self.name, "kind": "text", "empty": self.empty}
        found["distinct"] = distinct
        if self.values and self._numbers == self.values:
            found["kind"] = "number"
            found |= {"least": self._least, "greatest": self._greatest}
            found["mean"] = self._sum / self.values
        return found


def profile_of(file: Path) -> dict[str, Any]:
    """Rows and columns of the file, whose first line names the columns."""
    csv.field_size_limit(LONGEST_FIELD)
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        rows = _rows(lines)
        columns = [Column(name) for name in next(rows, [])[:MOST_COLUMNS]]
        count, uneven = 0, 0
        for row in rows:
            count += 1
            uneven += len(row) != len(columns)
            for column, text in zip(columns, row, strict=False):
                column.take(text)
    return {
        "rows": count,
        "uneven_rows": uneven,
        "columns": [column.told() for column in columns],
    }


def _rows(lines: Any) -> Iterator[list[str]]:
    reader = csv.reader(line.replace("\0", "") for line in lines)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:  # a field beyond all bounds: the row is counted as uneven
            yield []


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if math.isfinite(found) else None

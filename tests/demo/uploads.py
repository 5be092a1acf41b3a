"""Files to upload, of several shapes: made up, but like what people have."""

import csv
import io
import json
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

CITIES = ("Oslo", "Zürich", "São Paulo", "東京", "Kraków", "Reykjavík", "Łódź")
NAMES = ("Ada", "Grace", "Hedy", "Katherine", "Radia", "Barbara", "Frances")
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class Upload(NamedTuple):
    """A file as it is sent."""

    name: str
    content: bytes
    content_type: str = "text/csv"


def sales(chance: random.Random) -> Upload:
    """Numbers, dates and text."""
    rows = [
        [row, EPOCH.date() + timedelta(days=row % 365), chance.choice(CITIES), chance.randint(1, 9)]
        for row in range(chance.randint(50, 3000))
    ]
    return Upload("sales.csv", table(["id", "day", "city", "amount"], rows))


def sensors(chance: random.Random) -> Upload:
    """Semicolons, and holes where a sensor said nothing."""
    rows = [
        [(EPOCH + timedelta(seconds=10 * row)).isoformat(), *(reading(chance) for _ in range(4))]
        for row in range(chance.randint(100, 2000))
    ]
    header = ["time", "inside", "outside", "roof", "cellar"]
    return Upload("sensors.csv", table(header, rows, delimiter=";"))


def people(chance: random.Random) -> Upload:
    """Quotes, commas and line ends within the values."""
    rows = [
        [f'{chance.choice(NAMES)} "the {row}th"', f"Street {row},\nfloor {row % 7}", row % 2 == 0]
        for row in range(chance.randint(10, 300))
    ]
    return Upload("people.csv", table(["name", "address", "active"], rows))


def wide(chance: random.Random) -> Upload:
    """Many columns, few rows."""
    columns = [f"measure_{column:02}" for column in range(chance.randint(20, 40))]
    rows = [[round(chance.gauss(0, 1), 3) for _ in columns] for _ in range(30)]
    return Upload("wide.csv", table(columns, rows))


def clicks(chance: random.Random) -> Upload:
    """One JSON object a line, not all alike."""
    lines = [
        json.dumps(
            {"user": chance.randint(1, 40), "page": f"/p/{chance.randint(1, 9)}", "ms": row * 7}
            | ({"referrer": chance.choice(CITIES)} if row % 3 else {}),
            ensure_ascii=False,
        )
        for row in range(chance.randint(50, 800))
    ]
    return Upload("clicks.jsonl", "\n".join(lines).encode() + b"\n", "application/x-ndjson")


SHAPES: tuple[Callable[[random.Random], Upload], ...] = (sales, sensors, people, wide, clicks)


def table(header: list[str], rows: Sequence[Sequence[object]], delimiter: str = ",") -> bytes:
    """A CSV file as RFC 4180 has it, but for the delimiter."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def reading(chance: random.Random) -> float | None:
    return None if chance.random() < 0.1 else round(chance.gauss(18, 4), 2)

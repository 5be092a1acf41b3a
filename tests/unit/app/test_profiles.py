"""Profiles of odd files: right counts, or a failure with a reason; never a crash, never markup."""

import csv
import io
import math
import re
from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.dataset import Format, Outcome, Record, Status, new_id
from app.datasets import Datasets
from app.errors import DatasetGoneError, ProfileError, RefusedError
from app.formats import HEAD_BYTES, detect
from app.presence import Presence
from app.profile_job import Limits, ProfileJob
from app.profile_queue import ProfileQueue
from app.volume import Volume


class Bench:
    """Datasets on a scratch volume, profiled in this thread."""

    def __init__(self, root: Path) -> None:
        volume = Volume(root)
        volume.prepare("t")
        self.presence = Presence(volume.workers, "t")
        self.datasets = Datasets(
            volume, self.presence, ProfileQueue(volume.queue, self.presence.running)
        )
        self.limits = Limits(memory=128 << 20, seconds=60, spill=self.presence.spill)

    def store(self, content: bytes, name: str = "x.csv") -> str:
        format_ = detect(content[:HEAD_BYTES])
        stage = self.datasets.stage(new_id())
        stage.write(content)
        record = Record(
            id=stage.dataset,
            name=name,
            format=format_,
            bytes=stage.bytes,
            sha256=stage.sha256,
            created="2026-11-23T09:05:00.000Z",
            request_id="r",
        )
        return self.datasets.accept(stage, record).id

    def job(self, dataset: str) -> ProfileJob:
        return ProfileJob(self.datasets, dataset, self.limits)

    def profile(self, content: bytes, name: str = "x.csv") -> dict[str, Any]:
        """`profile.json`, with the page under `page` and the outcome under `outcome`."""
        dataset = self.store(content, name)
        outcome = self.job(dataset).run()
        directory = self.datasets.artifacts.directory(dataset)
        assert sorted(path.name for path in directory.iterdir()) == sorted(outcome.artifacts)
        told: dict[str, Any] = orjson.loads((directory / "profile.json").read_bytes())
        return told | {"page": (directory / "profile.html").read_text(), "outcome": outcome}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One volume for all profiles of this module."""
    return Bench(tmp_path_factory.mktemp("volume"))


def column(profile: dict[str, Any], name: str) -> dict[str, Any]:
    return next(column for column in profile["columns"] if column["name"] == name)


def test_each_kind_of_column_is_described(bench: Bench) -> None:
    """Counts, ranges, moments and histograms agree with a count by hand."""
    rows = [f"{n},{n / 4},{'even' if n % 2 == 0 else 'odd'},{n % 3 == 0},2024-01-{n:02d}" for n in range(1, 31)]  # fmt: skip  # noqa: E501
    told = bench.profile(("n,quarter,parity,third,day\n" + "\n".join(rows) + "\n,,,,\n").encode())
    assert told["rows"] == 31
    assert [column["kind"] for column in told["columns"]] == [
        "number", "number", "text", "boolean", "time",
    ]  # fmt: skip
    assert all(column["nulls"] == 1 for column in told["columns"])
    n = column(told, "n")
    assert (n["min"], n["max"], n["distinct"], n["mean"]) == (1, 30, 30, 15.5)
    assert math.isclose(n["deviation"], 8.803408430829505)
    assert sum(part["count"] for part in n["histogram"]) == 30
    assert column(told, "parity")["commonest"] == [
        {"value": "even", "count": 15},
        {"value": "odd", "count": 15},
    ]
    day = column(told, "day")
    assert (day["min"], day["max"]) == ("2024-01-01", "2024-01-30")
    assert sum(part["count"] for part in day["histogram"]) == 30
    assert day["histogram"][0]["from"] == "2024-01-01"


def test_few_whole_numbers_get_a_bar_each(bench: Bench) -> None:
    """Bars of a small range are the numbers themselves."""
    told = bench.profile(b"n,x\n1,a\n2,b\n2,c\n4,d\n")
    assert [part["count"] for part in column(told, "n")["histogram"]] == [1, 2, 0, 1]


def test_numbers_no_reader_of_json_could_hold_stay_text(bench: Bench, tmp_path: Path) -> None:
    """Integers beyond 2**53 are not rounded; infinities and NaN do not spoil the rest."""
    path = tmp_path / "x.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT * FROM (VALUES (9007199254740993, 'inf'::DOUBLE), "
            "(9007199254740995, 'nan'::DOUBLE), (0, 1.5)) AS t(big, odd)) "
            f"TO '{path}'"
        )
    told = bench.profile(path.read_bytes())
    assert column(told, "big")["max"] == "9007199254740995"
    assert (column(told, "odd")["mean"], column(told, "odd")["max"]) == (1.5, "nan")


CELL = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
    st.dates().map(str),
    st.sampled_from(["", " ", "NULL", "true", "<b>", '"', "'", ";", "\t", "a,b", "x\ny", "1e999"]),
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[bytes, int]:
    """A CSV file with a header, of any dialect, and its number of rows."""
    width = draw(st.integers(2, 5))
    rows = draw(st.lists(st.lists(CELL, min_size=width, max_size=width), min_size=1, max_size=12))
    dialect = {
        "delimiter": draw(st.sampled_from([",", ";", "\t", "|"])),
        "lineterminator": draw(st.sampled_from(["\n", "\r\n"])),
    }
    sink = io.StringIO()
    writer = csv.writer(sink, quoting=csv.QUOTE_ALL, **dialect)
    writer.writerow([f"column {number}" for number in range(width)])
    writer.writerows(rows)
    bom = draw(st.sampled_from(["", "\ufeff"]))
    return (bom + sink.getvalue()).encode(), len(rows)


@settings(max_examples=25)
@given(table=tables())
def test_any_quoted_table_is_profiled(bench: Bench, table: tuple[bytes, int]) -> None:
    """Every value quoted: no row is lost, whatever the values, and the page holds no markup."""
    content, rows = table
    told = bench.profile(content)
    # A header of nothing but text over rows of text cannot be told from a row.
    assert told["rows"] in (rows, rows + 1)
    for column_ in told["columns"]:
        assert 0 <= column_["distinct"] + column_["nulls"] <= column_["rows"] == told["rows"]
    assert "<b>" not in told["page"].partition("First rows")[2]


@settings(max_examples=40)
@given(content=st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
@example(b"a,b\n1\n1,2,3\n")
@example(b'a,b\n"1,2\n3,4\n')
@example(b"a,a,A,\n1,2,3,4\n")
@example(b"a;b\n1,5;2,5\n")
@example(b"\xef\xbb\xbfa,b\n1,2")
@example("name\nJos\u00e9\n".encode("latin-1"))
@example(b"a,b\n" + b"x" * 70_000 + b",1\n")
@example(b"{}\n{}\n")
@example(b'{"a": NaN}\n')
@example(b'{"a": 1, "A": 2, "": 3}\n')
@example(b'{"a": [1, {"b": null}]}\n{"a": "x"}\n')
@example(b"header,only\n")
@example(b"one column\n")
@example(b"a,b\r1,2\r")
@example(b"PAR1" + b"\xff" * 50)
def test_whatever_is_uploaded_ends_in_a_profile_or_a_reason(bench: Bench, content: bytes) -> None:
    """No file makes the profiler raise anything but its own errors, or leaves a half artifact."""
    try:
        dataset = bench.store(content)
        outcome = bench.job(dataset).run()
    except RefusedError as refused:
        verdict: RefusedError | ProfileError | None = refused
    except ProfileError as failed:
        verdict = failed
    else:
        verdict = None
    if verdict is not None:
        assert verdict.reason
        assert "\n" not in verdict.reason
        return
    parquet = bench.datasets.artifacts.directory(dataset) / "data.parquet"
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT count(*) FROM read_parquet(?)", [str(parquet)]
        ).fetchone()
    assert found == (outcome.rows,)


def test_a_ragged_file_says_what_was_bent(bench: Bench) -> None:
    """Rows of unequal length are filled with nulls, with a warning on the page."""
    told = bench.profile(b"a,b,c\n1,2,3\n4,5\n6,7,8\n9\n")
    assert told["rows"] == 4
    assert column(told, "c")["nulls"] == 2
    assert "unequal length" in told["page"]


def test_names_and_values_are_text_on_the_page(bench: Bench) -> None:
    """Markup in file name, column name and cell comes out escaped."""
    told = bench.profile(b'<img src=x>,"a$b"\n"<script>x</script>",${name}\n', "<svg onload=1>.csv")
    assert not re.search(r"<(img|script|svg onload)", told["page"])
    assert "&lt;script&gt;" in told["page"]
    assert "${name}" in told["page"]


def test_a_deleted_dataset_ends_its_profile(bench: Bench) -> None:
    """Deleted before or after the work: the profile is dropped, and its artifacts with it."""
    dataset = bench.store(b"a,b\n1,2\n")
    outcome = bench.job(dataset).run()
    assert bench.datasets.delete(dataset)
    with pytest.raises(DatasetGoneError):
        bench.job(dataset).run()
    bench.datasets.artifacts.begin(dataset)
    with pytest.raises(DatasetGoneError):
        bench.datasets.conclude(dataset, outcome)
    assert not bench.datasets.artifacts.directory(dataset).exists()


def test_a_profile_over_its_time_fails_with_the_limit(bench: Bench) -> None:
    """The engine is interrupted, and the reason names the limit."""
    content = b"a,b\n" + b"".join(b"%d,x%d\n" % (n, n) for n in range(300_000))
    dataset = bench.store(content)
    limits = Limits(memory=128 << 20, seconds=0.01, spill=bench.presence.spill)
    with pytest.raises(ProfileError, match=r"longer than 0\.01 s"):
        ProfileJob(bench.datasets, dataset, limits).run()


def test_the_engine_reads_nothing_but_the_upload(bench: Bench, tmp_path: Path) -> None:
    """A connection for one dataset cannot open other files, nor lift that."""
    from app.reading import connect

    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    (tmp_path / "allowed").mkdir()
    connection = connect(memory=64 << 20, spill=tmp_path / "s", readable=[tmp_path / "allowed"])
    for statement in (
        f"SELECT * FROM read_csv('{secret}')",
        f"SELECT * FROM read_csv('{tmp_path}/allowed/../secret.csv')",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "LOAD httpfs",
        f"ATTACH '{tmp_path}/x.db'",
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(statement)
    connection.close()


def test_outcomes_are_read_back_as_written(bench: Bench) -> None:
    """Another process sees the same dataset from the files alone."""
    dataset = bench.store(b"a,b\n1,2\n", "n.csv")
    outcome = bench.job(dataset).run()
    waiting = bench.datasets.find(dataset)
    assert waiting is not None
    assert waiting.status is Status.QUEUED
    bench.datasets.conclude(dataset, outcome)
    found = bench.datasets.find(dataset)
    assert found is not None
    assert (found.status, found.rows, found.format) == (Status.READY, 1, Format.CSV)
    assert isinstance(outcome, Outcome)

"""G03 and G04: times of JSON lines, and lines that only look like JSON."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.model.assembler import Assembler
from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.records import Records
from tests.unit.timestamps.readings import NOW, ms, time_of

SECOND = "2026-11-23T08:58:49+00:00"
MILLISECOND = "2026-11-23T08:58:49.123+00:00"


def records_of(*lines: str) -> Records:
    """The records of these lines."""
    data = "".join(line + "\n" for line in lines).encode()
    return Assembler(AssemblyRules.of(), stream="s").feed(data, 0, NOW)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"timestamp":"2026-11-23T08:58:49.123Z"}', MILLISECOND),
        ('{"a":1,"time":"2026-11-23T08:58:49.123Z"}', MILLISECOND),
        ('{"ts":"2026-11-23 08:58:49,123"}', MILLISECOND),
        ('{"@timestamp":"2026-11-23T09:58:49.123+01:00"}', MILLISECOND),
        ('  {"ts":1795424329}', SECOND),
        ('{"ts":1795424329.123}', MILLISECOND),
        ('{"ts":1795424329123}', MILLISECOND),
        ('{"ts":1795424329123456}', MILLISECOND),
        ('{"ts":1795424329123456789}', MILLISECOND),
        ('{"ts":1.795424329123e9}', MILLISECOND),
        ('{"ts":"1795424329.123"}', MILLISECOND),
        ('{"ts":"1795424329123"}', MILLISECOND),
        ('{"time":"23/Nov/2026:08:58:49 +0000"}', SECOND),
        # In order of the keys, not of the line, and the first that is valid.
        (
            '{"ts":1,"time":"2026-11-23T08:58:49Z","timestamp":"2026-11-23T08:58:49.123Z"}',
            MILLISECOND,
        ),
        ('{"timestamp":"yesterday","ts":1795424329}', SECOND),
        ('{"timestamp":null,"time":12.5,"ts":1795424329}', SECOND),
        # Of the same key twice JSON's last counts.
        ('{"ts":1795424000,"ts":1795424329}', SECOND),
    ],
)
def test_g03_the_time_of_a_json_line(line: str, expected: str) -> None:
    """The top-level keys in their order, as a string or a number of any magnitude.

    Caught: reading milliseconds as seconds; taking the first key of the line.
    """
    assert time_of(line) == ms(expected)


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        '{"msg":"2026-11-23T08:58:49Z"}',
        '{"a":{"time":"2026-11-23T08:58:49Z"}}',
        '{"a":"\\"time\\":\\"2026-11-23T08:58:49Z\\""}',
        '{"a":[{"ts":1795424329}]}',
        '{"ts":true}',
        '{"ts":-1795424329}',
        '{"ts":0.25}',
        '{"ts":99999999}',
        '{"ts":1e30}',
        '{"ts":"2026-11-23T08:58:49Z and more"}',
        '{"ts":["2026-11-23T08:58:49Z"]}',
        '{"Time":"2026-11-23T08:58:49Z"}',
        '[{"ts":1795424329}]',
    ],
)
def test_g03_only_a_top_level_key_with_a_time_counts(line: str) -> None:
    """A key inside an object or a string is not the line's; a duration is no time.

    Caught: searching the text for the key.
    """
    assert time_of(line) is None


def test_g03_a_key_of_the_users() -> None:
    """Only that key counts, a dot is part of its name, and text lines have no time.

    Caught: splitting the key at its dots; falling back to auto.
    """
    rule = {"key": "log.at"}
    assert time_of('{"log.at":1795424329}', rule) == ms(SECOND)
    assert time_of('{"log":{"at":1795424329}}', rule) is None
    assert time_of('{"ts":1795424329}', rule) is None
    assert time_of("2026-11-23T08:58:49Z x", rule) is None


def test_g04_json_lines_are_shipped_as_they_are() -> None:
    """Spaces, order, escapes and duplicate keys stay.

    Caught: shipping the line parsed and encoded again.
    """
    line = '{"b" : 1,"a":"\\u00e9/\\/", "b":2 }'
    assert records_of(line).messages == [line]


def test_g04_broken_json_is_text_and_counted() -> None:
    """It is shipped as it is and takes the time before it; what begins otherwise is no JSON.

    Caught: counting every line that is not JSON.
    """
    lines = ['{"ts":1795424329}', '{"ts":1795424999', '{"a":NaN}', "{", "text", "[1", "{}"]
    records = records_of(*lines)
    assert records.messages == lines
    assert records.broken_json == 3
    assert records.timestamps == [1_795_424_329_000] * len(lines)


@pytest.mark.parametrize(
    "lines",
    [
        [f'{{"ts":{1795424329 + number}}}' for number in range(600)],
        [f'{{"a":1,"time":"2026-11-23T08:58:{n % 60:02}.{n:03}Z"}}' for n in range(600)],
        [f"2026-11-23 08:58:{n % 60:02},{n:03} x" for n in range(600)],
        [f"2026-11-23T08:58:{n % 60:02}.{n:06}+01:00 x" for n in range(600)],
        [f"[2026-11-23T08:58:{n % 60:02}Z] x" for n in range(600)],
    ],
)
def test_many_lines_alike_are_read_as_each_by_itself(lines: list[str]) -> None:
    """What is learned from the first lines gives the others the time they have."""
    expected: list[Any] = [time_of(line) for line in lines]
    odd = [*lines[:300], "no time", '{"ts":1}', *lines[300:]]
    assert None not in expected
    assert records_of(*lines).timestamps == expected
    with_odd = [*expected[:300], expected[299], expected[299], *expected[300:]]
    assert records_of(*odd).timestamps == with_odd


@pytest.mark.parametrize(
    ("first", "other", "expected"),
    [
        # The same columns, and behind the blank a zone or not.
        ("2026-11-23 08:58:49,123 INFO", "2026-11-23 09:58:49,123 +0100 x", MILLISECOND),
        ("2026-11-23 08:58:49,123 INFO", "2026-11-23 08:58:49,123 UTC x", MILLISECOND),
        ("2026-11-23 08:58:49,999 INFO", "2026-11-23 08:58:49,123 Uhr", MILLISECOND),
        ("2026-11-23 08:58:49 INFO", "2026-11-23 08:58:49.123 x", MILLISECOND),
        ("2026-11-23T08:58:49.999Z x", "2026-11-23T09:58:49.123+01:00 x", MILLISECOND),
        ("2026-11-23T08:58:49.999Z x", "2026-11-23T08:58:49.12 Z x", "2026-11-23T08:58:49.120Z"),
        ("2026-11-23T08:58:49.999Z x", "2026-11-23T08:58:49_123Z x", SECOND),
        (
            "2026-11-23T09:58:49.999999+01:00 x",
            "2026-11-23T08:58:49.123\u0664\u0665\u0666+01:00 x",
            MILLISECOND,
        ),
    ],
)
def test_a_line_in_other_columns_is_looked_at_closely(
    first: str, other: str, expected: str
) -> None:
    """What was learned from one line never bends the reading of another."""
    assert records_of(first, first, other).timestamps[-1] == ms(expected)


def test_a_key_that_comes_first_wins_among_lines_that_have_only_the_other() -> None:
    """The key that was learned gives way where a line has one before it in order."""
    learned = ['{"ts":1795424000}'] * 300
    other = '{"ts":1795424999,"time":1795424329}'
    assert records_of(*learned, other).timestamps[-1] == ms(SECOND)
    assert records_of(*learned, '{"ts":true}').timestamps[-1] == 1_795_424_000_000

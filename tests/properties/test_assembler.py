"""What holds of the assembler whatever the bytes are and however they arrive."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from sidecar.model.assembler import HEAD_BYTES, Assembler
from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.records import NO_TIME, Records, Resume
from sidecar.model.timestamps import LineTimes, times_for

NOW = 1_795_424_329_000
STREAM = "task/app.log"
PART = re.compile(r"\[part (\d+)(, last,)? of ([0-9a-f]{12})\] ")

BYTES = st.sampled_from(
    [
        b"",
        b"x",
        b"word " * 3,
        b"a" * 130,
        b"b" * 250,
        b"c" * 256,
        b"d" * 257,
        b"secret=12345 ",
        "é€𝄞".encode(),
        "€".encode() * 90,
        "日本語".encode("shift_jis"),
        "日本\u0a0a\u0100".encode("utf-16-le"),
        "日本\u0a0a\u0100".encode("utf-16-be"),
        b"\xff\xfe\x80",
        b"\xe2\x82",
        b"\x80" * 90,
        b"\0\0",
        b"\r",
        b"\xef\xbb\xbf",
        b"2026-11-23T08:58:49.123Z ",
        b"2026-11-23 08:58:50,5 ",
        b"Nov 23 08:58:51 host ",
        b'{"ts": 1795424329.5, "a": "b"}',
        b'{"time":"2026-11-23T08:58:49.123Z","a":1}',
        b'{"broken": ',
        b"ERROR ",
        b"DROP ",
        b"  at frame",
    ]
)
LINE_ENDS = st.sampled_from([b"", b"", b"\n", b"\n", b"\n", b"\n\n", b"\r\n", b"\n\0", b"\0\n"])
CONTENT = st.lists(st.tuples(BYTES, LINE_ENDS), max_size=14).map(
    lambda pieces: b"".join(piece + end for piece, end in pieces)
)
MARKS = st.sampled_from([b"", b"", b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
SOURCES = st.builds(bytes.__add__, MARKS, CONTENT)

PLAIN_RULES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "encoding": st.sampled_from(
            ["utf-8", "utf-8", "utf-8", "latin-1", "shift_jis", "utf-16", "utf-16-be", "cp037"]
        ),
        "timestamp": st.sampled_from(["auto", "arrival", {"key": "ts"}]),
        "multiline": st.sampled_from(
            [None, None, {"start": r"^\S", "max_lines": 3}, {"start": "^(ERROR|2026)"}]
        ),
        "empty_lines": st.sampled_from(["space", "drop"]),
        "max_event_bytes": st.sampled_from([256, 300]),
        "keep": st.sampled_from([(), (), ("x", "a")]),
        "drop": st.sampled_from([(), (), ("DROP",)]),
        "redact": st.sampled_from(
            [
                (),
                (),
                ({"pattern": r"secret=\d+", "replace": "secret=***"},),
                ({"pattern": r"(?<=secret=)\S", "replace": "#"},),
                ({"pattern": "[xab]", "replace": "[a long replacement]"},),
                ({"pattern": "secret=.*", "replace": ""},),
            ]
        ),
    }
)
RULES = PLAIN_RULES.map(lambda plain: AssemblyRules.of(**plain))


@dataclass
class Seen:
    """All that came out of some feeds, in one piece."""

    rows: list[tuple[int, str, int, int, int]] = field(default_factory=list)
    # Of those inside a filtered range there is one where a feed happened to end.
    resumes: dict[int, Resume] = field(default_factory=dict, compare=False)
    filtered: list[tuple[int, int]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    consumed: int = 0

    def take(self, records: Records) -> None:
        """Add what one feed gave."""
        columns = (
            records.timestamps,
            records.messages,
            records.starts,
            records.ends,
            records.sizes,
        )
        self.rows.extend(zip(*columns, strict=True))
        self.resumes.update(records.resumes)
        for start, end in records.filtered:
            if self.filtered and self.filtered[-1][1] == start:
                start = self.filtered.pop()[0]
            self.filtered.append((start, end))
        others = {
            "invalid": records.invalid,
            "broken": records.broken_json,
            "redacted": records.redacted,
        }
        for name, count in (records.filtered_events | others).items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.consumed = records.consumed


def assembled(
    rules: AssemblyRules, source: bytes, cuts: list[int], *, restarts: bool = False
) -> Seen:
    """What comes out when ``source`` grows to each of ``cuts`` and then is finished."""
    seen = Seen()
    assembler = Assembler(rules, stream=STREAM)
    for size in [*sorted(cut for cut in cuts if cut < len(source)), len(source)]:
        finished = size == len(source)
        data = source[seen.consumed : size]
        if restarts:
            at = seen.consumed
            assembler = Assembler(
                rules,
                stream=STREAM,
                resume=seen.resumes.get(at),
                previous_timestamp=seen.rows[-1][0] if seen.rows else NO_TIME,
                head=source[:HEAD_BYTES],
                before=source[max(0, at - HEAD_BYTES) : at],
            )
        seen.take(assembler.feed(data, seen.consumed, NOW, finished=finished))
    return seen


@settings(max_examples=400)
@given(RULES, SOURCES)
def test_every_byte_is_in_exactly_one_record_or_filtered_range(
    rules: AssemblyRules, source: bytes
) -> None:
    """Ranges tile the source in order, and every size is the UTF-8 size and within the limit."""
    seen = assembled(rules, source, [])
    ranges = sorted([row[2:4] for row in seen.rows] + seen.filtered)
    assert seen.consumed == len(source)
    assert [row[2:4] for row in seen.rows] == sorted(row[2:4] for row in seen.rows)
    at = 0
    for start, end in ranges:
        assert start == at
        assert end > start
        at = end
    assert at == len(source)
    for _, message, _, _, size in seen.rows:
        assert message
        assert size == len(message.encode())
        assert size <= rules.max_event_bytes


@settings(max_examples=600)
@given(RULES, SOURCES, st.lists(st.integers(1, 2500), max_size=12), st.booleans())
def test_records_do_not_depend_on_reads_or_restarts(
    rules: AssemblyRules, source: bytes, cuts: list[int], restarts: bool
) -> None:
    """However the bytes arrive, and though each feed has a new assembler: the same records."""
    in_reads = assembled(rules, source, cuts, restarts=restarts)
    at_once = assembled(rules, source, [])
    assert in_reads == at_once
    for _, _, _, end, _ in at_once.rows:
        assert in_reads.resumes.get(end) == at_once.resumes.get(end)


@settings(max_examples=150)
@given(RULES, st.binary(max_size=900), st.lists(st.integers(1, 900), max_size=8), st.booleans())
def test_garbage_does_not_depend_on_reads_either(
    rules: AssemblyRules, source: bytes, cuts: list[int], restarts: bool
) -> None:
    """The same of bytes that are no text at all."""
    assert assembled(rules, source, cuts, restarts=restarts) == assembled(rules, source, [])


@settings(max_examples=300)
@given(RULES, SOURCES, st.integers(0, 20))
def test_a_restart_at_any_record_end_gives_the_remaining_records(
    rules: AssemblyRules, source: bytes, choice: int
) -> None:
    """Wherever the checkpoint stands, what comes after it comes out as it would have."""
    seen = assembled(rules, source, [])
    assume(seen.rows)
    timestamp, _, _, end, _ = seen.rows[choice % len(seen.rows)]
    again = Assembler(
        rules,
        stream=STREAM,
        resume=seen.resumes.get(end),
        previous_timestamp=timestamp,
        head=source[:HEAD_BYTES],
        before=source[max(0, end - HEAD_BYTES) : end],
    )
    rest = Seen()
    rest.take(again.feed(source[end:], end, NOW, finished=True))
    assert rest.rows == [row for row in seen.rows if row[2] >= end]
    assert rest.filtered == [(max(start, end), to) for start, to in seen.filtered if to > end]


@settings(max_examples=300)
@given(
    SOURCES,
    st.sampled_from([256, 300]),
    st.sampled_from(["utf-8", "latin-1", "shift_jis", "utf-16-le"]),
)
@example(b"\x80" * 300, 256, "utf-8")
def test_messages_are_the_lines_and_parts_rejoin(source: bytes, limit: int, encoding: str) -> None:
    """Against the plainest model: split, strip, decode; parts put together are the line."""
    assume(not source.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")))
    rules = AssemblyRules.of(encoding=encoding, timestamp="arrival", max_event_bytes=limit)
    messages: list[str] = []
    for _, message, _, end, _ in assembled(rules, source, []).rows:
        part = PART.match(message)
        if part and part[1] != "1":
            messages[-1] += message[part.end() :]
        else:
            messages.append(message[part.end() :] if part else message)
        assert (
            not (part and part[2]) or source[:end].endswith((b"\n", b"\n\0")) or end == len(source)
        )
    assert messages == [line or " " for line in plain_lines(source, encoding, limit)]


def plain_lines(source: bytes, encoding: str, limit: int) -> list[str]:
    """The lines of a finished source, character by character where units are wide."""
    width = 2 if encoding.startswith("utf-16") else 1
    units = [source[at : at + width] for at in range(0, len(source), width)]
    raw_lines = [b""]
    for unit in units:
        if unit == b"\n\0"[:width]:
            raw_lines[-1] = raw_lines[-1].removesuffix(b"\r\0"[:width])
            raw_lines.append(b"")
        else:
            raw_lines[-1] += unit
    if not raw_lines[-1]:
        raw_lines.pop()
    texts = [raw.decode(encoding, "replace") for raw in raw_lines]
    # A hole before a line is no part of it, unless the line is one of parts.
    return [
        text.lstrip("\0") if width == 1 and len(text.encode()) <= limit else text for text in texts
    ]


@settings(max_examples=200)
@given(RULES, MARKS, st.lists(st.tuples(BYTES, LINE_ENDS), min_size=1, max_size=3))
@example(
    AssemblyRules.of(max_event_bytes=256, multiline={"start": "x"}),
    b"\xff\xfe",
    [(b"\r\0\n", b"\0")],
)
def test_a_window_of_bytes_always_gives_progress(
    rules: AssemblyRules, mark: bytes, period: list[tuple[bytes, bytes]]
) -> None:
    """So memory is bounded by the window: no source needs to be presented in longer pieces."""
    repeated = b"".join(piece + end for piece, end in period) or b"x"
    source = mark + repeated * (4 * rules.window // len(repeated) + 1)
    tail = Assembler(rules, stream=STREAM)
    at = 0
    while len(source) - at >= rules.window:
        consumed = tail.feed(source[at : at + rules.window], at, NOW).consumed
        assert consumed > at
        at = consumed


LINE_TEXTS = st.one_of(
    st.sampled_from(
        [
            "2026-11-23T08:58:49.123Z a",
            "2026-11-23T08:58:49.123456+0100 a",
            "2026-11-23 08:58:49,123 a",
            "2026-13-23 08:58:49,123 a",
            "2026-11-23T08:58:49.123Z",
            "Nov 23 08:58:51 host [23/Nov/2026:08:58:49 +0000]",
            '1.2.3.4 - - [23/Nov/2026:08:58:49 +0000] "GET /"',
            "[Mon Nov 23 08:58:49 2026] x",
            "I1123 08:58:49.123456 1 x",
            "1795424329 a",
            "1795424329123.5 a",
            "\n2026-11-23T08:58:49.123Z",
            "a\n2026-11-23T08:58:49.123Z",
            "",
            " ",
            "  at frame",
            "{",
            "{}",
            "null",
            "[1]",
            '"ts"',
            ' {"ts":1795424329}',
            '{"ts":1795424329}',
            '{"ts":1795424330.25}',
            '{"ts":true}',
            '{"ts":"2026-11-23T08:58:49.123Z"}',
            '{"ts":"2026-11-23T08:58:49.456Z","msg":{"time":"2020-01-01T00:00:00Z"}}',
            '{"ts":"2026-11-23T08:58:49.123Z\\n2026-11-23T08:58:49.123Z"}',
            '{"ts":"x"}',
            '{"time":"2026-11-23T08:58:51.123Z","ts":1795424330}',
            '{"time":null,"ts":1795424330}',
            '{"ts":1795424330,"ts":1795424331}',
            '{"@timestamp":"23/Nov/2026:08:58:49 +0000"}',
            '{a [23/Nov/2026:08:58:49 +0000] "',
        ]
    ),
    st.text(max_size=12),
)


@settings(max_examples=500)
@given(
    st.lists(st.tuples(LINE_TEXTS, st.integers(1, 300)), max_size=6),
    st.sampled_from(["auto", {"key": "ts"}]),
)
def test_reading_times_in_blocks_gives_what_one_by_one_gives(
    runs: list[tuple[str, int]], rule: str | dict[str, str]
) -> None:
    """The fast way never answers otherwise than the definition, whatever was read before."""
    texts = [text for text, count in runs for _ in range(count)]
    rules = AssemblyRules.of(timestamp=rule)
    fast = times_for(rules)
    broken = 0
    expected = []
    for text in texts:
        fresh = times_for(rules)
        assert isinstance(fresh, LineTimes)
        expected.append(fresh.one(text, NOW))
        broken += fresh.broken
    half = len(texts) // 2
    assert fast.read(texts[:half], NOW) + fast.read(texts[half:], NOW) == expected
    assert fast.broken == broken


SECRETS = st.lists(
    st.sampled_from(["key=12345678 ", "plain text ", "xyz" * 20, "key=", "1234567890", " "]),
    max_size=60,
).map(lambda words: "".join([*words, "end of it " * 26]))


@settings(max_examples=200)
@given(SECRETS, st.sampled_from([r"key=\d+", r"(?<=key=)\d+", r"key=\S*"]))
def test_redaction_of_a_long_line_leaks_nothing_at_its_cuts(line: str, pattern: str) -> None:
    """The parts of a long line hold what the redacted whole holds, or less."""
    rules = AssemblyRules.of(
        timestamp="arrival", max_event_bytes=256, redact=[{"pattern": pattern, "replace": "#"}]
    )
    seen = assembled(rules, line.encode() + b"\n", [])
    bodies = "".join(PART.sub("", row[1], count=1) for row in seen.rows)
    whole = re.sub(pattern, "#", line)
    assert bodies == whole or (seen.counts.get("redact") == 1 and whole.startswith(bodies))

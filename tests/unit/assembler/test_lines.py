"""Lines out of bytes: L01, L02, L03, L05 to L07 as far as the assembler decides them."""

from __future__ import annotations

import codecs

import pytest

from sidecar.model.assembler import Assembler
from sidecar.model.assembly_rules import AssemblyRules
from tests.unit.assembler.feeds import NOW, STREAM, assembler, messages_of, records_of


def test_l01_lines_become_events_in_order() -> None:
    """N lines in, N events out, in order, with ranges that include the line feeds.

    Caught: not adding the line feed to a line's range.
    """
    records = records_of(b"one\ntwo\nthree\n")
    assert records.messages == ["one", "two", "three"]
    assert records.starts == [0, 4, 8]
    assert records.ends == [4, 8, 14]
    assert records.sizes == [3, 3, 5]
    assert records.consumed == 14


@pytest.mark.parametrize("data", [b"a\r\nb\r\n", b"a\r\nb\n", b"a\nb\r\n"])
def test_l01_carriage_returns_before_line_feeds_are_stripped(data: bytes) -> None:
    """CRLF ends a line in a file of such lines and in a mixed one.

    Caught: splitting a block at CRLF although one of its lines ends otherwise.
    """
    records = records_of(data)
    assert records.messages == ["a", "b"]
    assert records.ends == [data.index(b"\n") + 1, len(data)]


def test_l01_only_one_carriage_return_is_stripped() -> None:
    """A carriage return elsewhere is part of the message.

    Caught: stripping with rstrip.
    """
    assert messages_of(b"a\rb\r\r\n") == ["a\rb\r"]


def test_l01_an_empty_line_is_one_space() -> None:
    """CloudWatch refuses empty messages, so an empty line is a space of size one.

    Caught: leaving the size of the replaced message at 0.
    """
    records = records_of(b"a\n\n\r\nb\n")
    assert records.messages == ["a", " ", " ", "b"]
    assert records.sizes == [1, 1, 1, 1]


def test_l01_an_empty_line_is_dropped_by_option() -> None:
    """With ``empty_lines: drop`` its bytes are filtered, and counted as empty.

    Caught: dropping the line without settling its range.
    """
    records = records_of(b"a\n\n\nb\n \n", empty_lines="drop")
    assert records.messages == ["a", "b", " "]
    assert records.filtered == [(2, 4)]
    assert records.filtered_events == {"empty": 2}


def test_l02_a_partial_line_waits_for_its_line_feed() -> None:
    """It is not consumed, wherever the read ends, and comes whole in the end.

    Caught: consuming a feed's bytes beyond the last line feed.
    """
    data = "first\nzwölf €uro 𝄞\r\nlast\n".encode()
    for cut in range(len(data)):
        tail = assembler()
        before = tail.feed(data[:cut], 0, NOW)
        after = tail.feed(data[before.consumed :], before.consumed, NOW)
        assert before.messages + after.messages == ["first", "zwölf €uro 𝄞", "last"]
        assert before.consumed in (0, 6, data.index(b"last"))


def test_l03_a_last_line_without_line_feed_is_shipped_once() -> None:
    """On a finished source it is a line, and a line feed that comes late is none.

    Caught: forgetting that the last line went out without its line feed.
    """
    tail = assembler()
    assert tail.feed(b"a\nlast", 0, NOW).messages == ["a"]
    assert tail.feed(b"last", 2, NOW, finished=True).messages == ["last"]
    late = tail.feed(b"\nmore\n", 6, NOW)
    assert late.messages == ["more"]
    assert late.filtered == [(6, 7)]
    assert late.filtered_events == {}


def test_l03_a_late_line_feed_is_known_after_a_restart() -> None:
    """From the bytes before the offset a new assembler sees that the line had no end.

    Caught: not looking at ``before``.
    """
    rules = AssemblyRules.of(timestamp="arrival")
    again = Assembler(rules, stream=STREAM, before=b"last")
    assert again.feed(b"\r\nmore\n", 6, NOW).messages == ["more"]
    ended = Assembler(rules, stream=STREAM, before=b"ast\n")
    assert ended.feed(b"\nmore\n", 7, NOW).messages == [" ", "more"]


def test_l03_half_a_late_line_end_waits() -> None:
    """A carriage return after such a line may be followed by the line feed.

    Caught: taking it for a line of its own.
    """
    tail = assembler()
    tail.feed(b"last", 0, NOW, finished=True)
    assert tail.feed(b"\r", 4, NOW).consumed == 4
    assert tail.feed(b"\r\nx\n", 4, NOW).messages == ["x"]


def test_l03_bytes_that_come_late_are_an_event_of_their_own() -> None:
    """What follows a line that went out unended is not joined to it, nor lost.

    Caught: skipping up to the next line feed.
    """
    tail = assembler()
    tail.feed(b"last", 0, NOW, finished=True)
    assert tail.feed(b" words\n", 4, NOW).messages == [" words"]


def test_l05_invalid_utf8_is_replaced_and_counted() -> None:
    """Invalid bytes become U+FFFD as Python replaces them; valid lines beside stay as they are.

    Caught: counting bytes instead of lines.
    """
    records = records_of(b"ok \xc3\xa9\nbad \xff\xe2\x82 x\ncut \xc3\n\xed\xa0\x80\n")
    assert records.messages == ["ok é", "bad \ufffd\ufffd x", "cut \ufffd", "\ufffd\ufffd\ufffd"]
    assert records.invalid == 3
    assert records.sizes == [len(message.encode()) for message in records.messages]


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ],
)
def test_l05_a_byte_order_mark_tells_the_encoding_and_is_no_text(
    mark: bytes, encoding: str
) -> None:
    """It belongs to the first record's bytes and not to its message, however it arrives.

    Caught: looking for line feeds in UTF-16 at odd places.
    """
    lines = ["zwölf", "\u0a0a\u0100 ਊ", "", "𝄞"]
    data = mark + "".join(line + "\r\n" for line in lines).encode(encoding)
    for cut in range(len(data)):
        tail = assembler()
        before = tail.feed(data[:cut], 0, NOW)
        after = tail.feed(data[before.consumed :], before.consumed, NOW)
        assert before.messages + after.messages == ["zwölf", "\u0a0a\u0100 ਊ", " ", "𝄞"]
        assert (before.starts + after.starts)[0] == 0
        assert before.invalid + after.invalid == 0


def test_l05_the_encoding_of_a_mark_is_known_after_a_restart() -> None:
    """A new assembler that starts further on is told the source's first bytes.

    Caught: not looking at ``head``.
    """
    data = codecs.BOM_UTF16_BE + "a\nbé\n".encode("utf-16-be")
    again = Assembler(AssemblyRules.of(), stream=STREAM, head=data[:4], before=data[2:6])
    assert again.feed(data[6:], 6, NOW).messages == ["bé"]


def test_l05_a_lone_mark_is_settled_without_an_event() -> None:
    """A finished source of nothing but a byte-order mark has no line.

    Caught: shipping an empty message for it.
    """
    records = records_of(codecs.BOM_UTF8)
    assert (records.messages, records.filtered, records.consumed) == ([], [(0, 3)], 3)


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("latin-1", "Grüße ÿ"),
        ("shift_jis", "ソ表 ｱ 日本"),
        ("cp1252", "€uro"),
        ("gb18030", "汉字 𠀀"),
        ("utf-16-be", "Grüße"),
        ("utf-32", "𝄞"),
        ("cp500", "Grüße"),
        ("utf-8-sig", "é"),
    ],
)
def test_l05_other_encodings_by_option(encoding: str, text: str) -> None:
    """The message is the text, whatever bytes it was.

    Caught: decoding as UTF-8 regardless of the option.
    """
    data = (text + "\n" + text + "\r\n").encode(encoding)
    records = records_of(data, encoding=encoding)
    assert records.messages == [text, text]
    assert records.sizes == [len(text.encode())] * 2
    assert records.invalid == 0


def test_l05_half_a_code_unit_at_the_end() -> None:
    """It is replaced in an unended last line; its other half is settled when it comes.

    Caught: reading on at the wrong parity.
    """
    data = "a\nbé".encode("utf-16-le")
    tail = assembler(encoding="utf-16-le")
    assert tail.feed(data[:-1], 0, NOW, finished=True).messages == ["a", "b\ufffd"]
    late = tail.feed(data[-1:] + "\nc\n".encode("utf-16-le"), 7, NOW)
    assert late.messages == ["c"]
    assert late.filtered == [(7, 10)]


def test_l05_halves_of_two_units_are_no_line_feed() -> None:
    """Bytes that only look like one, at an odd place, stay in an unended last line.

    Caught: stripping a line feed there.
    """
    assert messages_of(b"x\n\0", encoding="utf-16-le") == ["\u0a78\ufffd"]


def test_l06_binary_garbage_is_shipped_as_replaced_text() -> None:
    """No bytes stop the assembler, and a line after garbage is as it should be.

    Caught: decoding strictly.
    """
    garbage = bytes(range(256)) * 40
    records = records_of(garbage + b"\nafter\n")
    assert records.messages[-1] == "after"
    assert records.consumed == len(garbage) + 7
    assert records.invalid > 0


def test_l06_nuls_are_characters_like_others() -> None:
    """A NUL inside a line is part of its message.

    Caught: stripping NULs.
    """
    assert messages_of(b"a\0b\n\0c\0\n") == ["a\0b", "c\0"]


def test_l08_nuls_before_a_line_are_no_part_of_it() -> None:
    """A run of NULs between lines, a hole that stayed, is in no message and is counted; its bytes
    belong to the line behind it.

    Caught: shipping the hole; leaving its bytes out of every range.
    """
    for text in (b"a\n\0\0\0b\nc\n", b"a\n\0\0\0b\nc\n\xff\n"):
        records = records_of(text)
        assert records.messages[:3] == ["a", "b", "c"]
        assert records.ends[:3] == [2, 7, 9]
        assert records.sizes[:3] == [1, 1, 1]
        assert records.nuls == 3


def test_l07_a_burst_loses_nothing() -> None:
    """100,000 lines in one feed are 100,000 records.

    Caught: any bound on the lines of a feed.
    """
    data = b"".join(b"line %d\n" % number for number in range(100_000))
    records = records_of(data)
    assert records.messages == [f"line {number}" for number in range(100_000)]
    assert records.ends[-1] == len(data)

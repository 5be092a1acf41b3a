"""The journal's lines."""

import json
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.journal import (
    VERSION,
    ArrivalTimeUsed,
    CorruptLineError,
    Counted,
    Entry,
    Header,
    IntentSent,
    NewerFormatError,
    Settled,
    SourceCheckpoint,
    SourceMoved,
    Span,
    Trailer,
    decode,
    encode,
)
from sidecar.model.records import Resume
from tests.unit.entries import GREATEST_INODE, claimed, histories


@given(histories())
def test_every_entry_reads_back_as_it_was(history: list[Entry]) -> None:
    """Entries of any kind survive their line, also inodes past 2^63 and file names not UTF-8."""
    for entry in history:
        line = encode(entry)
        assert line.count(b"\n") == 1
        assert decode(line) == entry


@pytest.mark.parametrize(
    "entry",
    [
        Header("task-1", 3, 99),
        Trailer(5),
        Counted(2, 3, 4),
        ArrivalTimeUsed("/g", "s", 1),
        SourceCheckpoint(
            1,
            2,
            3,
            4,
            Resume(1, 2, -1),
            5,
            6,
            7,
            8,
            (Span(1, 2, 3, "gone", 4, 5, Resume(6, 7, 8)),),
        ),
    ],
)
def test_the_entries_of_files_read_back(entry: Entry) -> None:
    """Those that frame a file, or stand in snapshots only, survive too."""
    decoded = decode(encode(entry))
    assert decoded == entry
    assert repr(decoded) == repr(entry)


def test_an_inode_number_past_a_signed_integer_survives() -> None:
    """EFS hands out inode numbers past 2^63; they must not become floats."""
    decoded = decode(encode(claimed(0)))
    assert repr(decoded) == repr(claimed(0))
    assert str(GREATEST_INODE) in repr(decoded)


@given(st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    """A flipped bit anywhere in a line makes it corrupt; it is never read as something else."""
    line = encode(claimed(1))
    at = data.draw(st.integers(0, len(line) - 2))
    bit = data.draw(st.integers(0, 7))
    changed = line[:at] + bytes([line[at] ^ (1 << bit)]) + line[at + 1 :]
    with pytest.raises(CorruptLineError):
        decode(changed)


def test_a_line_cut_anywhere_is_noticed() -> None:
    """No beginning of a line is a line."""
    line = encode(SourceMoved(1, "/logs/a"))
    for length in range(len(line) - 1):
        with pytest.raises(CorruptLineError):
            decode(line[:length])


@given(st.binary(max_size=60))
def test_no_garbage_is_an_entry(garbage: bytes) -> None:
    """Bytes that no journal wrote raise CorruptLineError and nothing else."""
    with pytest.raises(CorruptLineError):
        decode(garbage)


def test_a_newer_version_is_told_apart_from_damage() -> None:
    """A header of a later version, whatever else it holds, says that it is newer."""
    with pytest.raises(NewerFormatError) as caught:
        decode(encode(Header("m", 1, 1, version=VERSION + 1)))
    assert caught.value.version == VERSION + 1


def test_c04_lines_of_the_first_format_are_read() -> None:
    """An intent and a result as version 1 wrote them: no events, and nothing said to be stored.

    Catches: a new field that an old journal has to have.
    """
    old = {
        "is": "intent_sent",
        "batch": 1,
        "group": "/g",
        "stream": "s",
        "spans": [[1, 0, 10]],
        "count": 3,
        "least": 1,
        "greatest": 2,
        "crc": 5,
        "arrival": False,
        "at_ms": 7,
    }
    sent = decode(_line(old))
    assert isinstance(sent, IntentSent)
    assert (sent.events, sent.spans[0][:3]) == ("", (1, 0, 10))
    settled = decode(
        _line({"is": "settled", "batch": 1, "spans": [[1, 0, 10, "delivered", 0, 0, None]]})
    )
    assert isinstance(settled, Settled)
    assert not settled.stored
    assert isinstance(decode(encode(Header("m", 1, 1, version=1))), Header)


def _line(fields: dict[str, object]) -> bytes:
    text = json.dumps(fields).encode()
    return b"%08x %b\n" % (crc32(text), text)

"""Dead letters."""

import base64
import errno
import json
from dataclasses import replace
from pathlib import Path

from sidecar.registry.rejected import DeadLetter, DeadLetters
from tests.unit.registry.faults import FaultyFileSystem, always

LETTER = DeadLetter(
    at=1_700_000_000_000,
    path="/logs/a.log",
    source="9-abcdef",
    offset=10,
    length=6,
    group="/g",
    stream="a.log",
    timestamp=1_600_000_000_000,
    reason="older than 14 days",
    message="häl\nlo",
)


def kept(state_dir: Path, member: str = "m") -> list[dict[str, object]]:
    """The letters on the volume."""
    content = (state_dir / "rejected" / f"{member}.jsonl").read_text()
    return [json.loads(line) for line in content.splitlines() if line.startswith("{")]


def at(offset: int) -> DeadLetter:
    """The letter of another line."""
    return replace(LETTER, offset=offset)


def test_a_letter_has_the_contracts_keys_in_order(tmp_path: Path) -> None:
    """It is one JSON line that any tool reads."""
    letters = DeadLetters(tmp_path, "m")
    assert letters.append(LETTER)
    assert letters.sync()
    (letter,) = kept(tmp_path)
    assert list(letter) == [
        *("at", "path", "source", "offset", "length", "group", "stream", "timestamp"),
        *("reason", "message"),
    ]
    assert letter["message"] == "häl\nlo"
    letters.close()


def test_what_is_not_text_travels_as_base64(tmp_path: Path) -> None:
    """Bytes that are not UTF-8 come back as they were, as do file names of that kind."""
    letters = DeadLetters(tmp_path, "m")
    letters.append(replace(at(1), message=b"\xff\x00", path="/logs/\udcff.log"))
    letters.append(replace(at(2), message="\ud800"))
    letters.append(replace(at(3), message=b"text"))
    assert letters.sync()
    first, second, third = kept(tmp_path)
    assert base64.b64decode(str(first["message_base64"])) == b"\xff\x00"
    assert "message" not in first
    assert first["path"] == "/logs/\udcff.log"
    assert base64.b64decode(str(second["message_base64"])) == b"\xed\xa0\x80"
    assert third["message"] == "text"
    letters.close()


def test_a_source_and_offset_is_written_once(tmp_path: Path) -> None:
    """A batch that is refused again after a restart of the sender adds no second letter."""
    letters = DeadLetters(tmp_path, "m")
    for letter in (LETTER, LETTER, at(99), replace(LETTER, source="other"), at(99)):
        assert letters.append(letter)
    assert letters.sync()
    assert [(letter["source"], letter["offset"]) for letter in kept(tmp_path)] == [
        ("9-abcdef", 10),
        ("9-abcdef", 99),
        ("other", 10),
    ]
    letters.close()


def test_letters_of_a_dead_member_are_not_repeated(tmp_path: Path) -> None:
    """It died between its letter and the settlement; the one who takes over knows the letter."""
    dead = DeadLetters(tmp_path, "dead")
    dead.append(LETTER)
    assert dead.sync()
    dead.close()
    with (tmp_path / "rejected" / "dead.jsonl").open("ab") as torn:
        torn.write(b'{"source": "cut')
    letters = DeadLetters(tmp_path, "m")
    letters.remember("dead")
    letters.remember("never wrote any")
    letters.append(LETTER)
    letters.append(at(11))
    assert letters.sync()
    assert [letter["offset"] for letter in kept(tmp_path)] == [11]
    letters.close()


def test_a_sync_that_has_nothing_to_do_makes_no_file(tmp_path: Path) -> None:
    """Without letters the volume is not touched."""
    files = FaultyFileSystem()
    letters = DeadLetters(tmp_path, "m", files=files)
    assert letters.sync()
    assert files.calls == []
    letters.append(LETTER)
    letters.sync()
    files.mend()
    assert letters.sync()
    assert files.calls == []
    letters.close()


def test_c05_a_full_volume_delays_letters_and_loses_none(tmp_path: Path) -> None:
    """Until they are durable `sync` says so, and nothing is raised.

    Would catch: `_write` clearing its buffer before the write.
    """
    for failing_call in ("open_append", "write", "sync"):
        state = tmp_path / failing_call
        files = FaultyFileSystem()
        letters = DeadLetters(state, "m", files=files)
        files.break_with(always(errno.ENOSPC, failing_call))
        assert letters.append(LETTER)
        assert not letters.sync()
        assert "No space left" in (letters.problem or "")
        assert not letters.sync()
        files.mend()
        assert letters.append(at(11))
        assert letters.sync()
        assert letters.problem is None
        assert {letter["offset"] for letter in kept_whole(state)} == {10, 11}
        letters.close()


def kept_whole(state_dir: Path) -> list[dict[str, object]]:
    """The letters that are whole; half of one may stand before it was written again."""
    whole = []
    for line in (state_dir / "rejected" / "m.jsonl").read_bytes().splitlines():
        try:
            whole.append(json.loads(line))
        except ValueError:
            continue
    return whole


def test_c05_what_waits_for_a_full_volume_is_bounded(tmp_path: Path) -> None:
    """Past a megabyte of waiting letters no more are taken: their lines stay in the backlog.

    Would catch: `append` without its look at the buffer.
    """
    files = FaultyFileSystem()
    letters = DeadLetters(tmp_path, "m", files=files)
    files.break_with(always(errno.ENOSPC))
    taken = [letters.append(replace(at(n), message="x" * 100_000)) for n in range(20)]
    assert taken == [True] * 11 + [False] * 9
    files.mend()
    assert letters.append(at(19))
    assert letters.sync()
    assert len(kept_whole(tmp_path)) == 12
    letters.close()


def test_past_the_limit_letters_are_discarded_and_counted(tmp_path: Path) -> None:
    """The file ends within its bound; what did not fit is a number."""
    limit = 3 * len(LETTER.line())
    letters = DeadLetters(tmp_path, "m", limit=limit)
    for offset in range(10, 20):
        assert letters.append(at(offset))
        assert letters.sync()
    assert len(kept(tmp_path)) == 3
    assert letters.discarded == 7
    assert (tmp_path / "rejected" / "m.jsonl").stat().st_size <= limit
    letters.close()


def test_the_letters_of_all_members_together_are_bounded(tmp_path: Path) -> None:
    """Many short-lived members do not fill the volume."""
    line = len(LETTER.line())
    for number in range(6):
        letters = DeadLetters(tmp_path, f"m{number}", limit=2 * line, folder_limit=5 * line)
        for offset in range(10, 14):
            letters.append(at(offset))
        assert letters.sync()
        letters.close()
    sizes = [path.stat().st_size for path in (tmp_path / "rejected").iterdir()]
    assert sum(sizes) <= 5 * line
    assert letters.discarded == 4

"""Reading journals and snapshots back, damaged in every way."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.errors import StateError
from sidecar.model.journal import VERSION, Entry, Header, Trailer, encode
from sidecar.model.ledger import Ledger
from sidecar.registry.journal_file import JournalFile
from sidecar.registry.journal_recovery import load, set_aside
from tests.unit.entries import claimed, delivered, fold, intent

HISTORY: list[Entry] = [
    claimed(1),
    delivered(1, 0, 10),
    claimed(2),
    delivered(1, 20, 30),
    intent(1, (1, 10, 20)),
    delivered(1, 10, 20, batch=1),
    delivered(2, 0, 7),
    intent(2, (2, 7, 9)),
    delivered(1, 30, 40),
]
"""What the member of these tests did; it compacts after every third entry."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs of snapshot and journal: 3 and 4 (2 is gone), the last with lines of its own."""
    directory = tmp_path_factory.mktemp("members") / "m"
    directory.mkdir()
    write(directory, compact_each=2)
    names = sorted(path.name for path in directory.iterdir())
    assert names == ["journal.4", "journal.5", "snapshot.4", "snapshot.5"]
    return directory


def write(directory: Path, compact_each: int) -> Ledger:
    """The history as a member journals it."""
    ledger = Ledger()
    journal = JournalFile(directory, member="m", at_ms=0)
    for number, entry in enumerate(HISTORY, start=1):
        ledger.apply(entry)
        journal.append(entry)
        if number % compact_each == 0:
            assert journal.compact(ledger, 0.0, 0)
    assert journal.sync(0.0)
    journal.close()
    return ledger


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    """The folder, to be damaged."""
    return Path(shutil.copytree(folder, tmp_path / "m"))


def damages(content: bytes) -> Iterator[bytes]:
    """Empty, cut at each byte, and all NUL."""
    for length in range(len(content)):
        yield content[:length]
    yield bytes(len(content))


def test_an_undamaged_folder_is_read_whole(folder: Path) -> None:
    """Snapshot and journal give what the member knew, silently."""
    loaded = load(folder)
    assert loaded.ledger == fold(HISTORY)
    assert loaded.warnings == []
    assert loaded.broken == []
    assert loaded.generation == 5


def test_loading_changes_nothing_on_the_volume(copy: Path) -> None:
    """A dry run and other readers may look at a member's folder at any time."""
    (copy / "snapshot.5").write_bytes(b"damaged")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in copy.iterdir()}
    load(copy)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in copy.iterdir()} == before


def test_c04_a_newest_snapshot_damaged_anyhow_costs_nothing(copy: Path) -> None:
    """Empty, cut at any byte or all NUL: the previous pair and the journal tell the same.

    Would catch: `take_snapshot` accepting a snapshot without its trailer.
    """
    whole = (copy / "snapshot.5").read_bytes()
    for damaged in damages(whole):
        (copy / "snapshot.5").write_bytes(damaged)
        loaded = load(copy)
        assert loaded.ledger == fold(HISTORY)
        assert len(loaded.warnings) == 1
        assert f"{copy}/snapshot.5: broken snapshot" in loaded.warnings[0]
        assert loaded.broken == [copy / "snapshot.5"]


def test_c04_a_journal_cut_at_any_byte_keeps_its_whole_lines(tmp_path: Path) -> None:
    """A kill in the middle of a write costs the line being written, silently, and no other.

    So does one before the header is whole: nothing else was written by then.

    Would catch: `take_journal` folding the rest after the last line feed.
    """
    write(tmp_path, compact_each=100)
    whole = (tmp_path / "journal.1").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "journal.1").write_bytes(whole[:length])
        loaded = load(tmp_path)
        lines = whole[:length].count(b"\n")
        assert loaded.ledger == fold(HISTORY[: max(0, lines - 1)])
        assert loaded.warnings == []


def test_c04_a_journal_empty_or_all_nul_is_loud_and_the_snapshot_is_used(copy: Path) -> None:
    """Nothing of that journal is known then; the start goes on from the snapshot before it.

    Would catch: `take_journal` warning of damaged lines only, as such a file has no lines.
    """
    size = (copy / "journal.5").stat().st_size
    for damaged, word in ((b"", "0 bytes"), (bytes(size), "all NUL")):
        (copy / "journal.5").write_bytes(damaged)
        loaded = load(copy)
        assert loaded.ledger == fold(HISTORY[:8])
        assert len(loaded.warnings) == 1
        assert word in loaded.warnings[0]


def test_c04_nul_bytes_after_the_last_line_are_loud(copy: Path) -> None:
    """A host that went down leaves them where lines were; a torn line never holds any.

    Would catch: `take_journal` without its look for NUL in the rest.
    """
    with (copy / "journal.5").open("ab") as journal:
        journal.write(bytes(50))
    loaded = load(copy)
    assert loaded.ledger == fold(HISTORY)
    assert "1 of 3 lines are damaged and left out: 3" in loaded.warnings[0]


def test_c04_everything_damaged_starts_empty_and_loud(copy: Path) -> None:
    """With nothing left to read the ledger is empty, and every file is named.

    Would catch: `load` raising on a folder without a whole snapshot.
    """
    for path in copy.iterdir():
        path.write_bytes(bytes(100))
    loaded = load(copy)
    assert loaded.ledger == Ledger()
    assert set(loaded.broken) == set(copy.iterdir())
    assert any("will be sent again" in warning for warning in loaded.warnings)


def test_an_empty_folder_is_nothing_to_be_loud_about(tmp_path: Path) -> None:
    """A member that was killed while joining knew nothing."""
    loaded = load(tmp_path)
    assert (loaded.ledger, loaded.warnings, loaded.generation) == (Ledger(), [], 0)


def test_c04_a_bad_line_costs_itself_only(tmp_path: Path) -> None:
    """Each line proves itself: the ones after a damaged one count, and the damage is told.

    Would catch: `take_journal` ending at the first damaged line.
    """
    write(tmp_path, compact_each=100)
    lines = (tmp_path / "journal.1").read_bytes().splitlines(keepends=True)
    lines[2] = lines[2].replace(b"delivered", b"rejected!")
    (tmp_path / "journal.1").write_bytes(b"".join(lines))
    loaded = load(tmp_path)
    assert loaded.ledger == fold([HISTORY[0], *HISTORY[2:]])
    assert loaded.ledger.sources[1].acknowledged == 0
    assert "1 of 10 lines are damaged and left out: 3" in loaded.warnings[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_c04_flipped_bits_never_move_a_checkpoint_forward(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever bits are wrong in whatever file, no byte counts as settled that was not.

    Would catch: `decode` without its look at the checksum.
    """
    copy = Path(shutil.copytree(folder, tmp_path_factory.mktemp("flipped") / "m"))
    for path in data.draw(st.lists(st.sampled_from(sorted(copy.iterdir())), min_size=1)):
        content = bytearray(path.read_bytes())
        for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=3)):
            content[at] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
    true = fold(HISTORY)
    loaded = load(copy)
    for number, record in loaded.ledger.sources.items():
        assert record.claim == true.sources[number].claim
        assert record.acknowledged <= true.sources[number].acknowledged
    if loaded.ledger != true:
        assert loaded.warnings or b"\n" not in (copy / "journal.5").read_bytes()[-1:]


def test_c04_a_newer_snapshot_is_loud_and_the_previous_pair_is_used(copy: Path) -> None:
    """After a step back to an older sidecar, what that one can read is used, the rest kept.

    Would catch: NewerFormatError passing out of `load`.
    """
    newer = encode(Header("m", 5, 0, version=VERSION + 1))
    (copy / "snapshot.5").write_bytes(newer + b"what it says is its own business\n")
    (copy / "journal.5").write_bytes(newer)
    loaded = load(copy)
    assert loaded.ledger == fold(HISTORY[:8])
    assert all("newer sidecar" in warning for warning in loaded.warnings)
    assert loaded.broken == [copy / "snapshot.5", copy / "journal.5"]


def test_c04_only_newer_files_say_what_to_do(tmp_path: Path) -> None:
    """Where nothing can be understood, starting would send everything again: that is refused.

    Would catch: `load` returning an empty ledger then.
    """
    newer = encode(Header("m", 1, 0, version=VERSION + 1))
    (tmp_path / "snapshot.1").write_bytes(newer)
    (tmp_path / "journal.1").write_bytes(newer)
    with pytest.raises(StateError, match="newer sidecar; run that version or later") as caught:
        load(tmp_path)
    assert str(tmp_path / "snapshot.1") in str(caught.value)
    assert (tmp_path / "snapshot.1").read_bytes() == newer


def test_a_snapshot_with_a_line_too_few_is_not_whole(copy: Path) -> None:
    """The trailer counts the lines, so that a missing one is noticed though all others are good."""
    lines = (copy / "snapshot.5").read_bytes().splitlines(keepends=True)
    (copy / "snapshot.5").write_bytes(b"".join(lines[:1] + lines[2:]))
    assert "its end is missing" in load(copy).warnings[0]
    (copy / "snapshot.5").write_bytes(encode(Trailer(0)) * 2)
    assert "it has no header" in load(copy).warnings[0]


def test_an_unreadable_file_is_as_a_damaged_one(copy: Path) -> None:
    """A file that gives EIO, here a folder in its place, is told and gone around."""
    (copy / "snapshot.5").unlink()
    (copy / "snapshot.5").mkdir()
    loaded = load(copy)
    assert loaded.ledger == fold(HISTORY)
    assert "cannot be read" in loaded.warnings[0]


def test_lines_about_a_lost_claim_are_told(tmp_path: Path) -> None:
    """Without its claim a source starts anew; that it was known before is worth a word."""
    content: list[Entry] = [Header("m", 1, 0), delivered(1, 0, 5), claimed(2)]
    (tmp_path / "journal.1").write_bytes(b"".join(encode(entry) for entry in content))
    loaded = load(tmp_path)
    assert set(loaded.ledger.sources) == {2}
    assert "1 lines speak of sources that are not known" in loaded.warnings[0]


def test_what_did_not_read_is_kept_aside(copy: Path) -> None:
    """Evidence is renamed, and neither read again nor overwritten."""
    (copy / "snapshot.5").write_bytes(b"damaged")
    set_aside(load(copy).broken, at_ms=77)
    assert (copy / "snapshot.5.broken-77").read_bytes() == b"damaged"
    assert load(copy).warnings == []

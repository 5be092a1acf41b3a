"""C02: what a killed process left under way is asked for by the next one, range by range."""

from __future__ import annotations

import gzip
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sidecar.model import history
from tests.integration.delivering.asking import Asked, without
from tests.integration.delivering.stepped import (
    GROUP,
    Stepped,
    append,
    fates_add_up,
    settings_for,
    stepping,
)
from tests.integration.delivering.test_reconcile import _stamp, text


def killed_under_way(
    settings: Any, destination: Asked, how: str, write: Callable[[], object]
) -> None:
    """A life that ends while the answer to what `write` has written is awaited."""
    life = Stepped(settings, destination)
    destination.lose(how, times=99)
    write()
    life.until(lambda: life.shipper.delivery.unresolved)
    life.die()
    destination.lose(how, times=0)


def shipped_before(settings: Any, destination: Asked, path: Path, content: str) -> None:
    append(path, content)
    with stepping(settings, destination) as life:
        life.ship()


CONTENT = {
    "plain": [f"line {number}" for number in range(50)],
    "repeating": [f"again {number % 2}" for number in range(50)],
    "timed": [f"{_stamp(number // 7)} line {number % 5}" for number in range(50)],
    "mixed": [f"{_stamp(n)} line {n}" if n % 3 == 1 else f"timeless {n % 4}" for n in range(50)],
    "out of order": [f"{_stamp((n * 37) % 50)} line {n}" for n in range(50)],
    "long": ["short", "x" * 5000, "y" * 900, "end"],
}


@pytest.mark.parametrize("how", ["reply", "request", "half"])
@pytest.mark.parametrize("content", CONTENT)
@pytest.mark.parametrize("mode", ["auto", "arrival"])
def test_c02_what_was_under_way_is_stored_once(
    tmp_path: Path, how: str, content: str, mode: str
) -> None:
    """Stored, not stored, or half of it: after a kill every event is there once, none counted.

    Catches: ranges of an intent that are read at once, or a missing part that is not read at all.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    logs = [
        {
            "include": [f"{tmp_path}/logs/*.log"],
            "partial": "1s",
            "timestamp": mode,
            "max_event_bytes": 1000,
        }
    ]
    settings = settings_for(tmp_path, logs=logs)
    lines = CONTENT[content]
    once = Asked()
    (tmp_path / "other").mkdir()
    elsewhere = settings_for(tmp_path / "other", logs=logs, state_dir=str(tmp_path / "elsewhere"))
    shipped_before(settings, destination, path, "before\n")
    killed_under_way(settings, destination, how, lambda: append(path, text(lines)))
    append(path, "after\n")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0
        fates_add_up(sidecar.status(), path)
    with stepping(elsewhere, once) as undisturbed:
        undisturbed.ship()

    assert destination.counts(GROUP, "a.log") == once.counts(GROUP, "a.log")


def test_c02_what_is_read_once_more_comes_before_later_lines_of_its_time(tmp_path: Path) -> None:
    """Lines of one second, of which a kill left the first ones unsent: they are shown in order.

    Catches: what is read once more sent behind what waited for its outcome.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    second = _stamp(0)
    lines = [f"{second} line {number}" for number in range(20)]
    shipped_before(settings, destination, path, f"{second} before\n")
    killed_under_way(settings, destination, "request", lambda: append(path, text(lines[:8])))
    append(path, text(lines[8:]))
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == [f"{second} before", *lines]


def test_c02_a_batch_of_two_files_is_read_once_more_in_their_order(tmp_path: Path) -> None:
    """A batch of one second's lines holds the end of a rotated file and the start of the next one;
    nothing of it was stored when the process died: the stream shows the older file's lines first.

    Catches: reading the newer file first, since it was the last that was given its turn.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path, delivery={"linger": "5s"})
    second = _stamp(0)
    lines = [f"{second} line {number}" for number in range(20)]

    life = Stepped(settings, destination)
    append(path, f"{second} before\n")
    life.ship()
    destination.lose("request", times=99)
    append(path, text(lines[:8]))
    path.rename(path.with_name("a.log.1"))
    append(path, text(lines[8:]))
    life.until(lambda: life.shipper.delivery.unresolved)
    (intent,) = life.shipper.checkpoints.ledger.intents.values()
    assert len(intent.spans) == 2
    life.die()
    destination.lose("request", times=0)
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == [f"{second} before", *lines]


def test_c02_what_is_read_once_more_needs_no_room(tmp_path: Path) -> None:
    """The same while memory is full of what comes after, and waits: the first lines come first.

    Catches: what is read once more waiting for room that only what waits for it can make.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path, delivery={"memory": "2MiB"})
    second = _stamp(0)
    lines = [f"{second} line {number}" for number in range(20)]
    later = [f"{_stamp(1 + number // 100)} {number} {'x' * 2000}" for number in range(2000)]
    killed_under_way(settings, destination, "request", lambda: append(path, text(lines[:8])))
    append(path, text([*lines[8:], *later]))
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == [*lines, *later]


@pytest.mark.parametrize("mode", ["auto", "arrival"])
def test_c02_other_ranges_go_on_meanwhile(tmp_path: Path, mode: str) -> None:
    """What comes after an unknown range is delivered at once, and the range itself later, once,
    with the time it was sent with at first: the stream shows it in its place.

    Catches: a source that waits for its unknown ranges; a new time of arrival.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    logs = [{"include": [f"{tmp_path}/logs/*.log"], "timestamp": mode}]
    settings = settings_for(tmp_path, logs=logs)
    shipped_before(settings, destination, path, "before\n")
    killed_under_way(settings, destination, "request", lambda: append(path, "unknown\n"))
    append(path, "after\n")
    with stepping(settings, destination) as sidecar:
        waited = sidecar.until(lambda: "after" in destination.messages(GROUP, "a.log"))
        assert waited < 5.0
        assert "unknown" not in destination.messages(GROUP, "a.log")
        assert sidecar.status()["delivery"]["unresolved"] == 1
        assert any("reconciling" in each for each in sidecar.status()["degraded"])
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == ["before", "unknown", "after"]


@pytest.mark.parametrize("how", ["reply", "request"])
def test_c02_what_is_read_late_is_asked_for_though_the_stream_went_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """An archive with lines older than much that its stream took before, and that is forgotten by
    now: under way at a kill, they are stored once all the same, and none is counted.

    Catches: a history of which all is unknown up to the latest that was forgotten.
    """
    monkeypatch.setattr(history, "MOST_EVENTS", 0)
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    oldest, older, newer = (
        [f"{_stamp(at + number)} line {number}" for number in range(9)] for at in (-90, -60, -30)
    )
    shipped_before(settings, destination, path, text(oldest))
    for line in newer:
        shipped_before(settings, destination, path, text([line]))

    def come_late() -> None:
        path.with_name("a.log.1.gz").write_bytes(gzip.compress(text(older).encode()))

    killed_under_way(settings, destination, how, come_late)
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.messages(GROUP, "a.log") == [*oldest, *older, *newer]


def test_c02_equal_line_acknowledged_by_an_earlier_life_proves_nothing(tmp_path: Path) -> None:
    """The journal, and a snapshot of it, know what was acknowledged with the same timestamps.

    Catches: a history that does not survive the process.
    """
    line = f"{_stamp(0)} the very same"
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    shipped_before(settings, destination, path, text([line] * 3))
    shipped_before(settings, destination, path, "other\n")
    killed_under_way(settings, destination, "request", lambda: append(path, text([line] * 2)))
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0

    assert destination.counts(GROUP, "a.log") == Counter([*[line] * 5, "other"])


def test_c02_killed_again_and_again_while_asking(tmp_path: Path) -> None:
    """Lives that end before anything is known add their own unknown requests: all once in the end.

    Catches: an intent that a take-over drops, or takes over twice.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    shipped_before(settings, destination, path, "before\n")
    written = ["before"]
    for life in range(4):
        line = f"{_stamp(life)} life {life}"
        written.append(line)
        how = ("reply", "request", "half")[life % 3]
        destination.reading = without(lambda _index: False)
        running = Stepped(settings, destination)
        destination.lose(how, times=1)
        append(path, text([line]))
        puts = destination.acts["put"]
        running.until(lambda before=puts: destination.acts["put"] > before)
        running.die()
    destination.reading = lambda answer: answer
    with stepping(settings, destination) as sidecar:
        assert sidecar.shipper.delivery.unresolved > 1
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0
        fates_add_up(sidecar.status(), path)

    assert destination.counts(GROUP, "a.log") == Counter(written)


@pytest.mark.parametrize("how", ["reply", "request"])
@pytest.mark.parametrize("what", ["deleted", "truncated", "copied and truncated", "renamed"])
def test_c02_file_that_changed_meanwhile(tmp_path: Path, how: str, what: str) -> None:
    """What is stored is known without the file; what is not is read where it lies now, or is gone.

    Catches: asking that needs the file, or bytes that are lost without being counted.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    logs = [{"include": [f"{tmp_path}/logs/*.log"], "partial": "1s"}]
    settings = settings_for(tmp_path, logs=logs)
    destination.reading = without(lambda _index: False)
    append(path, "before\n")
    life = Stepped(settings, destination)
    life.ship()
    destination.lose(how)
    append(path, "unknown 1\nunknown 2\n")
    life.until(lambda: life.shipper.delivery.unresolved)
    life.die()
    second = Stepped(settings, destination)
    second.pass_time(2.0, each=0.1)
    if what == "copied and truncated":
        (path.parent / "a.log.1").write_bytes(path.read_bytes())
    if what == "renamed":
        path.rename(path.parent / "a.log.1")
    elif what == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"")
    if what != "deleted":
        append(path, "new\n")
    second.pass_time(5.0, each=0.1)
    destination.reading = lambda answer: answer
    second.pass_time(60.0, each=0.2)
    totals = second.totals
    second.die()

    counts = destination.counts(GROUP, "a.log")
    assert max(counts.values()) == 1
    assert totals.possible_duplicates == 0
    kept = how == "reply" or what != "truncated"
    assert (counts["unknown 1"], counts["unknown 2"]) == ((1, 1) if kept else (0, 0))
    assert totals.bytes_gone == (0 if kept else len("unknown 1\nunknown 2\n"))


@pytest.mark.parametrize("how", ["reply", "request"])
def test_c02_copy_made_while_nobody_looked_goes_on_with_what_was_unknown(
    tmp_path: Path, how: str
) -> None:
    """copytruncate after the kill, before the next start: the copy has the unknown range.

    Catches: a copy that is read from the checkpoint on, whatever was under way.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    shipped_before(settings, destination, path, "before, long enough to be told apart\n")
    killed_under_way(settings, destination, how, lambda: append(path, "unknown 1\nunknown 2\n"))
    append(path, "unread\n")
    (path.parent / "a.log.1").write_bytes(path.read_bytes())
    path.write_bytes(b"")
    append(path, "new\n")
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        sidecar.pass_time(40.0, each=0.2)
        assert sidecar.totals.possible_duplicates == 0
        assert sidecar.totals.bytes_gone == 0

    counts = destination.counts(GROUP, "a.log")
    expected = ["before, long enough to be told apart", "unknown 1", "unknown 2", "unread", "new"]
    assert counts == Counter(expected)


@pytest.mark.parametrize("how", ["reply", "request"])
def test_c02_manifest_that_was_under_way_is_stored_once(tmp_path: Path, how: str) -> None:
    """An artifact's manifest of unknown outcome: found, it counts as shipped; else it is sent.

    Catches: an artifact that is looked at, and told, before it is known.
    """
    destination = Asked()
    artifact = tmp_path / "artifacts" / "report.csv"
    include = [f"{tmp_path}/artifacts/*"]
    settings = settings_for(tmp_path, artifacts=[{"include": include, "settle": "1s"}])
    group = GROUP + "/artifacts"
    with stepping(settings, destination) as sidecar:
        append(tmp_path / "artifacts" / "first.csv", "1,2\n")
        sidecar.pass_time(5.0, each=0.2)
    life = Stepped(settings, destination)
    destination.lose(how, times=99, stream="report.csv")
    append(artifact, "a,b\n" * 100)
    life.until(lambda: life.shipper.delivery.unresolved, seconds=0.2)
    life.die()
    destination.lose(how, times=0)
    with stepping(settings, destination) as again:
        again.pass_time(60.0, each=0.2)
        assert again.totals.artifacts_shipped == 1
        assert again.totals.possible_duplicates == 0

    assert len(destination.messages(group, "report.csv")) == 1
    assert len(destination.messages(group, "first.csv")) == 1


def test_c05_no_end_of_the_journal_has_a_found_manifest_sent_again(tmp_path: Path) -> None:
    """The reply is lost, and the manifest found: the artifact is known for shipped before its
    request is known for resolved, so a crash between the two leaves it to be asked for again.

    Catches: the two in the other order.
    """
    destination = Asked()
    include = [f"{tmp_path}/artifacts/*"]
    settings = settings_for(tmp_path, artifacts=[{"include": include, "settle": "1s"}])
    group = GROUP + "/artifacts"
    destination.make(group, "report.csv")
    destination.lose("reply")
    append(tmp_path / "artifacts" / "report.csv", "a,b\n")
    life = Stepped(settings, destination)
    life.until(lambda: life.totals.artifacts_shipped, seconds=0.2)
    life.pass_time(5.0)
    life.die()
    journal = max(life.member.directory.glob("journal.*"))
    written = journal.read_bytes()
    ends = [at.end() for at in re.finditer(rb"\n", written)]
    sent = sum(end <= written.index(b'"is":"intent_sent"') for end in ends)
    state = shutil.copytree(settings.state_dir, tmp_path / "as it was")
    for end in ends[sent:]:
        shutil.rmtree(settings.state_dir)
        shutil.copytree(state, settings.state_dir)
        journal.write_bytes(written[:end])
        with stepping(settings, destination) as again:
            again.pass_time(60.0)
        assert len(destination.messages(group, "report.csv")) == 1, written[:end]

"""What the certainty costs while all goes well: counted, not timed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sidecar.registry.file_system import FileSystem
from tests.integration.delivering import stepped
from tests.integration.delivering.asking import Asked
from tests.integration.delivering.stepped import (
    GROUP,
    Stepped,
    append,
    settings_for,
    stepping,
)
from tests.integration.delivering.test_reconcile import _stamp, text


class Counting:
    """Counts the calls that write to the state directory."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.calls: Counter[str] = Counter()
        self.bytes = 0
        for name in ("write_all", "sync"):
            real = getattr(FileSystem, name)
            patch.setattr(FileSystem, name, self._counted(name, real))

    def _counted(self, name: str, real: Any) -> Any:
        def call(files: FileSystem, *arguments: Any) -> Any:
            self.calls[name] += 1
            if name == "write_all":
                self.bytes += len(arguments[1])
            return real(files, *arguments)

        return call


def test_c02_normal_path_reads_nothing_and_appends_once_a_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No read of CloudWatch, one append for each step that sends and one for results at most, an
    fsync a second of the pump's clock at most, and some 8 bytes of journal an event.

    Catches: an fsync before each request, a reading before it, or an intent written twice.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    with stepping(settings_for(tmp_path), destination) as sidecar:
        append(path, "first\n")
        sidecar.ship()
        counting = Counting(monkeypatch)
        began, batches = sidecar.now, sidecar.totals.batches
        syncs = sidecar.totals.journal_syncs
        written = 0
        for second in range(60):
            lines = [f"{_stamp(second)} line {n} {'x' * 80}" for n in range(1000)]
            written += len(lines)
            append(path, text(lines))
            sidecar.pass_time(1.0, each=0.1)
        sidecar.until(sidecar.settled)
        batches = sidecar.totals.batches - batches
        seconds = sidecar.now - began
        appended = counting.calls["write_all"]
        assert destination.reads == []
        assert sidecar.totals.cloudwatch_reads == 0
        # The intents of a step in one, the results of a step in one; one may have begun before.
        assert appended <= 2 * batches + 2
        assert sidecar.totals.journal_syncs - syncs <= seconds + 1
        assert counting.calls["sync"] <= seconds + 1
        assert counting.bytes <= 10 * written + 1000 * batches

    assert len(destination.messages(GROUP, "a.log")) == written + 1


def test_c02_asking_after_a_crash_is_bounded_with_1000_open_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that dies with a thousand sources open leaves as many intents as requests were
    under way: those are asked for, one or two reads each, two a second, and nothing else.

    Catches: a reading for every source at start.
    """
    monkeypatch.setattr(stepped, "PATIENCE", 120.0)
    destination = Asked()
    paths = [tmp_path / "logs" / f"{number:04d}.log" for number in range(1000)]
    settings = settings_for(tmp_path, delivery={"in_flight": 8})

    life = Stepped(settings, destination)
    for path in paths:
        append(path, "one\n")
    life.ship()
    destination.lose("reply", times=10**6)
    for path in paths:
        append(path, "two\n")
    puts = destination.acts["put"]
    life.until(lambda: destination.acts["put"] > puts)
    life.die()
    destination.lose("reply", times=0)
    reads = len(destination.reads)
    with stepping(settings, destination) as sidecar:
        unresolved = sidecar.shipper.delivery.unresolved
        assert 1 <= unresolved <= 16
        sidecar.ship()
        assert len(destination.reads) - reads <= 2 * unresolved
        assert sidecar.totals.possible_duplicates == 0

    assert all(destination.messages(GROUP, path.name) == ["one", "two"] for path in paths)

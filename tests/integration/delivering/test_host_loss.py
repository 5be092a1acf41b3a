"""C02, M03: the host is gone, with what it had written and not made durable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest

from sidecar.registry.file_system import FileSystem
from sidecar.sources.mounts import Mode
from tests.integration.delivering.asking import Asked
from tests.integration.delivering.stepped import (
    GROUP,
    Stepped,
    append,
    fates_add_up,
    settings_for,
    stepping,
)
from tests.integration.delivering.test_reconcile import text

LINES = [f"line {number}" for number in range(60)]


class Server:
    """The state directory as an NFS server has it: what a host made durable, and no more."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._durable: dict[int, int] = {}
        self._sync = FileSystem.sync
        self.syncs = 0
        self.seconds = 0.0
        """How long its fsyncs have taken so far."""
        self.each = 0.0

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """The product finds the state directory on NFS, and each fsync reaches the server."""

        def synced(files: FileSystem, descriptor: int) -> None:
            seen = Path(f"/proc/self/fd/{descriptor}").stat()
            self._durable[seen.st_ino] = seen.st_size
            self.syncs += 1
            self.seconds += self.each
            self._sync(files, descriptor)

        with (
            mock.patch("sidecar.bootstrap.mount_mode", return_value=Mode("revalidate", "nfs4")),
            mock.patch.object(FileSystem, "sync", synced),
        ):
            yield

    def forget_the_rest(self) -> None:
        """The host is gone: the journals end where its last fsync found them."""
        for path in self._state_dir.rglob("journal.*"):
            with path.open("ab") as file:
                file.truncate(self._durable.get(path.stat().st_ino, 0))


@pytest.mark.parametrize("how", [None, "reply", "request"])
def test_m03_what_a_lost_host_sent_last_is_not_sent_again(tmp_path: Path, how: str | None) -> None:
    """Accepted and acknowledged, accepted only, or not even that: the next host finds out which.

    Catches: a request whose intent is on the host alone.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    server = Server(settings.state_dir)
    with server.mounted():
        life = Stepped(settings, destination)
        for first in range(0, 60, 20):
            if first == 40 and how is not None:
                destination.lose(how, times=99)
            append(path, text(LINES[first : first + 20]))
            before = destination.acts["put"]
            life.until(lambda before=before: destination.acts["put"] > before, seconds=0.02)
        life.until(lambda: not life.shipper.delivery.under_way, seconds=0.0)
        life.die()
    server.forget_the_rest()
    destination.lose("", times=0)
    with stepping(settings, destination) as sidecar:
        sidecar.ship()
        assert sidecar.totals.possible_duplicates == 0
        fates_add_up(sidecar.status(), path)

    assert destination.counts(GROUP, "a.log") == Counter(LINES)


def test_a_trickle_makes_its_intents_durable_a_few_times_a_second(tmp_path: Path) -> None:
    """Each fsync is billed by EFS: lines that come one by one share them, and nothing waits long.

    Catches: an fsync for each request; a wait that is not limited.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    server = Server(settings.state_dir)
    with server.mounted(), stepping(settings, destination) as life:
        append(path, "first\n")
        life.ship()
        before = server.syncs
        for line in LINES:
            append(path, f"{line}\n")
            life.step(0.05)
            life.shipper.intake.look_at_everything(life.now, int(life.now * 1000))
            life.until(lambda: not life.shipper.delivery.under_way, seconds=0.0)
        # Three seconds of the pump's clock.
        assert 4 <= server.syncs - before <= 10
        life.ship()

    assert destination.messages(GROUP, "a.log") == ["first", *LINES]


def test_s06_a_journal_is_compacted_however_often_its_intents_are_made_durable(
    tmp_path: Path,
) -> None:
    """Under traffic without a pause the journal stays short, on NFS too.

    Catches: intents' fsyncs that put the compaction off, each time anew.
    """
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    server = Server(settings.state_dir)
    with server.mounted(), stepping(settings, Asked()) as life:
        life.shipper.checkpoints._journal._compact_bytes = 4096
        for number in range(200):
            append(path, f"line {number}\n")
            life.step(0.2)
            life.until(lambda: not life.shipper.delivery.under_way, seconds=0.0)
        journals = settings.state_dir.rglob("journal.*")
        assert sum(each.stat().st_size for each in journals) < 40 * 1024
        life.ship()


def test_m03_an_intent_tells_when_its_request_was_sent_however_long_it_took(tmp_path: Path) -> None:
    """After an fsync of a minute the journal does not say that the request is a minute old.

    Catches: a reader of the journal who believes that a request under way was long over.
    """
    destination = Asked()
    path = tmp_path / "logs" / "a.log"
    settings = settings_for(tmp_path)
    server = Server(settings.state_dir)
    with server.mounted(), stepping(settings, destination) as life:
        append(path, "first\n")
        life.ship()
        shipper = life.shipper
        server.each = 60.0
        said: list[float] = []

        def sent(_stream: str, _events: object) -> None:
            intents = shipper.checkpoints.ledger.intents.values()
            said.extend(intent.at_ms / 1000.0 for intent in intents)

        destination.losing = sent
        append(path, "second\n")
        with mock.patch.multiple(
            shipper,
            _clock=lambda: life.now + server.seconds,
            _wall_clock=lambda: 1_000_000.0 + server.seconds,
        ):
            life.until(lambda: said)
        assert said == [1_000_000.0 + server.seconds]
        server.each = 0.0
        life.ship()

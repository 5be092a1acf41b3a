"""M05: a volume whose server is away hangs whoever calls it; the files of the others go on."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sidecar.shipper import BACKLOG_LEFT, DRAINED
from sidecar.sources.looks import Looks
from tests.integration.delivering.asking import Asked
from tests.integration.delivering.stepped import GROUP, Stepped, append, settings_for

LOCAL = ["one", "two", "three"]


class HardMount:
    """A mount whose server can go away: who asks it waits then, and the pump must not call it."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._answers = threading.Event()
        self._answers.set()

    def go_away(self) -> None:
        self._answers.clear()

    def come_back(self) -> None:
        self._answers.set()

    @contextmanager
    def mounted(self, table: Path) -> Iterator[None]:
        """The product finds it in the mount table, beside this machine's own root."""
        table.write_text(
            f"22 1 254:1 / / rw - ext4 /dev/vda1 rw\n23 22 0:5 / {self._root} rw - nfs4 s:/ rw\n"
        )
        with (
            mock.patch("sidecar.sources.mounts.MOUNTINFO", table),
            # It goes away between two answers; in what an answer lasts the product may hang.
            mock.patch("sidecar.sources.reach.FRESH_SECONDS", 0.0),
            mock.patch("os.statvfs", self._asked(os.statvfs)),
            mock.patch("os.open", self._called(os.open)),
            mock.patch("os.scandir", self._called(os.scandir)),
            mock.patch.object(Looks, "at", self._looked_at(Looks.at)),
        ):
            yield
        self.come_back()

    def _asked(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def asked(path: Any) -> Any:
            if str(path).startswith(self._root):
                self._answers.wait()
            return call(path)

        return asked

    def _called(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def called(path: Any, *rest: Any, **more: Any) -> Any:
            self._must_answer(str(path))
            return call(path, *rest, **more)

        return called

    def _looked_at(self, look: Callable[..., Any]) -> Callable[..., Any]:
        def looked_at(looks: Looks, descriptor: int, path: str, root: str, *, ask: bool) -> Any:
            self._must_answer(path)
            return look(looks, descriptor, path, root, ask=ask)

        return looked_at

    def _must_answer(self, path: str) -> None:
        if path.startswith(self._root) and not self._answers.is_set():
            pytest.fail(f"the pump would hang: {path}")


@pytest.fixture
def life(tmp_path: Path) -> Iterator[tuple[Stepped, HardMount, Asked]]:
    """A sidecar over a volume and a directory of this machine, which has the state as well."""
    volume, here = tmp_path / "volume", tmp_path / "here"
    mount = HardMount(volume)
    logs = [{"include": [f"{root}/*.log"], "partial": "1s"} for root in (volume, here)]
    settings = settings_for(here, logs=logs, drain={"quiet": "100ms", "deadline": "3s"})
    destination = Asked()
    append(volume / "far.log", "before\n")
    append(here / "near.log", "before\n")
    with mount.mounted(tmp_path / "mountinfo"):
        stepped = Stepped(settings, destination)
        stepped.ship()
        yield stepped, mount, destination
        stepped.die()


def test_m05_other_roots_go_on_and_the_stuck_path_is_shown(
    life: tuple[Stepped, HardMount, Asked], tmp_path: Path
) -> None:
    """Nothing below the volume is touched while it hangs; it is read on when it answers.

    Catches: a look at a file whose volume was not asked before.
    """
    sidecar, mount, destination = life
    mount.go_away()
    for line in LOCAL:
        append(tmp_path / "volume" / "far.log", f"{line}\n")
        append(tmp_path / "here" / "near.log", f"{line}\n")
        sidecar.until(lambda line=line: line in destination.messages(GROUP, "near.log"))
    sidecar.until(lambda: sidecar.source("far.log")["state"] == "stuck")
    assert sidecar.source("near.log")["state"] == "active"
    assert any(each.startswith("hung: ") for each in sidecar.status()["degraded"])
    assert destination.messages(GROUP, "far.log") == ["before"]
    mount.come_back()
    sidecar.until(lambda: destination.messages(GROUP, "far.log") == ["before", *LOCAL])
    assert destination.messages(GROUP, "near.log") == ["before", *LOCAL]
    sidecar.step()
    assert sidecar.source("far.log")["state"] == "active"
    assert sidecar.status()["degraded"] == []


def test_m05_a_drain_does_not_take_what_hangs_for_read(
    life: tuple[Stepped, HardMount, Asked], tmp_path: Path
) -> None:
    """Status 3 while the volume hangs, for nobody knows what is there.

    Catches: a drain that ends when all that can be reached is shipped.
    """
    sidecar, mount, _ = life
    mount.go_away()
    append(tmp_path / "volume" / "far.log", "last\n")
    ticks = (sidecar.now + number * 0.1 for number in range(1000))
    with mock.patch.object(sidecar.shipper, "_clock", side_effect=ticks):
        status = sidecar.shipper.drain()
    mount.come_back()
    assert status == BACKLOG_LEFT


def test_m05_a_drain_reads_a_volume_that_answers(
    life: tuple[Stepped, HardMount, Asked], tmp_path: Path
) -> None:
    """The same where it does answer: status 0, and the last line is there.

    Catches: a volume that is taken for hung without having been asked.
    """
    sidecar, _, destination = life
    append(tmp_path / "volume" / "far.log", "last\n")
    assert sidecar.shipper.drain() == DRAINED
    assert destination.messages(GROUP, "far.log") == ["before", "last"]

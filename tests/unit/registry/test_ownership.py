"""Whose a stream's files are, asked of one member's ownership by itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.model.ledger import Ledger
from sidecar.model.ownership import Wanted
from sidecar.registry.claims import Claim, Claims
from sidecar.registry.file_system import REAL
from sidecar.registry.heartbeat import Fence
from sidecar.registry.members import Member
from sidecar.registry.membership import Membership
from sidecar.registry.others import Others
from sidecar.registry.ownership import SharedOwnership
from sidecar.registry.state_directory import MEMBERS


def free_of_charge(_: int) -> None:
    """What is spent is not counted here."""


def wanted(inode: int) -> Wanted:
    path = f"/logs/app.log.{inode}"
    return Wanted(path, "/logs/app.log", "/logs", inode, b"", "group", "app.log")


@pytest.fixture
def ownership(tmp_path: Path) -> Iterator[SharedOwnership]:
    """A member's that is alone. A file of number 1 is claimed by one that is gone, and somebody
    else replaces claims, so it is not known whose it is."""
    gone = Member.join(tmp_path, "gone")
    Claims(tmp_path, gone, spend=free_of_charge).make(Claim("file", "/logs", "1"))
    gone.leave()
    shutil.rmtree(gone.directory)
    replacing = REAL.open_lock(tmp_path / "claims" / ".replacing")
    REAL.lock(replacing)
    own = Member.join(tmp_path, "red")
    yield SharedOwnership(
        task="red",
        membership=Membership(tmp_path, own, spend=free_of_charge),
        others=Others(tmp_path / MEMBERS, spend=free_of_charge),
        claims=Claims(tmp_path, own, spend=free_of_charge),
        fence=Fence(lambda: 0.0),
        ledger=Ledger(),
        make_durable=lambda _: True,
    )
    own.leave()
    REAL.close(replacing)


def test_that_a_stream_was_in_doubt_is_forgotten_when_nobody_asks_for_it(
    ownership: SharedOwnership,
) -> None:
    """The stream's other files wait for ten seconds while it is not known whose one of them is,
    and no longer. Ten minutes after the last question that is forgotten: a new file waits anew.

    Catches: remembering each stream that was ever in doubt, as long as the process lives.
    """
    assert ownership.grant([wanted(1), wanted(2)], 0.0) == [False, False]
    assert ownership.grant([wanted(1), wanted(2)], 11.0) == [False, True]
    ownership.step(300.0)
    assert ownership.grant([wanted(1), wanted(3)], 300.0) == [False, True]
    ownership.step(800.0)
    assert ownership.grant([wanted(1), wanted(4)], 800.0) == [False, True]
    ownership.step(1500.0)
    assert ownership.grant([wanted(1), wanted(5)], 1500.0) == [False, False]

"""Claims on a volume that fails: who comes first wins, and everybody can tell who it was."""

import errno
from pathlib import Path

import pytest

from sidecar.registry.claims import MOST_LINKS, Claim, Claims
from sidecar.registry.members import Member, dead_members
from tests.unit.registry.faults import FaultyFileSystem, always

STREAM = Claim("stream", "/ecs/reports", "app.log")


def spend(_operations: int) -> None:
    """Nobody counts here."""


class Claiming:
    """A member and its claims, on a file system of its own that can fail."""

    def __init__(self, state_dir: Path, task: str) -> None:
        self.files = FaultyFileSystem()
        self.member = Member.join(state_dir, task, self.files)
        self.claims = Claims(state_dir, self.member, spend=spend, files=self.files)


def test_the_first_claim_wins(tmp_path: Path) -> None:
    """Whoever claims second is told who was first, as is whoever claims again."""
    red, green = Claiming(tmp_path, "red"), Claiming(tmp_path, "green")
    assert red.claims.make(STREAM) == red.member.id
    assert green.claims.make(STREAM) == red.member.id
    assert red.claims.make(STREAM) == red.member.id


def test_claims_of_different_things_differ() -> None:
    """Parts that read alike when joined, and kinds, are told apart."""
    names = {
        claim.file_name
        for claim in (
            STREAM,
            Claim("stream", "/ecs/report", "sapp.log"),
            Claim("file", "/ecs/reports", "app.log"),
            Claim("artifact", "/ecs/reportsapp.log"),
        )
    }
    assert len(names) == 4


def test_a_lost_reply_is_no_lost_claim(tmp_path: Path) -> None:
    """A link that worked although the client was told EEXIST on its second attempt is ours.

    Catches: EEXIST taken for somebody else's claim without reading whose.
    """
    red = Claiming(tmp_path, "red")
    real = red.files.link

    def linked_twice(old: Path, new: Path) -> None:
        real(old, new)
        real(old, new)

    red.files.link = linked_twice  # type: ignore[method-assign]
    assert red.claims.make(STREAM) == red.member.id


@pytest.mark.parametrize("call", ["create", "write", "sync", "link"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_a_claim_that_fails_is_none(tmp_path: Path, call: str, error: int) -> None:
    """A volume that refuses raises, leaves no half claim, and the next attempt works."""
    red = Claiming(tmp_path, "red")
    red.files.break_with(always(error, call))
    with pytest.raises(OSError, match=r".") as raised:
        red.claims.make(STREAM)
    assert raised.value.errno == error
    red.files.mend()
    assert red.claims.holder(STREAM) == ""
    assert red.claims.make(STREAM) == red.member.id


def test_a_file_is_linked_no_more_often_than_efs_allows(tmp_path: Path) -> None:
    """Further claims are links to another file: EFS refuses more than 177 to one.

    Catches: one file for all claims.
    """
    red = Claiming(tmp_path, "red")
    for number in range(2 * MOST_LINKS):
        red.claims.make(Claim("file", "/logs", str(number)))
    links = [path.stat().st_nlink for path in (tmp_path / "claims").iterdir()]
    assert max(links) <= MOST_LINKS


def test_who_was_taken_over_claims_nothing_more(tmp_path: Path) -> None:
    """A member that lost its folder cannot link, however late it goes on.

    Catches: claims linked from a file outside the member's folder.
    """
    red = Claiming(tmp_path, "red")
    red.claims.make(STREAM)
    red.member.leave()
    (dead,) = dead_members(tmp_path, own="")
    assert dead.remove()
    with pytest.raises(FileNotFoundError):
        red.claims.make(Claim("stream", "/ecs/reports", "another.log"))


def test_a_dead_members_claim_is_replaced_under_the_lock(tmp_path: Path) -> None:
    """One replaces it; who held the lock later finds it changed and leaves it.

    Catches: a replacement that does not read the claim again.
    """
    red, green, blue = (Claiming(tmp_path, task) for task in ("red", "green", "blue"))
    red.claims.make(STREAM)
    with green.claims.replacing() as alone:
        assert alone
        with blue.claims.replacing() as second:
            assert not second
        assert green.claims.replace(STREAM, red.member.id)
    with blue.claims.replacing() as alone:
        assert alone
        assert not blue.claims.replace(STREAM, red.member.id)
    assert blue.claims.holder(STREAM) == green.member.id


def test_a_replacement_that_fails_leaves_the_claim(tmp_path: Path) -> None:
    """The old claim stands when the rename is refused, and nothing is left beside it."""
    red, green = Claiming(tmp_path, "red"), Claiming(tmp_path, "green")
    red.claims.make(STREAM)
    green.files.break_with(always(errno.EIO, "rename"))
    with pytest.raises(OSError, match=r"."):
        green.claims.replace(STREAM, red.member.id)
    assert green.claims.holder(STREAM) == red.member.id
    assert not [name for name in green.files.names(green.member.directory) if "claim" in name]

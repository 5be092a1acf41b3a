"""Who else is there, and who is found dead by whom."""

from pathlib import Path

from sidecar.registry.members import Member
from sidecar.registry.membership import LIST_SECONDS, RING_SECONDS, WATCHED, Membership


def watching(state_dir: Path, own: Member) -> tuple[Membership, list[int]]:
    """A membership that has just looked around, and what it spends from now on."""
    spent: list[int] = []
    membership = Membership(state_dir, own, spend=spent.append)
    assert membership.step(0.0) == []
    spent.clear()
    return membership, spent


def test_m02_a_dead_neighbour_is_found_at_the_next_round(tmp_path: Path) -> None:
    """The lock that was let go is taken by the one before it in the ring, once.

    Catches: a ring that ends at its last id.
    """
    red, green = Member.join(tmp_path, "red"), Member.join(tmp_path, "green")
    membership, _ = watching(tmp_path, red)
    green.leave()
    (dead,) = membership.step(RING_SECONDS)
    assert dead.id == green.id
    assert membership.step(3 * RING_SECONDS) == []
    assert not membership.others[green.id].is_alive
    dead.release()


def test_m02_a_clean_stop_is_seen_with_the_next_listing(tmp_path: Path) -> None:
    """A member that handed over is taken at once, without a round of the ring.

    Catches: a clean stop that looks like any other death.
    """
    red, green = Member.join(tmp_path, "red"), Member.join(tmp_path, "green")
    membership, _ = watching(tmp_path, red)
    membership.step(RING_SECONDS)
    green.hand_over()
    (dead,) = membership.step(RING_SECONDS + LIST_SECONDS)
    assert dead.id == green.id
    assert dead.remove()
    membership.gone(green.id)
    assert membership.is_alone


def test_a_round_costs_the_same_among_many(tmp_path: Path) -> None:
    """Each member tries as many living neighbours however many there are.

    Catches: a sweep over all members, whose cost would grow with their square.
    """
    members = [Member.join(tmp_path, f"task{number}") for number in range(12)]
    membership, spent = watching(tmp_path, members[5])
    membership.step(RING_SECONDS)
    assert sum(spent) == 1 + 2 * WATCHED
    for member in members:
        member.leave()


def test_all_of_many_that_die_at_once_are_found(tmp_path: Path) -> None:
    """Past the dead a round goes on, until enough are found alive or the ring is closed."""
    members = [Member.join(tmp_path, f"task{number:02d}") for number in range(12)]
    membership, _ = watching(tmp_path, members[0])
    for member in members[1:]:
        member.leave()
    dead = membership.step(RING_SECONDS)
    assert len(dead) == 11
    for each in dead:
        each.release()


def test_tasks_of_others_live_as_long_as_they_do(tmp_path: Path) -> None:
    """Their ids are known from their lock files, and are dead with them."""
    red, green = Member.join(tmp_path, "red"), Member.join(tmp_path, "task/with:signs")
    membership, _ = watching(tmp_path, red)
    assert membership.tasks == {"task/with:signs"}
    green.leave()
    (dead,) = membership.step(RING_SECONDS)
    assert membership.tasks == set()
    dead.release()

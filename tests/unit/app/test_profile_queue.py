"""Turns: one winner each, and nothing forgotten when a process dies."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.presence import Presence, dead
from app.profile_queue import MOST_DEATHS, ProfileQueue, Turn


def process(root: Path) -> tuple[Presence, ProfileQueue]:
    (root / "queue").mkdir(exist_ok=True)
    presence = Presence(root / "workers", "t")
    return presence, ProfileQueue(root / "queue", presence.running)


def die(presence: Presence) -> None:
    """As the kernel does it: the lock goes, the directory stays."""
    import os

    os.close(presence._lock)


def test_each_turn_is_taken_by_exactly_one(tmp_path: Path) -> None:
    """Four processes race for fifty turns: each is taken once, none is left."""
    processes = [process(tmp_path) for _ in range(4)]
    turns = [Turn(f"{number:011x}-0000000000") for number in range(50)]
    for turn in turns:
        processes[0][1].announce(turn)
        processes[0][1].offer(turn)

    def take_all(queue: ProfileQueue) -> list[Turn]:
        taken = []
        while (turn := queue.take()) is not None:
            taken.append(turn)
        return taken

    with ThreadPoolExecutor(4) as pool:
        taken = [turn for mine in pool.map(take_all, (q for _, q in processes)) for turn in mine]
    assert sorted(taken, key=lambda turn: turn.name) == turns
    for presence, _ in processes:
        presence.leave()
    assert list((tmp_path / "workers").iterdir()) == []


def test_the_turns_of_the_dead_are_adopted_once_with_a_mark(tmp_path: Path) -> None:
    """1 a process dies in its turn; 2 one other gets it, one death more; 3 the rest is removed."""
    first, queue = process(tmp_path)
    (first.incoming / "half").mkdir()
    queue.announce(Turn("a"))
    second, others = process(tmp_path)
    assert list(dead(tmp_path / "workers", second.name)) == []
    die(first)
    adopted = [others.adopt(directory) for directory in dead(tmp_path / "workers", second.name)]
    assert adopted == [[Turn("a", 1)]]
    assert not first.directory.exists()
    assert list(dead(tmp_path / "workers", second.name)) == []
    others.offer(adopted[0][0])
    assert others.take() == Turn("a", 1)
    second.leave()


def test_a_turn_that_kills_its_processes_is_hopeless_in_the_end(tmp_path: Path) -> None:
    """After MOST_DEATHS deaths nobody tries again."""
    turn = Turn("a")
    for _ in range(MOST_DEATHS):
        assert not turn.hopeless
        turn = Turn(turn.dataset, turn.deaths + 1)
    assert turn.hopeless


def test_a_turn_whose_rename_was_answered_twice_is_still_ours(tmp_path: Path) -> None:
    """The server renamed but its reply was lost, so the retry says that there is no such file."""
    presence, queue = process(tmp_path)
    queue.announce(Turn("a"))
    queue.offer(Turn("a"))

    class Lost(type(tmp_path)):  # type: ignore[misc]
        def rename(self, target: Path) -> Path:
            super().rename(target)
            raise FileNotFoundError(self)

    queue._waiting = Lost(tmp_path / "queue")
    assert queue.take() == Turn("a")
    assert queue.take() is None
    presence.leave()


def test_a_deleted_datasets_turn_is_forgotten(tmp_path: Path) -> None:
    """Whatever its number of deaths."""
    presence, queue = process(tmp_path)
    for turn in (Turn("a"), Turn("b", 1)):
        queue.announce(turn)
        queue.offer(turn)
    assert queue.waiting() == {"a", "b"}
    queue.forget("b")
    assert queue.waiting() == {"a"}
    presence.leave()

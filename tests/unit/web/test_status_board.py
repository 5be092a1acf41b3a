"""How a status passes from the pump to who asks."""

import threading

from sidecar.web.status_board import StatusBoard, shortened
from tests.unit.web.sample import source, status


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_status_is_wanted_only_while_somebody_waits() -> None:
    """The pump builds nothing for nobody."""
    board = StatusBoard()
    assert not board.wanted
    board.read(0.0)
    assert board.wanted
    board.publish(status())
    assert not board.wanted


def test_a_reader_gets_what_is_published_while_it_waits() -> None:
    """The reader wakes the pump and is woken by its answer, from another thread."""
    board = StatusBoard(fresh_for=0.0)
    board.publish({**status(), "member": "old"})
    asked = threading.Event()
    board.wake = asked.set

    def pump() -> None:
        assert asked.wait(30)
        board.publish({**status(), "member": "new"})

    thread = threading.Thread(target=pump)
    thread.start()
    assert board.read(30)["member"] == "new"
    thread.join()


def test_without_an_answer_the_last_status_is_given_with_its_age() -> None:
    """A pump that is stuck does not leave a person without a word."""
    clock = Clock()
    board = StatusBoard(clock=clock)
    board.publish({**status(), "member": "last"})
    clock.now += 42
    document = board.read(0.0)
    assert (document["member"], document["stale_seconds"]) == ("last", 42.0)


def test_a_status_of_just_now_is_given_again() -> None:
    """However many ask, the pump builds at most one status per `fresh_for`."""
    clock = Clock()
    wakes: list[None] = []
    board = StatusBoard(lambda: wakes.append(None), fresh_for=0.25, clock=clock)
    board.publish(status())
    for _ in range(5):
        board.read(0.0)
    assert not wakes
    clock.now += 0.25
    board.read(0.0)
    assert len(wakes) == 1


def test_what_a_reader_is_given_is_not_the_pumps_document() -> None:
    """The age is added to a copy: the published document stays as it was."""
    board = StatusBoard()
    document = status()
    board.publish(document)
    board.read(0.0)
    assert "stale_seconds" not in document


def test_a_short_status_begins_with_what_needs_a_person() -> None:
    """A source with a problem comes before those that are only behind."""
    stuck = {**source("stuck.log", 0, "stuck"), "problem": "permission denied"}
    document = shortened(status(source("a.log", 5), source("b.log", 9), stuck), limit=2)
    assert [each["stream"] for each in document["sources"]] == ["stuck.log", "b.log"]
    assert document["sources_total"] == 3

"""The order in which the files of one stream are read."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.batch import StreamKey
from sidecar.sources.source import Source
from sidecar.sources.stream_order import StreamOrder

KEY = StreamKey("/group", "stream")


def unread(number: int, order: float) -> Any:
    """As much of a source as the order goes by."""
    return SimpleNamespace(
        id=number,
        key=KEY,
        order=order,
        unread=1,
        exhausted=False,
        problem=None,
        missing_since=None,
    )


@pytest.fixture
def three() -> tuple[StreamOrder, list[Any]]:
    order = StreamOrder(lambda source: False)
    sources = [unread(number, float(number)) for number in range(3)]
    for source in sources:
        order.add(cast(Source, source))
    return order, sources


def test_who_comes_late_does_not_keep_the_next_one_waiting(
    three: tuple[StreamOrder, list[Any]],
) -> None:
    """The oldest is read out, and a third one begins to wait, for the second, before the round
    ends: the second has its turn all the same.

    Catches: remembering what the latest comer waits for in place of what the first one does.
    """
    order, (first, second, third) = three
    order.begin_round()
    assert order.is_behind_older(second)
    order.wait(second)
    first.unread = 0
    order.begin_round()
    assert order.is_behind_older(third)
    order.wait(third)
    assert order.end_round() == [second]
    second.unread = 0
    assert order.end_round() == [third]


def test_an_older_one_that_is_not_read_out_after_its_turn_has_newer_ones_wait(
    three: tuple[StreamOrder, list[Any]],
) -> None:
    """All that is known of it is read; its turn shows that it has grown: who is newer waits, though
    asked in the same round.

    Catches: believing for a round what was known of a file before its turn.
    """
    order, (first, second, third) = three
    first.unread = second.unread = 0
    order.begin_round()
    assert not order.is_behind_older(second)
    second.unread = 1
    order.is_not_read_out(second)
    assert not order.is_behind_older(second)
    assert order.is_behind_older(third)


def test_who_waits_for_memory_is_not_overtaken(three: tuple[StreamOrder, list[Any]]) -> None:
    """All that is known of an older one is read, and for its turn there was no memory: who is newer
    waits, though there is memory for it, until the older one has had its turn or is no more.

    Catches: taking a file that waits for memory for one that was read to its end.
    """
    order, (first, second, third) = three
    first.unread = second.unread = 0
    order.await_room(first)
    order.await_room(second)
    assert order.is_behind_awaiting(second)
    assert order.is_behind_awaiting(third)
    assert not order.is_behind_awaiting(first)
    order.got_room(first)
    assert not order.is_behind_awaiting(second)
    assert order.is_behind_awaiting(third)
    order.remove(second)
    assert not order.is_behind_awaiting(third)


def test_an_older_one_that_comes_late_has_all_others_wait(
    three: tuple[StreamOrder, list[Any]],
) -> None:
    """An archive turns out to be the oldest while the second waits for the first: both wait for it,
    and go on after it.

    Catches: remembering what the first comer waits for, whatever those wait for that come later.
    """
    order, (first, second, third) = three
    third.unread = 0
    order.begin_round()
    order.wait(second)
    oldest = unread(3, -1.0)
    order.add(oldest)
    assert order.is_behind_older(first)
    order.wait(first)
    oldest.unread = 0
    assert order.end_round() == [first]
    first.unread = 0
    assert order.end_round() == [second]


STEPS = st.sampled_from(["turn", "done", "stuck", "over", "new", "round"])


@given(st.lists(STEPS, max_size=60), st.data())
def test_whoever_is_first_is_never_left_waiting(steps: list[str], data: st.DataObject) -> None:
    """Whatever happens in whatever order: after each round nobody waits who is behind nobody."""
    order = StreamOrder(lambda source: False)
    sources = [unread(number, float(number // 2)) for number in range(6)]
    waiting = set()
    for source in sources:
        order.add(source)
    for step in [*steps, "round"]:
        source = data.draw(st.sampled_from(sources))
        if step == "turn" and order.is_behind_older(source):
            order.wait(source)
            waiting.add(source.id)
        elif step == "done":
            source.unread = 0
        elif step == "stuck":
            source.problem = "unreadable" if source.problem is None else None
        elif step == "new":
            sources.append(unread(len(sources), data.draw(st.sampled_from([-1.0, 0.0, 1.5]))))
            order.add(sources[-1])
        elif step == "over":
            order.remove(source)
            waiting.discard(source.id)
        elif step == "round":
            waiting -= {each.id for each in order.end_round()}
            assert not [
                each.id
                for each in sources
                if each.id in waiting and not order.is_behind_older(each)
            ]

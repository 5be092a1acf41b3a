"""The oracle of these tests finds what it is there to find."""

import pytest

from tests.nfs.verdict import complaints

WRITTEN = {"w.log": ["one", "two", "three"]}


def test_all_is_well_where_each_line_came_once_and_in_order() -> None:
    """Nothing is said about a stream that holds what was written."""
    assert complaints(WRITTEN, {"w.log": ["one", "two", "three"]}) == []


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ({}, ["w.log: 3 lost, first 'one'"]),
        ({"w.log": ["one", "two", "one", "three"]}, ["w.log: 1 twice, first 'one'"]),
        (
            {"w.log": ["two", "one", "three"]},
            ["w.log: out of order from 'two', where 'one' should be"],
        ),
        (
            {"w.log": ["one", "two", "three"], "w.log.1": ["one"]},
            ["w.log.1: 1 never written here, first 'one'"],
        ),
    ],
    ids=["lost", "twice", "out of order", "in another stream"],
)
def test_each_kind_of_trouble_is_named(stored: dict[str, list[str]], said: list[str]) -> None:
    """One sentence for each, with the line by which to find it."""
    assert complaints(WRITTEN, stored) == said

"""The intervals at which files are looked at, within the budget of operations."""

from sidecar.sources.poll import Budget, Pace


def test_d08_intervals_are_those_that_the_budget_pays_for() -> None:
    """What all files together cost a second stays within the budget, however many there are; few
    are looked at as often as configured.

    Catches: an interval that is the file's own, whatever the others cost.
    """
    pace = Pace(0.1, 10.0, Budget(100.0, 0.0))
    assert pace.interval("first", 0.0) == 0.1
    for number in range(1_000):
        pace.interval(number, 0.0)
    intervals = [pace.interval(number, 0.0) for number in range(1_000)]
    assert sum(1.0 / each for each in intervals) <= 100.0

"""What every test of several sidecars has."""

from collections.abc import Iterator

import pytest

from tests.support.cloudwatch import StrictCloudWatch


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch that must see nothing unlawful."""
    with StrictCloudWatch() as double:
        yield double
        assert double.violations == []

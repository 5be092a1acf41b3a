"""What holds for every test, in whatever order and process they run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# The same examples in every run, so that a failure is the change's; `make chaos PROGRAMS=1000`
# looks for others. None fails for being slow: a loaded machine is slow, and no test asserts a time.
settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")


@pytest.fixture(autouse=True)
def _logs_are_not_configured_by_another_test() -> Iterator[None]:
    yield
    structlog.reset_defaults()

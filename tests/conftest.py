"""What holds for every test, in whatever order and process they run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# No example fails for being slow: a loaded machine is slow, and no test asserts a time.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _logs_are_not_configured_by_another_test() -> Iterator[None]:
    yield
    structlog.reset_defaults()

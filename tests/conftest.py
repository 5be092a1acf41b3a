"""What holds for every test, in whatever order and process they run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_are_not_configured_by_another_test() -> Iterator[None]:
    yield
    structlog.reset_defaults()

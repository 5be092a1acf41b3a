"""What the tests of the reading half have in common."""

from pathlib import Path

import pytest


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The file that is written to."""
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs/app.log"

"""What the tests of `sidecar verify` have in common."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.commands.test_verify import Place
from tests.support.cloudwatch import StrictCloudWatch


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A new volume and a strict CloudWatch that boto3 finds."""
    with StrictCloudWatch() as cloudwatch:
        for name, value in cloudwatch.environment().items():
            monkeypatch.setenv(name, value)
        yield Place(tmp_path, cloudwatch)

"""One engine for all container tests; it is stopped again only if these tests started it."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).with_name("engine.sh")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Installing an engine and building images takes minutes on a new machine."""
    for item in items:
        if Path(item.path).is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session", autouse=True)
def engine() -> Iterator[None]:
    """A Docker engine that answers and has the base image."""
    done = subprocess.run([ENGINE, "up"], stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, "no engine: the lines above say why"
    yield
    if done.stdout.strip() == "started":
        subprocess.run([ENGINE, "down"], check=True)

"""What the guest gives its tests: two hosts, a server and a CloudWatch on another network."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nfs.hosts import CLOUDWATCH_ADDRESS, HOSTS, Host
from tests.nfs.volume import Volume
from tests.support.cloudwatch import StrictCloudWatch

TEST_SECONDS = 300

MEASURED = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--share", default="1/1", help="run the first of so many shares of the tests")
    parser.addoption("--soak-minutes", type=float, default=0.5, help="how long it goes on")
    parser.addoption("--soak-seed", type=int, default=random.randrange(10**6))


def pytest_configure(config: pytest.Config) -> None:
    """Outside of the guest these tests would test nothing."""
    if not HOSTS.exists():
        raise pytest.UsageError("these tests run in a guest of their own: make test-nfs")
    config.stash[MEASURED] = []


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A lease, a grace and a reconnection take their time, on one slow processor.

    Of what was asked for this guest keeps its share. Tests of one file take alike, so they are
    dealt out in turn, the longest first.
    """
    minutes = config.getoption("soak_minutes")
    for item in items:
        item.add_marker(pytest.mark.timeout(TEST_SECONDS + 60.0 * minutes))
    items.sort(key=lambda item: "soak" not in item.name)
    number, shares = map(int, config.getoption("share").split("/"))
    kept = items[number - 1 :: shares]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, and is not judged here."""
    for line in terminalreporter.config.stash[MEASURED]:
        terminalreporter.write_line(f"measured: {line}")


@pytest.fixture
def measured(pytestconfig: pytest.Config) -> list[str]:
    """Lines for the end of the report."""
    return pytestconfig.stash[MEASURED]


@pytest.fixture(scope="session")
def hosts() -> Iterator[tuple[Host, Host]]:
    """Both hosts, with a process of the tests' on each."""
    both = Host("a"), Host("b")
    yield both
    for host in both:
        host.close()


@pytest.fixture
def a(hosts: tuple[Host, Host]) -> Iterator[Host]:
    """The host a, in all its networks before and after."""
    yield hosts[0]
    hosts[0].join()


@pytest.fixture
def b(hosts: tuple[Host, Host]) -> Iterator[Host]:
    """The host b, in all its networks before and after."""
    yield hosts[1]
    hosts[1].join()


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch that both hosts reach, and that must see nothing unlawful."""
    with StrictCloudWatch(host=CLOUDWATCH_ADDRESS) as double:
        yield double
        assert double.violations == []


@pytest.fixture
def volume(
    request: pytest.FixtureRequest, tmp_path: Path, cloudwatch: StrictCloudWatch, a: Host, b: Host
) -> Iterator[Volume]:
    """A folder on the volume, made by a; its sidecars end with the test."""
    name = re.sub(r"\W+", "-", request.node.name)
    made = Volume(name, tmp_path, cloudwatch, maker=a)
    yield made
    a.join()
    b.join()
    made.end()

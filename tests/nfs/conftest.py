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

SECONDS = {
    "test_members_soak.py": 80,
    "test_cut_in_traffic.py": 40,
    "test_members.py": 30,
    "test_verdict.py": 1,
}
"""About how long each test of a file takes."""
SECONDS_OF_MOST = 11

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

    Of what was asked for this guest keeps its share: each test, the longest first, is dealt to the
    guest that has least to do.
    """
    minutes = config.getoption("soak_minutes")
    number, shares = map(int, config.getoption("share").split("/"))
    busy = [0] * shares
    kept = []
    for item in sorted(items, key=_seconds, reverse=True):
        item.add_marker(pytest.mark.timeout(TEST_SECONDS + 60.0 * minutes))
        guest = busy.index(min(busy))
        busy[guest] += _seconds(item)
        if guest == number - 1:
            kept.append(item)
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _seconds(item: pytest.Item) -> int:
    """About how long it takes."""
    return SECONDS.get(item.path.name, SECONDS_OF_MOST)


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

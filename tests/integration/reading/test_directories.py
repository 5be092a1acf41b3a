"""D03: directories that cannot be read, and roots that appear late."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.support.shipping import PATIENCE, Shipping, append


@contextmanager
def unreadable(directory: Path, error: int = errno.EACCES) -> Iterator[None]:
    """The directory cannot be listed, whoever asks: tests may run as root."""
    real = os.scandir

    def refused(path: Any) -> Any:
        if os.fspath(path) == str(directory):
            raise OSError(error, os.strerror(error), str(directory))
        return real(path)

    with mock.patch("os.scandir", refused):
        yield


@pytest.mark.parametrize("name", ["logs", "logs/task"])
@pytest.mark.parametrize("error", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_d03_unreadable_directory_is_said_and_recovers(
    tmp_path: Path, name: str, error: int
) -> None:
    """A directory that cannot be listed is named under `degraded` and in `/status`; the files in
    it that are known are read on, none is called deleted; when it can be listed again its new
    files are found and all is well.

    Catches: passing an unreadable directory over; dropping its files; never listing it again.
    """
    directory = tmp_path / name
    known, new = directory / "known.log", directory / "new.log"
    append(known, ["one"])
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        prefix = os.path.relpath(directory, tmp_path / "logs").replace(".", "") + "/"
        prefix = prefix.lstrip("/")
        with unreadable(directory, error):
            append(known, ["two"])
            append(new, ["three"])
            sidecar.pass_time(20)
            assert sidecar.messages(f"{prefix}known.log") == ["one", "two"]
            status = sidecar.status()
            [(path, problem)] = status["poll"]["unreadable_directories"].items()
            assert path == str(directory)
            assert problem.startswith(os.strerror(error))
            [degraded] = status["degraded"]
            assert str(directory) in degraded
            assert os.strerror(error) in degraded
        sidecar.pass_time(5)
        assert sidecar.messages(f"{prefix}new.log") == ["three"]
        assert sidecar.messages(f"{prefix}known.log") == ["one", "two"]
        assert sidecar.status()["degraded"] == []


def test_d03_unreadable_from_the_start(tmp_path: Path) -> None:
    """A root that was never readable is said, once in the log, and read when it is.

    Catches: taking a root that cannot be listed for one that is missing; a line a scan.
    """
    append(tmp_path / "logs/a.log", ["one"])
    with unreadable(tmp_path / "logs"), Shipping(tmp_path) as sidecar:
        with mock.patch("sidecar.sources.discovery.log") as log:
            sidecar.pass_time(10)
        assert log.warning.call_count == 1
        assert len(sidecar.status()["degraded"]) == 1
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        assert sidecar.messages("a.log") == ["one"]


@pytest.mark.parametrize("below", ["logs", "not/there/yet"])
def test_d03_root_that_appears_is_heard_of(tmp_path: Path, below: str) -> None:
    """A root that appears after the start is found because something above it was made, not
    because a poll was due: no time passes on the pump's clock. Its files are heard of as well, and
    when it is made anew too.

    Catches: looking for a missing root by polling alone; a watch that stays with the old root.
    """
    logs = tmp_path / below
    seldom = {"hot": "1h", "cold": "1h", "budget": 100_000}
    entry = {"include": [f"{logs}/**/*.log"], "timestamp": "arrival"}
    with Shipping(tmp_path, entry=entry, hears=True, poll=seldom) as sidecar:
        sidecar.step()
        append(logs / "a.log", ["one"])
        hear_until(sidecar, lambda: sidecar.messages("a.log") == ["one"])
        append(logs / "a.log", ["two"])
        hear_until(sidecar, lambda: sidecar.messages("a.log") == ["one", "two"])
        (logs / "a.log").unlink()
        logs.rmdir()
        sidecar.step(7200.0)  # that a root is gone only a scan tells
        sidecar.step()
        append(logs / "a.log", ["three"])
        hear_until(sidecar, lambda: sidecar.messages("a.log")[2:] == ["three"])


def hear_until(sidecar: Shipping, so: Callable[[], bool]) -> None:
    """Step only when the pump is woken, a fraction of a poll interval each, until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline, sidecar.messages("a.log")
        if sidecar.wake.wait(PATIENCE):
            for _ in range(4):
                sidecar.step()

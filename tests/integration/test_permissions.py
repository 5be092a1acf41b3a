"""S05: a real sidecar with no privileges: what it may not do it says in words that help.

Where the tests run as root, the sidecar runs as a root without the capabilities that override
permissions: to a file that is not its own it is then a user like any other.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/reports"

# capabilities(7): CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH and CAP_FOWNER; 24 is PR_CAPBSET_DROP.
WITHOUT_PRIVILEGES = (
    "import ctypes, os, sys\n"
    "for capability in (1, 2, 3): ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)\n"
    "os.execv(sys.argv[1], sys.argv[1:])"
)


class OrdinarySidecar(RunningSidecar):
    """`sidecar run` that no permission makes way for."""

    def __init__(self, folder: Path, settings: dict[str, Any], environ: dict[str, str]) -> None:
        super().__init__(folder, settings, environ)
        self._command = [sys.executable, "-c", WITHOUT_PRIVILEGES, *self._command]

    def ended(self) -> subprocess.CompletedProcess[str]:
        """Run it to its own end."""
        return subprocess.run(
            self._command, env=self._environment, capture_output=True, text=True, timeout=60
        )


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch."""
    with StrictCloudWatch() as double:
        yield double


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A directory in which nobody may do anything."""
    directory = tmp_path / "closed"
    directory.mkdir()
    directory.chmod(0o000)
    yield directory
    directory.chmod(0o700)


def settings_for(folder: Path) -> dict[str, Any]:
    """Settings for `folder`/logs/*.log."""
    (folder / "logs").mkdir(exist_ok=True)
    return {
        "state_dir": str(folder / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{folder}/logs/*.log"]}],
        "poll": {"hot": "100ms", "cold": "500ms"},
    }


def test_s05_state_directory_that_may_not_be_written(tmp_path: Path, closed: Path) -> None:
    """Status 2 and one line: the path, the user it was tried as, and what to do.

    Would catch: the OSError of a `mkdir` left to become a traceback.
    """
    settings = settings_for(tmp_path) | {"state_dir": str(closed / "state")}

    result = OrdinarySidecar(tmp_path, settings, {}).ended()

    assert result.returncode == 2, result.stderr
    said = [line for line in result.stderr.splitlines() if line.startswith("sidecar: ")]
    assert len(said) == 1
    assert str(closed) in said[0]
    assert "Permission denied" in said[0]
    assert f"let user {os.geteuid()} write" in said[0]
    assert "Traceback" not in result.stderr


def test_s05_log_that_may_not_be_read(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """It is shown as stuck with the reason, the others are shipped, and once it may be read it is
    shipped too, without a restart.

    Would catch: a file that cannot be opened taken for one that is not there.
    """
    settings = settings_for(tmp_path)
    secret, plain = tmp_path / "logs" / "secret.log", tmp_path / "logs" / "plain.log"
    secret.write_text("secret\n")
    secret.chmod(0o000)
    plain.write_text("plain\n")
    with OrdinarySidecar(tmp_path, settings, cloudwatch.environment()) as running:
        wait_for(lambda: (GROUP, "plain.log") in cloudwatch.streams())

        def stuck() -> list[dict[str, Any]]:
            return [each for each in running.status()["sources"] if each["state"] == "stuck"]

        wait_for(stuck)
        [shown] = stuck()
        assert shown["path"] == str(secret)
        assert "Permission denied" in shown["problem"]
        names_the_remedy(running, str(secret))
        secret.chmod(0o400)
        wait_for(lambda: (GROUP, "secret.log") in cloudwatch.streams())
        wait_for(lambda: cloudwatch.count(GROUP, "secret.log") == 1)
        assert running.terminate() == 0


def names_the_remedy(running: RunningSidecar, path: str) -> None:
    """It is said once in the log, and as long as it lasts under `degraded`."""

    def logged() -> list[dict[str, Any]]:
        return [line for line in running.log() if line.get("path") == path and "error" in line]

    def degraded() -> list[str]:
        return [each for each in running.status()["degraded"] if path in each]

    wait_for(lambda: logged() and degraded())
    [said], [shown] = logged(), degraded()
    for text in (said["error"], shown):
        assert f"Permission denied; let uid {os.geteuid()} gid {os.getegid()} read it" in text


def test_s05_directory_that_may_not_be_read(
    tmp_path: Path, closed: Path, cloudwatch: StrictCloudWatch
) -> None:
    """What lies in it cannot be seen; it is named with what to do, the others are shipped, and
    once it may be read so are its files.

    Would catch: a directory that cannot be listed passed over in silence.
    """
    settings = settings_for(tmp_path)
    settings["logs"][0]["include"].append(f"{closed}/*.log")
    (tmp_path / "logs" / "plain.log").write_text("plain\n")
    with OrdinarySidecar(tmp_path, settings, cloudwatch.environment()) as running:
        wait_for(lambda: (GROUP, "plain.log") in cloudwatch.streams())
        names_the_remedy(running, str(closed))
        closed.chmod(0o700)
        (closed / "in.log").write_text("in\n")
        wait_for(lambda: (GROUP, "in.log") in cloudwatch.streams())
        wait_for(lambda: running.status()["degraded"] == [])
        assert running.terminate() == 0
        assert cloudwatch.messages(GROUP, "in.log") == ["in"]


@pytest.mark.parametrize("rotated", [False, True])
def test_s05_log_that_may_not_be_read_any_more(
    tmp_path: Path, cloudwatch: StrictCloudWatch, rotated: bool
) -> None:
    """A file that was read before, and whose permission was taken while the sidecar was down: it is
    named with what to do, and read on once it may be, from where it was.

    Would catch: a known file that cannot be opened given up, or read from its beginning.
    """
    settings = settings_for(tmp_path)
    path = tmp_path / "logs" / "a.log"
    path.write_text("one\n")
    running = OrdinarySidecar(tmp_path, settings, cloudwatch.environment())
    with running:
        wait_for(lambda: (GROUP, "a.log") in cloudwatch.streams())
        assert running.terminate() == 0
    with path.open("a") as file:
        file.write("two\n")
    path.chmod(0o000)
    if rotated:
        path = path.rename(tmp_path / "logs" / "a.log.1")
        (tmp_path / "logs" / "a.log").write_text("three\n")
    with running:
        names_the_remedy(running, str(path))
        path.chmod(0o400)
        wait_for(lambda: cloudwatch.count(GROUP, "a.log") == 2 + rotated)
        wait_for(lambda: running.status()["degraded"] == [])
        assert running.terminate() == 0
    assert cloudwatch.count(GROUP, "a.log") == 2 + rotated


def test_s05_nothing_is_written_but_the_state(
    tmp_path: Path, closed: Path, cloudwatch: StrictCloudWatch
) -> None:
    """With no home, no temporary directory and a volume it may only read, it ships and drains.

    Would catch: anything written outside of the state directory.
    """
    settings = settings_for(tmp_path)
    (tmp_path / "logs" / "a.log").write_text("one\n")
    (tmp_path / "logs" / "a.log").chmod(0o444)
    (tmp_path / "logs").chmod(0o555)
    (tmp_path / "state").mkdir()
    environ = {name: str(closed) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    running = OrdinarySidecar(tmp_path, settings, environ | cloudwatch.environment())
    running.log_path.touch()
    tmp_path.chmod(0o555)
    try:
        with running:
            wait_for(lambda: (GROUP, "a.log") in cloudwatch.streams())
            wait_for(lambda: running.status()["backlog"]["bytes"] == 0)
            assert running.terminate() == 0
    finally:
        tmp_path.chmod(0o700)
        (tmp_path / "logs").chmod(0o700)

    assert cloudwatch.messages(GROUP, "a.log") == ["one"]

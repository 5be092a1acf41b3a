"""The demo, run as a person runs it."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.running_sidecar import wait_for

ROOT = Path(__file__).resolve().parents[2]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")


class Started:
    """`python -m tests.demo` in a session of its own; its parts stay in that session."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        self._output = folder / "output"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.demo", *arguments],
                cwd=ROOT,
                env={**os.environ, "TMPDIR": str(self.scratch), "KEEP": ""},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        return self._output.read_text()

    def until(self, pattern: str) -> None:
        """Returns once the demo has said it; fails when it ends before."""
        wait_for(lambda: re.search(pattern, self.output) or self.process.poll() is not None)
        assert re.search(pattern, self.output), self.output

    def parts(self) -> list[int]:
        """Process ids of the session's other members."""
        pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
        return [pid for pid in pids if pid != self.process.pid and self._is_ours(pid)]

    def _is_ours(self, pid: int) -> bool:
        try:
            return os.getsid(pid) == self.process.pid
        except ProcessLookupError:
            return False

    def end(self) -> None:
        """Whatever is left of it."""
        for pid in self.parts():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[Started]:
    demo = Started(folder, *arguments)
    try:
        yield demo
    finally:
        demo.end()


def number(row: str, output: str) -> int:
    """The first number of a row of the summary."""
    found = re.search(rf"^ *{re.escape(row)} +([\d,]+)", output, re.MULTILINE)
    assert found, output
    return int(found[1].replace(",", ""))


@linux_only
def test_it_ends_by_itself_with_every_line_stored_once(tmp_path: Path) -> None:
    """With --seconds: status 0, a table whose counts agree, nothing left behind."""
    with started(tmp_path, "--seconds", "6") as demo:
        assert demo.process.wait(100) == 0, demo.output
        assert number("lines written", demo.output) > 50
        assert number("events stored", demo.output) == number("lines written", demo.output)
        assert number("lost", demo.output) == number("duplicated", demo.output) == 0
        assert number("artifacts written", demo.output) >= 3
        assert number("artifacts shipped", demo.output) == number("artifacts written", demo.output)
        assert number("write to stored, p99", demo.output) > 0
        assert len(re.findall(r"page +http://127\.0\.0\.1:\d+/", demo.output)) == 2
        assert demo.parts() == []
        assert list(demo.scratch.iterdir()) == []


@linux_only
def test_busy_ports_are_no_obstacle(tmp_path: Path) -> None:
    """Where the usual ports are taken it says so in a word and takes free ones."""
    with ExitStack() as taken:
        for port in (8000, 9464):
            with suppress(OSError):
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
        with started(tmp_path, "--seconds", "1") as demo:
            demo.until("traffic for")
            assert "port 8000 and 9464 busy" in demo.output


@linux_only
def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    """The first SIGINT stops traffic, app and sidecar, and compares what there is."""
    with started(tmp_path) as demo:
        # More than one a visitor: the first of one of them has become an artifact.
        demo.until(r"([4-9]|\d\d+) uploads")
        demo.process.send_signal(signal.SIGINT)
        assert demo.process.wait(100) == 0, demo.output
        assert number("events stored", demo.output) == number("lines written", demo.output)
        assert demo.parts() == []
        assert list(demo.scratch.iterdir()) == []


@linux_only
@pytest.mark.parametrize("said", ["starting", "traffic until", "stopping"])
def test_ctrl_c_twice_ends_it_at_once(tmp_path: Path, said: str) -> None:
    """In the middle of anything: no process and no file is left, and there is no traceback."""
    with started(tmp_path) as demo:
        if said == "stopping":
            demo.until("traffic until")
            demo.process.send_signal(signal.SIGINT)
        demo.until(said)
        # A signal that is pending is not queued a second time: again and again, until it is gone.
        wait_for(lambda: send_again(demo.process) is not None)
        assert demo.process.wait(100) == 130, demo.output
        assert "Traceback" not in demo.output
        assert demo.parts() == []
        assert list(demo.scratch.iterdir()) == []


@linux_only
def test_its_parts_do_not_outlive_it(tmp_path: Path) -> None:
    """SIGKILL of the demo ends what it started."""
    with started(tmp_path) as demo:
        demo.until("traffic until")
        assert len(demo.parts()) >= 3
        demo.process.kill()
        demo.process.wait()
        wait_for(lambda: demo.parts() == [])


@linux_only
def test_it_says_which_part_died(tmp_path: Path) -> None:
    """A part that ends by itself ends the demo with status 1 and that part's last words."""
    with started(tmp_path) as demo:
        demo.until("traffic until")
        (app,) = [pid for pid in demo.parts() if command(pid).endswith("-m app")]
        os.kill(app, signal.SIGKILL)
        assert demo.process.wait(100) == 1
        assert "app ended by itself, status -9" in demo.output
        assert demo.parts() == []


def send_again(process: subprocess.Popen[bytes]) -> int | None:
    """One more SIGINT, unless the process has ended: its status then."""
    process.send_signal(signal.SIGINT)
    return process.poll()


def command(pid: int) -> str:
    """A process's command line."""
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()

"""The demo's main path: start, let visitors in, stop in order, compare."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.demo import written
from tests.demo.child import Failed
from tests.demo.comparison import compare
from tests.demo.display import Progress, progress_line, summary
from tests.demo.interruption import Abandoned, Interruption
from tests.demo.stack import Stack
from tests.demo.stored import Stored
from tests.demo.visitor import Digests, Visitor

CLEAN, FAILED, ABANDONED = 0, 1, 130
VISITORS = 3
LOOK_SECONDS = 0.2

# Small enough to rotate a few times in a short demo; large enough to last for hours in a long one.
SHORT_LOG_BYTES = 32 * 1024
LONG_LOG_BYTES = 256 * 1024


def run(arguments: Sequence[str], interruption: Interruption) -> int:
    """The exit status."""
    options = parse(arguments)
    folder = Path(tempfile.mkdtemp(prefix="sidecar-demo-"))
    progress = Progress()
    try:
        demo = Demo(folder, options.seconds, interruption, progress)
        return demo.run()
    except Failed as failure:
        progress.say(f"demo: {failure}")
        return FAILED
    except BrokenPipeError:
        # Whoever read along has gone; what Python still holds for them must not fail at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Abandoned:
        progress.say("demo: ended before there was anything to compare")
        return ABANDONED
    finally:
        if os.environ.get("KEEP"):
            progress.say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.demo", description=__doc__)
    parser.add_argument("--seconds", type=float, help="of traffic; default: until Ctrl-C")
    return parser.parse_args(arguments)


class Demo:
    """One run on a scratch volume in `folder`."""

    def __init__(
        self, folder: Path, seconds: float | None, interruption: Interruption, progress: Progress
    ) -> None:
        self._seconds = seconds
        self._interruption = interruption
        self._progress = progress
        self._stack = Stack(
            folder,
            log_max_bytes=LONG_LOG_BYTES if seconds is None else SHORT_LOG_BYTES,
            check=interruption.check,
        )
        self._visitors: list[Visitor] = []

    def run(self) -> int:
        """Raises Failed and Abandoned; leaves no process in any case."""
        try:
            self._start()
            self._go_on()
            self._stop()
            return self._compare()
        finally:
            self._interruption.over()
            self._stack.kill()

    def _start(self) -> None:
        self._progress.say("starting CloudWatch (moto's server), the sidecar and the app")
        self._stack.start()
        self._stored = Stored(self._stack.endpoint)
        if moved := self._stack.moved():
            self._progress.say(moved)
        self._progress.say(f"app      {self._stack.app_url}/")
        self._progress.say(f"sidecar  {self._stack.sidecar_url}/")
        until = "until Ctrl-C" if self._seconds is None else f"for {self._seconds:g} seconds"
        self._progress.say(f"traffic {until}")

    def _go_on(self) -> None:
        """Until the time is over, Ctrl-C, or something is wrong."""
        began = time.monotonic()
        for number in range(VISITORS):
            self._visitors.append(Visitor(number, self._stack.app_url, self._have_arrived))
            self._visitors[-1].start()
        while not self._interruption.asked.wait(LOOK_SECONDS):
            seconds = time.monotonic() - began
            self._stack.expect_alive()
            self._expect_no_trouble()
            if self._seconds is not None and seconds >= self._seconds:
                break
            if not self._stack.keeps_every_line():
                self._progress.say("ending: the app would soon delete its oldest log file")
                break
            if self._progress.is_due():
                self._show(seconds)

    def _stop(self) -> None:
        """The order in which a task stops: traffic, the app, the sidecar, which drains."""
        self._progress.say("stopping: the traffic, the app, then the sidecar, which drains")
        for visitor in self._visitors:
            visitor.ask_to_leave()
        for visitor in self._visitors:
            visitor.wait()
        self._expect_no_trouble()
        self._stack.stop_app()
        self._stack.stop_sidecar()

    def _compare(self) -> int:
        lines = written.lines(self._stack.volume)
        deleted: Digests = {}
        for visitor in self._visitors:
            deleted |= visitor.deleted
        result = compare(
            lines.times,
            written.artifacts(self._stack.volume) | deleted,
            self._stored.lines(),
            self._stored.versions(),
        )
        self._progress.say(
            summary(
                result,
                log_files=lines.files,
                deleted=len(deleted),
                app_url=self._stack.app_url,
                sidecar_url=self._stack.sidecar_url,
            )
        )
        return CLEAN if result.is_clean else FAILED

    def _expect_no_trouble(self) -> None:
        for visitor in self._visitors:
            if visitor.trouble is not None:
                # A visitor sees a dead app first; the app's own last words say more.
                self._stack.expect_alive()
                raise Failed(f"the app did what it must not: {visitor.trouble}")

    def _have_arrived(self, artifacts: Digests) -> bool:
        return all(self._stored.has_artifact(name) for name in artifacts)

    def _show(self, seconds: float) -> None:
        requests = sum(visitor.requests for visitor in self._visitors)
        uploads = sum(visitor.uploads for visitor in self._visitors)
        self._progress.show(progress_line(seconds, requests, uploads, self._status()))

    def _status(self) -> dict[str, Any] | None:
        """The sidecar's; None when it does not answer in time."""
        try:
            answer = httpx.get(f"{self._stack.sidecar_url}/status", timeout=2.0, trust_env=False)
            found: dict[str, Any] = answer.json()
        except (httpx.HTTPError, ValueError):
            return None
        return found

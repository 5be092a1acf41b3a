"""Several real sidecars on one volume, each of a task of its own, and one strict CloudWatch."""

from __future__ import annotations

import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/reports"


class Fleet:
    """Starts sidecars by their task's id; ends them all with the block.

    `entry` are more keys of the one `logs` entry, `settings` more top-level keys, `environment`
    more variables.
    """

    def __init__(
        self,
        volume: Path,
        cloudwatch: StrictCloudWatch,
        *,
        entry: dict[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.volume = volume
        self.logs = volume / "logs"
        self.members: dict[str, RunningSidecar] = {}
        self._environment = cloudwatch.environment() | dict(environment or {})
        self._settings = {
            "state_dir": str(volume / "state"),
            "log_group": GROUP,
            "logs": [{"include": [f"{volume}/logs/**/*.log"]} | (entry or {})],
            "poll": {"hot": "100ms", "cold": "1s", "budget": 500},
            "drain": {"quiet": "100ms", "deadline": "60s"},
        } | settings

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for member in self.members.values():
            member.kill()

    def start(self, task: str, *, module: str = "sidecar") -> RunningSidecar:
        """A sidecar of this task, once it has looked at everything.

        `module` runs in the place of the product, and is to run that in the end.
        """
        folder = self.volume.parent / task
        folder.mkdir(exist_ok=True)
        environment = self._environment | {"SIDECAR_LOG_LEVEL": "debug"}
        member = RunningSidecar(folder, self._settings | {"task": task}, environment)
        member._command[:3] = [sys.executable, "-m", module]
        self.members[task] = member
        member.start()
        wait_for(lambda: _is_ready(member))
        return member

    def signal(self, task: str, number: signal.Signals) -> None:
        """Send it a signal; SIGKILL is waited for."""
        process = self.members[task].process
        assert process is not None
        process.send_signal(number)
        if number is signal.SIGKILL:
            process.wait()

    def statuses(self, tasks: Iterable[str]) -> list[dict[str, Any]]:
        return [self.members[task].status() for task in tasks]


def _is_ready(member: RunningSidecar) -> bool:
    try:
        with urllib.request.urlopen(f"{member.url}/readyz", timeout=10):
            return True
    except urllib.error.HTTPError:
        return False


def are_settled(paths: Iterable[Path], *members: RunningSidecar) -> bool:
    """Has each of these files been acknowledged to its end, by one of these members?"""
    known: dict[str, int] = {}
    for member in members:
        for source in member.status()["sources"]:
            known[source["path"]] = max(known.get(source["path"], 0), source["acknowledged"])
    return all(known.get(str(path)) == path.stat().st_size for path in paths)


def owners(*members: RunningSidecar) -> dict[str, list[str]]:
    """Who says to own which path."""
    found: dict[str, list[str]] = {}
    for member in members:
        for source in member.status()["sources"]:
            found.setdefault(source["path"], []).append(source["owner"])
    return found


def shown(cloudwatch: StrictCloudWatch, stream: str) -> list[str]:
    """The messages as CloudWatch shows them: by their time, whichever request came first."""
    events = sorted(cloudwatch.events(GROUP, stream), key=lambda event: event.timestamp)
    return [event.message for event in events]

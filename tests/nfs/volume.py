"""A test's own folder on the volume: who wrote what there, and the sidecars that ship it."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.nfs import files
from tests.nfs.hosts import VOLUME, Host
from tests.nfs.verdict import complaints
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar

GROUP = "/ecs/volume"

PATIENCE = 120.0
"""Seconds for anything to come true: a lease, a take-over and a network's return are in it."""

ASK_SECONDS = 0.25
"""Between two questions: the guest has one processor, and the sidecars need it."""


def eventually(condition: Callable[[], object]) -> None:
    """Return when the condition holds; it must within `PATIENCE`."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {condition}"
        time.sleep(ASK_SECONDS)


class HostSidecar(RunningSidecar):
    """A sidecar on one of the hosts, which is asked over that host's loopback."""

    def __init__(self, host: Host, folder: Path, *arguments: Any) -> None:
        super().__init__(folder, *arguments, prefix=host.enter)
        self.host = host
        self.task = folder.name

    def __exit__(self, *_: object) -> None:
        # What waits for a server in vain cannot be killed.
        self.host.join()
        super().__exit__()

    def get_json(self, path: str) -> dict[str, Any]:
        with self.host.network():
            return super().get_json(path)

    @property
    def operations(self) -> int:
        """How many metadata operations its looks have cost so far."""
        spent: int = self.status()["totals"]["metadata_operations"]
        return spent

    def size_of(self, path: str) -> int:
        """How large it believes the file to be; -1 where it knows none."""
        sizes = [each["size"] for each in self.status()["sources"] if each["path"] == path]
        return sizes[0] if sizes else -1

    def freeze(self) -> None:
        """SIGSTOP: from now on it does nothing, and its clocks go on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def spend(self, operations: int) -> None:
        """Return when its looks have cost so many more."""
        before = self.operations
        eventually(lambda: self.operations >= before + operations)

    @property
    def delivered(self) -> int:
        """How many events CloudWatch has acknowledged to it."""
        events: int = self.status()["totals"]["events_delivered"]
        return events

    @property
    def partial_bytes(self) -> int:
        """What it has seen of lines that have not ended."""
        return sum(source["partial_bytes"] for source in self.status()["sources"])


class Volume:
    """logs/ and the state directory .sidecar/, in a folder that no other test uses.

    `written` is by stream, which is a file's name below logs/; whoever renames files or removes
    lines by other ways than `write` notes here what is to be shipped nevertheless.
    """

    def __init__(self, name: str, scratch: Path, cloudwatch: StrictCloudWatch, maker: Host) -> None:
        self.folder = VOLUME / name
        self.logs = self.folder / "logs"
        self.state = self.folder / ".sidecar"
        self.written: defaultdict[str, list[str]] = defaultdict(list)
        self.sidecars: list[HostSidecar] = []
        self._cloudwatch = cloudwatch
        self._scratch = scratch
        maker.do(os.makedirs, str(self.logs))

    def path(self, name: str) -> str:
        return str(self.logs / name)

    def lines(self, stream: str, count: int) -> list[str]:
        """The stream's next lines, noted as written: each says its place."""
        first = len(self.written[stream])
        lines = [f"{stream} line {number:06d}" for number in range(first, first + count)]
        self.written[stream] += lines
        return lines

    def write(self, host: Host, stream: str, count: int) -> None:
        """A writer on this host appends the next lines to the file of the stream, with fsync."""
        host.do(files.append, self.path(stream), self.lines(stream, count))

    def sidecar(self, host: Host, **changes: Any) -> HostSidecar:
        """One more sidecar for this folder, a task of its own; not started yet."""
        task = f"task-{host.name}{len(self.sidecars)}"
        folder = self._scratch / task
        folder.mkdir()
        settings: dict[str, Any] = {
            "state_dir": str(self.state),
            "log_group": GROUP,
            "logs": [{"include": [f"{self.logs}/**/*.log"]}],
            "poll": {"hot": "200ms"},
            "drain": {"quiet": "1s", "deadline": "60s"},
        }
        environment = self._cloudwatch.environment() | {"SIDECAR_TASK": task}
        sidecar = HostSidecar(host, folder, settings | changes, environment)
        self.sidecars.append(sidecar)
        return sidecar

    def stored(self) -> dict[str, list[str]]:
        """The messages by stream, in the order CloudWatch shows: by time."""
        return {
            stream: [event.message for event in sorted(events, key=lambda event: event.timestamp)]
            for (_, stream), events in self._cloudwatch.all_events().items()
        }

    def missing(self, *streams: str) -> Counter[str]:
        """The lines that CloudWatch does not hold yet, of these streams or of all."""
        stored = self.stored()
        missing: Counter[str] = Counter()
        for stream in streams or tuple(self.written):
            missing += Counter(self.written[stream]) - Counter(stored.get(stream, ()))
        return missing

    def wait_until_shipped(self) -> None:
        """Until CloudWatch holds every line written so far."""
        written = sum(map(len, self.written.values()))
        # Counted first: to compare them takes the guest's one processor from the sidecars.
        self.wait_until(
            lambda: self._cloudwatch.count() >= written and not self.missing(),
            lambda: f"{self.missing().total()} missing",
        )

    def wait_until(
        self, holds: Callable[[], bool], otherwise: Callable[[], str] = lambda: "not so"
    ) -> None:
        """Look again at each request to CloudWatch, until it holds."""
        assert self._cloudwatch.wait_until(holds, PATIENCE), (otherwise(), self.complaints())

    def complaints(self) -> list[str]:
        """What is wrong with what CloudWatch holds now."""
        return complaints(self.written, self.stored())

    def end(self) -> None:
        """Kill every sidecar, and print what each said was wrong, and what it said at last."""
        for sidecar in self.sidecars:
            sidecar.kill()
            print(sidecar.task)
            if sidecar.log_path.exists():
                said = sidecar.log_path.read_text(errors="replace").splitlines()
                print(*(line for line in said[:-30] if '"level":"error"' in line), sep="\n")
                print(*said[-30:], sep="\n")

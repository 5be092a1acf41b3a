"""R11: the real logrotate, in front of a real sidecar that is stopped and killed meanwhile.

LOGROTATE_SECONDS, LOGROTATE_FILES and LOGROTATE_BYTES (a second, over all files) make it longer and
harder than what every run of CI can afford.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

GROUP = "/ecs/reports"
SECONDS = float(os.environ.get("LOGROTATE_SECONDS", "8"))
FILES = int(os.environ.get("LOGROTATE_FILES", "4"))
BYTES_PER_SECOND = int(os.environ.get("LOGROTATE_BYTES", "1_000_000"))
PAUSE = 1.5
"""Seconds from one rotation to the next."""

MODES = {
    "create": "create 0644",
    "create, compress": "create 0644\n compress",
    "create, compress, delaycompress": "create 0644\n compress\n delaycompress",
    "create, dateext": "create 0644\n dateext\n dateformat -%Y%m%d-%s",
    "create, dateext, compress": "create 0644\n dateext\n dateformat -%Y%m%d-%s\n compress",
    "copytruncate": "copytruncate",
    "copytruncate, compress": "copytruncate\n compress",
    "copytruncate, compress, delaycompress": "copytruncate\n compress\n delaycompress",
}


@dataclass
class Load:
    """Writers, one a file, and the times at which logrotate was at work."""

    logs: Path
    rules: Path
    until: float
    written: Counter[str] = field(default_factory=Counter)
    at_risk: set[str] = field(default_factory=set)
    """Lines written while logrotate ran, which it may lose by itself."""
    rotating: bool = False
    rotations: int = 0

    def write(self, number: int) -> None:
        log, line = self.logs / f"{number}.log", 0
        began = time.monotonic()
        while (now := time.monotonic()) < self.until:
            lines = [f"{number} {line + each:08d} " + "x" * 90 for each in range(50)]
            line += 50
            rotations, risky = self.rotations, self.rotating
            with log.open("a") as file:
                file.write("".join(f"{each}\n" for each in lines))
            if risky or self.rotating or self.rotations != rotations:
                self.at_risk.update(lines)
            self.written.update(lines)
            due = began + line * 101 * FILES / BYTES_PER_SECOND
            time.sleep(max(0.0, due - now))

    def rotate(self) -> None:
        state = self.rules.with_name("logrotate.state")
        command = ["logrotate", "--force", "--state", str(state), str(self.rules)]
        while self.rotations < 3 or time.monotonic() < self.until - 1:
            time.sleep(PAUSE)
            self.rotating = True
            subprocess.run(command, check=True, capture_output=True)
            time.sleep(0.01)
            self.rotations += 1
            self.rotating = False


@pytest.mark.timeout(120 + 4 * SECONDS)
@pytest.mark.parametrize("kills", [False, True], ids=["stops", "kills"])
@pytest.mark.parametrize("mode", MODES)
def test_r11_logrotate_loses_and_doubles_nothing(tmp_path: Path, mode: str, kills: bool) -> None:
    """Every line that is on the volume arrives over many rotations and three stops or kills, and
    none twice.

    What logrotate loses by itself is on no volume: what is written between its copy and its
    truncation, or to a renamed file that gzip has read already.

    Catches: taking a copy or an archive for a new file; reading a truncated file on from where it
    stood; passing over the archive of what was not read.
    """
    logs = tmp_path / "logs"
    logs.mkdir()
    rules = tmp_path / "rules"
    rules.write_text(f"{logs}/*.log {{\n rotate 1000\n {MODES[mode]}\n}}\n")
    for number in range(FILES):
        (logs / f"{number}.log").touch()
    settings = {
        "state_dir": str(tmp_path / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{logs}/*.log"]}],
        "drain": {"deadline": "2s", "quiet": "500ms"},
    }
    with StrictCloudWatch() as cloudwatch:
        sidecar = RunningSidecar(tmp_path, settings, cloudwatch.environment())
        with sidecar:
            load = Load(logs, rules, time.monotonic() + SECONDS)
            threads = [threading.Thread(target=load.write, args=(each,)) for each in range(FILES)]
            threads.append(threading.Thread(target=load.rotate))
            for thread in threads:
                thread.start()
            for life in range(1, 4):
                time.sleep(SECONDS / 5)
                if kills:
                    sidecar.kill()
                else:
                    # The writers go on: its deadline may end the drain, and the next run resumes.
                    assert sidecar.terminate() in (0, 3)
                time.sleep(SECONDS / 20)
                if life == 3:
                    sidecar.configure(settings | {"drain": {"deadline": "2m", "quiet": "500ms"}})
                sidecar.start()
            for thread in threads:
                thread.join()
            wait_for(lambda: sidecar.status()["backlog"]["bytes"] == 0, patience=120.0)
            assert sidecar.terminate(150.0) == 0
        stored = Counter(
            event.message for events in cloudwatch.all_events().values() for event in events
        )
        assert cloudwatch.violations == []
    assert load.rotations > 2
    missing = set(load.written - stored)
    lost = missing & (lines_below(logs) | (set(load.written) - load.at_risk))
    assert not lost, f"{len(lost)} lost: {sorted(lost)[:3]}"
    torn = set(stored) - set(load.written)
    assert "copytruncate" in mode or not torn
    twice = set(stored - load.written) - torn
    assert not twice, f"{len(twice)} twice: {sorted(twice)[:3]}"


def lines_below(logs: Path) -> set[str]:
    """What lies in all files and archives."""
    found: set[str] = set()
    for path in logs.iterdir():
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
        found.update(text.decode().split("\n"))
    return found

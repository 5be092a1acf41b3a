"""The real logrotate, in front of a real sidecar that is killed once."""

import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar

GROUP = "/ecs/reports"
LINES = 30_000
ROTATIONS = 4
LOST_BY_COPYTRUNCATE = 200
"""Lines that may fall between the copy and the truncation, each time: four writes."""


@pytest.mark.parametrize("mode", ["create", "copytruncate"])
def test_r11_logrotate_loses_nothing(tmp_path: Path, mode: str) -> None:
    """Every line arrives over four rotations and a kill; by renaming, what is twice was counted.

    copytruncate is held to less: it loses by itself what is written between its copy and its
    truncation, and a copy may be shipped again (ARCHITECTURE.md, Known limitations).

    Catches: taking a rotated file for a new one; reading a truncated file on from where it stood.
    """
    log = tmp_path / "logs" / "app.log"
    log.parent.mkdir()
    log.touch()
    rules = tmp_path / "rules"
    rules.write_text(f"{log} {{\n  rotate 9\n  {mode if mode != 'create' else 'create 0644'}\n}}\n")
    written: Counter[str] = Counter()

    def write() -> None:
        for number in range(0, LINES, 50):
            lines = [f"line {number + each:06d} " + "x" * 80 for each in range(50)]
            written.update(lines)
            with log.open("a") as file:
                file.write("".join(f"{line}\n" for line in lines))
            time.sleep(0.005)

    settings = {
        "state_dir": str(tmp_path / "state"),
        "log_group": GROUP,
        "logs": [{"include": [f"{tmp_path}/logs/*.log"]}],
    }
    with StrictCloudWatch() as cloudwatch:
        sidecar = RunningSidecar(tmp_path, settings, cloudwatch.environment())
        with sidecar:
            writer = threading.Thread(target=write)
            writer.start()
            for rotation in range(ROTATIONS):
                time.sleep(0.6)
                rotate(tmp_path, rules)
                if rotation == 1:
                    sidecar.kill()
                    sidecar.start()
            writer.join()
            assert sidecar.terminate() == 0
            events = cloudwatch.messages(GROUP, "app.log")
            counted = sum(
                line["events"] for line in sidecar.log() if line["event"] == "batch_outcome_unknown"
            )
    stored = Counter(events)
    if mode == "create":
        assert not written - stored
        assert (stored - written).total() <= counted
    assert len(written - stored) <= ROTATIONS * LOST_BY_COPYTRUNCATE
    assert not set(stored) - set(written)


def rotate(folder: Path, rules: Path) -> None:
    command = ["logrotate", "--force", "--state", str(folder / "logrotate.state"), str(rules)]
    subprocess.run(command, check=True, capture_output=True)

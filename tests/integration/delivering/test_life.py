"""S01-S04, S06, and an unusable state directory, through real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests.integration.commands.shell import sidecar as run_to_its_end
from tests.integration.delivering.stepped import GROUP, append, fates_add_up
from tests.integration.delivering.test_restarts import is_settled, numbered, running, text
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import PATIENCE, wait_for


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch that must see nothing unlawful."""
    with StrictCloudWatch() as double:
        yield double
        assert double.violations == []


def holds(cloudwatch: StrictCloudWatch, line: str) -> bool:
    """Is this line stored?"""
    return line in cloudwatch.messages(GROUP, "a.log")


def test_s01_sigterm_while_the_app_writes_on(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """What the app writes after SIGTERM, its last line included, is shipped; then status 0.

    Catches: a drain that stops reading at the signal.
    """
    path = tmp_path / "logs" / "a.log"
    lines = numbered(0, 20)
    append(path, text(lines[:1]))
    with running(tmp_path, cloudwatch, drain={"quiet": "1s", "deadline": "60s"}) as sidecar:
        wait_for(lambda: is_settled(sidecar, path))
        assert sidecar.process is not None
        sidecar.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "drain_began" in sidecar.events())
        for line in lines[1:]:
            append(path, text([line]))
            wait_for(partial(holds, cloudwatch, line))
        assert sidecar.process.wait(PATIENCE) == 0

    assert cloudwatch.messages(GROUP, "a.log") == lines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_s01_idle_sidecar_ends_with_status_0(
    tmp_path: Path, cloudwatch: StrictCloudWatch, number: signal.Signals
) -> None:
    """With nothing to ship either signal ends it cleanly. Catches: SIGINT left to Python."""
    (tmp_path / "logs").mkdir()
    with running(tmp_path, cloudwatch) as sidecar:
        assert sidecar.process is not None
        sidecar.process.send_signal(number)
        assert sidecar.process.wait(PATIENCE) == 0
        assert "not JSON" not in sidecar.events()


def test_s02_sigterm_during_an_outage_keeps_the_checkpoint(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """At the deadline it ends with status 3 and says which bytes are left; the next run has them.

    Catches: a drain that counts what it could not send as sent, or that waits without end.
    """
    path = tmp_path / "logs" / "a.log"
    append(path, "one\n")
    sidecar = running(tmp_path, cloudwatch, drain={"quiet": "100ms", "deadline": "1s"})
    with sidecar:
        wait_for(lambda: is_settled(sidecar, path))
        cloudwatch.faults.add("down")
        left = append(path, "two\nthree\n")
        wait_for(lambda: sidecar.status()["backlog"]["bytes"] == len(left))
        assert sidecar.terminate() == 3
        said = sidecar.log_path.read_text(encoding="utf-8")
        assert f"{path} ({len(left)} bytes)" in said
    cloudwatch.faults.clear()
    with sidecar:
        wait_for(lambda: is_settled(sidecar, path))
        fates_add_up(sidecar.status(), path)
        assert sidecar.terminate() == 0

    assert cloudwatch.messages(GROUP, "a.log") == ["one", "two", "three"]


def test_s03_second_signal_ends_at_once(tmp_path: Path, cloudwatch: StrictCloudWatch) -> None:
    """A second SIGTERM ends a drain that cannot finish, with status 3; the next run delivers.

    Catches: a second signal that is ignored (the test would run into its patience).
    """
    path = tmp_path / "logs" / "a.log"
    append(path, "one\n")
    cloudwatch.faults.add("down")
    sidecar = running(tmp_path, cloudwatch, drain={"quiet": "100ms", "deadline": "10m"})
    with sidecar:
        wait_for(lambda: sidecar.status()["degraded"])
        assert sidecar.process is not None
        sidecar.process.send_signal(signal.SIGTERM)
        wait_for(lambda: sidecar.status()["state"] == "draining")
        assert sidecar.terminate() == 3
    cloudwatch.faults.clear()
    with sidecar:
        wait_for(lambda: is_settled(sidecar, path))
        assert sidecar.terminate() == 0

    assert cloudwatch.messages(GROUP, "a.log") == ["one"]


def test_s03_signal_during_the_start_is_no_traceback(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """A stop asked for while it is still starting ends it with status 0, without a traceback.

    Catches: handlers that are installed only when everything is built.
    """
    append(tmp_path / "logs" / "a.log", "one\n")
    sidecar = running(tmp_path, cloudwatch)
    process = subprocess.Popen(
        [sys.executable, "-m", "sidecar", "run", "--config", str(sidecar.config)],
        env={**os.environ, **cloudwatch.environment()},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:

        def listens() -> bool:
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
            mask = next(line for line in status.splitlines() if line.startswith("SigCgt"))
            return bool(int(mask.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

        wait_for(listens)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert "Traceback" not in said
    assert process.returncode == 0, said


def test_s04_health_and_metrics_answer_while_saturated(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """With CloudWatch down from the start and 20 MB waiting, every page answers.

    An outage is no reason to restart: /healthz is 200 and names it. Catches: a status that waits
    for the pump without bound, or a health check that fails in an outage.
    """
    cloudwatch.faults.add("down")
    for number in range(4):
        append(tmp_path / "logs" / f"{number}.log", text(numbered(0, 25_000, "x" * 180)))
    with running(tmp_path, cloudwatch) as sidecar:
        assert sidecar.status()["state"] == "running"
        wait_for(lambda: any("unreachable" in each for each in sidecar.status()["degraded"]))
        for path in ("/healthz", "/readyz", "/metrics", "/status", "/"):
            with urllib.request.urlopen(sidecar.url + path, timeout=10) as answer:
                assert answer.status == 200
                assert answer.read()
        assert any("unreachable" in each for each in sidecar.get_json("/healthz")["degraded"])


@pytest.mark.parametrize("how", ["SIGHUP", "POST /reload"])
def test_s06_reload_takes_new_globs_and_keeps_offsets(
    tmp_path: Path, cloudwatch: StrictCloudWatch, how: str
) -> None:
    """Changed globs are taken in without a restart; what was read before is not read again.

    A broken configuration is refused and the old one stays. Catches: a reload that forgets the
    sources, or one that ends the process for a typing mistake.
    """
    old, new = tmp_path / "logs" / "old.log", tmp_path / "more" / "new.log"
    append(old, "one\n")
    append(new, "two\n")
    with running(tmp_path, cloudwatch) as sidecar:
        wait_for(lambda: is_settled(sidecar, old))

        def reload(config: str) -> None:
            sidecar.config.write_text(config, encoding="utf-8")
            if how == "SIGHUP":
                assert sidecar.process is not None
                sidecar.process.send_signal(signal.SIGHUP)
            else:
                request = urllib.request.Request(sidecar.url + "/reload", method="POST")
                with urllib.request.urlopen(request, timeout=10) as answer:
                    assert answer.status < 300

        before = sidecar.config.read_text(encoding="utf-8")
        reload("nonsense: true\n")
        wait_for(lambda: "reload_refused" in sidecar.events())
        settings = yaml.safe_load(before)
        settings["logs"][0]["include"].append(f"{tmp_path}/more/*.log")
        reload(yaml.safe_dump(settings))
        append(old, "three\n")
        wait_for(lambda: is_settled(sidecar, old, new))
        assert sidecar.terminate() == 0

    assert cloudwatch.messages(GROUP, "old.log") == ["one", "three"]
    assert cloudwatch.messages(GROUP, "new.log") == ["two"]


@pytest.mark.parametrize("obstacle", ["a file in its place", "a file above it"])
def test_unusable_state_directory_is_one_line_and_status_2(
    tmp_path: Path, cloudwatch: StrictCloudWatch, obstacle: str
) -> None:
    """A state directory that cannot be made is told in one line that names it and the remedy.

    Catches: an OSError that comes out as a traceback.
    """
    append(tmp_path / "logs" / "a.log", "one\n")
    sidecar = running(tmp_path, cloudwatch)
    blocked = tmp_path / "state" if obstacle == "a file in its place" else tmp_path / "up"
    blocked.write_text("", encoding="utf-8")
    settings = yaml.safe_load(sidecar.config.read_text(encoding="utf-8"))
    settings["state_dir"] = str(blocked if blocked.name == "state" else blocked / "state")
    sidecar.config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    result = run_to_its_end(
        "run", "--config", str(sidecar.config), environ=cloudwatch.environment()
    )

    assert result.returncode == 2
    assert result.stderr.startswith("sidecar: ")
    assert result.stderr.count("\n") == 1
    assert settings["state_dir"] in result.stderr
    assert "state_dir" in result.stderr


def test_many_writers_while_it_is_asked_all_the_time(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Status asked from several threads during a busy run always adds up with itself.

    Catches: a status put together by the web thread while the pump changes what it shows.
    """
    paths = [tmp_path / "logs" / f"{number}.log" for number in range(3)]
    lines = numbered(0, 5000)
    with running(tmp_path, cloudwatch) as sidecar:
        seen: list[dict[str, object]] = []

        def ask() -> None:
            seen.extend(sidecar.status() for _ in range(20))

        askers = [threading.Thread(target=ask) for _ in range(3)]
        for asker in askers:
            asker.start()
        for path in paths:
            append(path, text(lines))
        for asker in askers:
            asker.join(PATIENCE)
        wait_for(lambda: is_settled(sidecar, *paths))
        assert sidecar.terminate() == 0

    assert len(seen) == 60
    for status in seen:
        sources = status["sources"]
        assert isinstance(sources, list)
        assert all(source["acknowledged"] <= source["size"] for source in sources)
    for path in paths:
        assert cloudwatch.messages(GROUP, path.name) == lines

"""Starting, stopping, several processes, rotation, and volumes that refuse."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.integration.app.server import CSV, environment, running, until


def run(volume: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app"],
        env=environment(volume, **settings),
        capture_output=True,
        text=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"PORT": "http"}, "APP_PORT"),
        ({"PORT": 65536}, "APP_PORT"),
        ({"HOST": "no.such.host.invalid"}, "APP_HOST"),
        ({"TASK": "../other"}, "APP_TASK"),
        ({"LOG_MAX_BYTES": "32 lines"}, "APP_LOG_MAX_BYTES"),
        ({"MAX_UPLOAD": "-1MB"}, "APP_MAX_UPLOAD"),
        ({"WORKERS": 0}, "APP_WORKERS"),
        ({"VOLUME": "/nonexistent/volume"}, "APP_VOLUME"),
        ({"PROFILE_TIMEOUT": "soon"}, "APP_PROFILE_TIMEOUT"),
        ({"LOG_LEVEL": "loud"}, "APP_LOG_LEVEL"),
    ],
)
def test_a_bad_setting_is_one_line_and_status_2(
    tmp_path: Path, settings: dict[str, object], key: str
) -> None:
    """The line names the variable; no traceback."""
    ended = run(tmp_path, **settings)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"app: {key}: ")
    assert ended.stderr.count("\n") == 1


def test_a_busy_port_is_one_line_and_status_2(tmp_path: Path) -> None:
    """The line names the port and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run(tmp_path, PORT=taken.getsockname()[1])
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert str(taken) not in ended.stderr
    assert "choose another port" in ended.stderr


def test_a_file_in_the_way_of_a_directory_is_one_line(tmp_path: Path) -> None:
    """A volume that cannot be prepared is told as the setting that names it."""
    (tmp_path / "artifacts").write_text("")
    ended = run(tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith("app: APP_VOLUME: ")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_writes_the_last_line_and_ends_with_0(tmp_path: Path, number: int) -> None:
    """The last line on the volume is the server's own farewell, after the last request's."""
    with running(tmp_path / "volume") as app:
        app.http.get("/healthz", headers={"x-request-id": "the-last"})
        assert app.stop(number) == 0
        lines = app.lines()
    assert lines[-1]["event"].startswith("Finished server process")
    assert any(line.get("request_id") == "the-last" for line in lines)
    assert app.files("datasets") == []


def test_a_request_under_way_is_finished_before_the_stop(tmp_path: Path) -> None:
    """An upload that began before SIGTERM is stored and answered after it."""
    half = threading.Event()

    def chunks():  # type: ignore[no-untyped-def]
        yield CSV * 5000
        half.set()
        gate.wait(20)
        yield CSV

    gate = threading.Event()
    with running(tmp_path / "volume") as app, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(app.http.post, "/datasets", content=chunks())
        assert half.wait(20)
        until(lambda: any("/incoming/" in name for name in app.files("datasets")))
        app.process.send_signal(signal.SIGTERM)
        until(lambda: any(line["event"] == "Shutting down" for line in app.lines()))
        gate.set()
        stored = answer.result(20)
        assert stored.status_code == 202
        assert app.process.wait(20) == 0
        dataset = stored.json()["id"]
        assert f"{dataset}/source.csv" in app.files("datasets")


def test_what_a_stop_left_queued_is_profiled_by_the_next_start(tmp_path: Path) -> None:
    """A profile cut short by SIGTERM is put back, without a mark against it, and done later."""
    volume = tmp_path / "volume"
    with running(volume) as app:
        large = b"a,b,c\n" + b"".join(b"%d,%d,x%d\n" % (n, n % 7, n) for n in range(400_000))
        datasets = [app.upload(large).json()["id"] for _ in range(3)]
        assert app.stop() == 0
        assert not [name for name in app.files("artifacts") if name.endswith(".part")]
        left = app.files("datasets/.queue")
        assert left
        assert all(name.endswith(".0") for name in left)
    with running(volume) as app:
        assert [app.profiled(dataset)["rows"] for dataset in datasets] == [400_000] * 3


def test_what_a_killed_process_had_is_taken_over(tmp_path: Path) -> None:
    """1 SIGKILL amid a profile and an upload; 2 the next start cleans up and profiles."""
    volume = tmp_path / "volume"
    large = b"a,b,c\n" + b"".join(b"%d,%d,x%d\n" % (n, n % 7, n) for n in range(400_000))
    with running(volume) as app:
        dataset = app.upload(large).json()["id"]
        until(lambda: any("/running/" in name for name in app.files("datasets/.workers")))
        client = socket.create_connection(("127.0.0.1", int(app.url.rpartition(":")[2])))
        client.sendall(b"POST /datasets HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n")
        client.sendall(b"1,2\n" * 600_000)
        until(lambda: any("/incoming/" in name for name in app.files("datasets/.workers")))
        app.process.kill()
        app.process.wait()
        client.close()
    with running(volume) as app:
        assert app.profiled(dataset)["status"] == "ready"
        until(lambda: len(app.files("datasets/.workers")) == 1)
        assert not [name for name in app.files("artifacts") if name.endswith(".part")]
        assert len(app.http.get("/datasets").json()["datasets"]) == 1


def test_several_processes_are_one_service(tmp_path: Path) -> None:
    """1 each answers for every dataset; 2 no dataset is profiled twice; 3 each has its own log."""
    with running(tmp_path / "volume", WORKERS=2) as app:
        datasets = [app.upload(CSV, f"{n}.csv").json()["id"] for n in range(6)]
        for dataset in datasets:
            assert app.profiled(dataset)["rows"] == 3
        # Answers come from whichever process accepts the connection.
        for _ in range(30):
            with httpx.Client(base_url=app.url, timeout=30) as fresh:
                assert fresh.get(f"/datasets/{datasets[0]}").json()["status"] == "ready"
        assert app.stop() == 0
        lines = app.lines()
    pids = {line["process"] for line in lines if line["event"] == "request"}
    started = [line["dataset"] for line in lines if line["event"] == "profile_started"]
    assert sorted(started) == sorted(datasets)
    assert len(pids) > 1
    logs = sorted(path.name for path in app.volume.glob("logs/t1/*.log"))
    assert logs == ["app-0.log", "app-1.log", "app-2.log"]
    for path in app.volume.glob("logs/t1/*.log"):
        assert len({json.loads(line)["process"] for line in path.read_bytes().splitlines()}) == 1


def test_a_process_that_dies_is_replaced_and_its_parent_stops_cleanly(tmp_path: Path) -> None:
    """A killed worker comes back under another pid, and reuses the log file of the dead one."""
    with running(tmp_path / "volume", WORKERS=2) as app:

        def workers() -> list[int]:
            return [
                line["worker_process"] for line in app.lines() if line["event"] == "worker_started"
            ]

        until(lambda: len(workers()) == 2)
        until(lambda: sum(line["event"] == "service_started" for line in app.lines()) == 2)
        os.kill(workers()[0], signal.SIGKILL)
        until(lambda: sum(line["event"] == "service_started" for line in app.lines()) == 3)
        assert len(workers()) == 3
        assert app.upload().status_code == 202
        assert app.stop() == 0
        assert len(list(app.volume.glob("logs/t1/*.log"))) == 3


def test_workers_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """No process is left behind that still holds the port."""
    with running(tmp_path / "volume", WORKERS=2) as app:
        until(lambda: sum(line["event"] == "service_started" for line in app.lines()) == 2)
        app.process.kill()
        app.process.wait()
        ended = "Finished server process"
        until(lambda: sum(line["event"].startswith(ended) for line in app.lines()) == 2)


def test_rotation_loses_no_line_and_keeps_its_number_of_files(tmp_path: Path) -> None:
    """Each request's line is in exactly one file; none is over the limit; all are whole."""
    with running(tmp_path / "volume", LOG_MAX_BYTES="8KiB", LOG_KEEP=50) as app:
        for number in range(200):
            app.http.get("/healthz", headers={"x-request-id": f"r{number}"})
        assert app.stop() == 0
        ids = [line["request_id"] for line in app.lines() if line["event"] == "request"]
        sizes = [path.stat().st_size for path in app.volume.glob("logs/t1/app-0.log*")]
    assert sorted(i for i in ids if i.startswith("r")) == sorted(f"r{n}" for n in range(200))
    assert len(sizes) > 3
    assert max(sizes) <= 8192


def test_the_oldest_rotated_files_are_dropped(tmp_path: Path) -> None:
    """Not more than `APP_LOG_KEEP` rotated files remain, the newest ones."""
    with running(tmp_path / "volume", LOG_MAX_BYTES="4KiB", LOG_KEEP=2) as app:
        for _ in range(120):
            app.http.get("/healthz")
        app.stop()
        names = sorted(path.name for path in app.volume.glob("logs/t1/app-0.log*"))
    assert names == ["app-0.log", "app-0.log.1", "app-0.log.2"]


def test_files_are_the_groups_and_nobody_elses(tmp_path: Path) -> None:
    """Umask 007, and a setgid volume hands its group on."""
    volume = tmp_path / "volume"
    volume.mkdir()
    volume.chmod(0o2770)
    with running(volume) as app:
        app.profiled(app.upload().json()["id"])
        modes = {path: path.stat().st_mode for path in volume.rglob("*")}
    assert modes
    assert all(mode & 0o007 == 0 for mode in modes.values())
    assert all(mode & 0o060 == 0o060 for mode in modes.values())
    assert all(mode & 0o2000 for path, mode in modes.items() if path.is_dir())


def test_a_full_volume_is_507_and_leaves_nothing(tmp_path: Path) -> None:
    """The kernel refuses the file in mid-upload: 507 for the client, no trace on the volume."""
    with running(tmp_path / "volume", largest_file=1_500_000) as app:
        answer = app.upload(b"1,2,3\n" * 700_000)
        assert answer.status_code == 507
        assert "full" in answer.json()["detail"]
        assert not [name for name in app.files("datasets") if not name.endswith("/lock")]
        assert app.upload().status_code == 202


def test_log_lines_the_volume_refuses_go_to_stderr(tmp_path: Path) -> None:
    """1 the log file cannot grow; 2 requests go on; 3 each line is in the file or on stderr."""
    with running(tmp_path / "volume", largest_file=16_384) as app:
        ids = [f"r{number}" for number in range(150)]
        for number in ids:
            assert app.http.get("/healthz", headers={"x-request-id": number}).status_code == 200
        until(lambda: app.http.get("/readyz").json()["logs"]["to_stderr"] > 0)
        ready = app.http.get("/readyz")
        assert ready.status_code == 200
        assert "app-0.log" in ready.json()["degraded"][0]
        assert ready.json()["logs"]["lost"] == 0
        assert app.stop() == 0
        file = (app.volume / "logs/t1/app-0.log").read_bytes()
        stderr = app.stderr.read_bytes()
    whole, _, _torn = file.rpartition(b"\n")
    both = whole.splitlines() + stderr.splitlines()
    lines = [json.loads(line) for line in both if line.startswith(b"{")]
    assert set(ids) <= {line.get("request_id") for line in lines}
    assert any(line["event"] == "log_file_unwritable" for line in lines)


def test_readiness_turns_red_when_nothing_can_be_stored(tmp_path: Path) -> None:
    """A volume that takes no file at all is 503 with the reason, while health stays 200."""
    with running(tmp_path / "volume", largest_file=1000, LOG_LEVEL="error") as app:
        answer = app.http.get("/readyz")
        assert answer.status_code == 503
        assert "cannot write" in answer.json()["problems"][0]
        assert app.http.get("/healthz").status_code == 200

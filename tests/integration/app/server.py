"""The app as a process of its own, on a scratch volume and a free port."""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

PATIENCE_SECONDS = 30.0
CSV = b"id,city,amount,day\n1,Oslo,2.5,2024-01-01\n2,Rome,7,2024-02-01\n3,,9.25,\n"


class App:
    """A running app: its process, its address, its volume."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        volume: Path,
        stderr: Path,
        copier: threading.Thread,
    ) -> None:
        self.process = process
        self.volume = volume
        self.stderr = stderr
        self.copier = copier
        until(lambda: b"http://" in stderr.read_bytes() or process.poll() is not None)
        found = re.search(rb"http://\S+", stderr.read_bytes())
        assert found, stderr.read_bytes()
        self.url = found[0].decode()
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE_SECONDS)
        until(self._answers)

    def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return self.http.get("/healthz").status_code == 200
        return False

    def upload(self, content: bytes = CSV, name: str = "a.csv", **headers: str) -> httpx.Response:
        return self.http.post("/datasets", params={"name": name}, content=content, headers=headers)

    def profiled(self, dataset: str) -> dict[str, Any]:
        """The dataset, once its profile has ended."""
        found: dict[str, Any] = {}

        def ended() -> bool:
            found.update(self.http.get(f"/datasets/{dataset}").json())
            return found["status"] in ("ready", "failed")

        until(ended)
        return found

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop; its exit status."""
        self.http.close()
        self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        self.copier.join(PATIENCE_SECONDS)
        return status

    def files(self, below: str) -> list[str]:
        """All files below a directory of the volume, relative to it."""
        root = self.volume / below
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def lines(self) -> list[dict[str, Any]]:
        """Every log line on the volume, rotated files included; each must be JSON."""
        found = []
        for path in sorted(self.volume.glob("logs/*/app-*.log*")):
            content = path.read_bytes()
            assert content == b"" or content.endswith(b"\n"), path
            found += [json.loads(line) for line in content.splitlines()]
        return found


def until(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition, looking often; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def environment(volume: Path, **settings: object) -> dict[str, str]:
    """An environment that has only the named settings, by name without `APP_`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("APP_", "ECS_"))}
    defaults = {"VOLUME": volume, "TASK": "t1", "HOST": "127.0.0.1", "PORT": 0, "QUEUE_POLL": "1s"}
    return kept | {f"APP_{key}": str(value) for key, value in (defaults | settings).items()}


def copy(process: subprocess.Popen[bytes], stderr: Path) -> None:
    """What the process says on stderr, as it says it."""
    assert process.stderr
    with process.stderr, stderr.open("ab", buffering=0) as sink:
        while piece := os.read(process.stderr.fileno(), 65536):
            sink.write(piece)


@contextlib.contextmanager
def running(volume: Path, *, largest_file: int | None = None, **settings: object) -> Iterator[App]:
    """The app with these settings; killed at the end if it still runs.

    `largest_file` makes the kernel refuse larger files with EFBIG, as a full volume would.
    """

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    stderr = volume.with_name(f"{volume.name}.stderr")
    volume.mkdir(exist_ok=True)
    stderr.write_bytes(b"")
    process = subprocess.Popen(
        [sys.executable, "-m", "app"],
        env=environment(volume, **settings),
        stderr=subprocess.PIPE,
        preexec_fn=limit,
    )
    # Through a pipe, as in a container: the limit on files must not touch stderr.
    copier = threading.Thread(target=copy, args=(process, stderr))
    copier.start()
    app = None
    try:
        app = App(process, volume, stderr, copier)
        yield app
    finally:
        if app is not None:
            app.http.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        copier.join(PATIENCE_SECONDS)

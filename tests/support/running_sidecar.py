"""A real `sidecar run` in a process of its own, to be driven from outside like a user's."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

PATIENCE = 60.0
"""Seconds before a condition that never comes true is a failure; no test waits for it to pass."""


class RunningSidecar:
    """Starts `sidecar run` on a configuration, and ends it for certain.

    As a context manager it kills the process when the block is left. `settings` are the contract's
    keys; the port is chosen by the system unless it is set. `descriptors` limits what it may open.
    `prefix` is a command that ends by executing its arguments, in namespaces of its own say.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, Any],
        environment: Mapping[str, str],
        *,
        descriptors: int | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        self.config = folder / "sidecar.yaml"
        self.log_path = folder / "sidecar.stderr"
        self.configure(settings)
        self._environment = {**os.environ, **environment}
        self._environment.pop("PYTHONWARNINGS", None)
        self._command = [sys.executable, "-m", "sidecar", "run", "--config", str(self.config)]
        if descriptors is not None:
            limited = f'ulimit -Sn {descriptors}; exec "$@"'
            self._command = ["sh", "-c", limited, "sh", *self._command]
        self._command = [*prefix, *self._command]
        self.process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def configure(self, settings: Mapping[str, Any]) -> None:
        """Write the configuration that the next start, or a reload, takes."""
        self.config.write_text(yaml.safe_dump({"http": {"port": 0}} | dict(settings)))

    def start(self) -> None:
        """Start the process and wait until it says where it listens."""
        self._log_start = self.log_path.stat().st_size if self.log_path.exists() else 0
        with self.log_path.open("ab") as stderr:
            process = self.process = subprocess.Popen(
                self._command,
                env=self._environment,
                stderr=stderr,
                stdout=subprocess.DEVNULL,
            )
        wait_for(lambda: self.port is not None or process.poll() is not None)
        assert process.poll() is None, self.log_path.read_text()

    @property
    def port(self) -> int | None:
        for line in self.log():
            if line.get("event") == "sidecar_started":
                return int(line["http_port"])
        return None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def log(self, *, all_runs: bool = False) -> list[dict[str, Any]]:
        """The log lines of the current run, or of those before it as well."""
        if not self.log_path.exists():
            return []
        content = self.log_path.read_bytes()[0 if all_runs else self._log_start :]
        lines = []
        for line in content.splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                lines.append({"event": "not JSON", "text": line.decode(errors="replace")})
        return lines

    def events(self) -> list[str]:
        return [line["event"] for line in self.log()]

    def status(self) -> dict[str, Any]:
        return self.get_json("/status")

    def get_json(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            found = json.load(error)
        return found

    def terminate(self, patience: float = PATIENCE) -> int:
        """SIGTERM, and the exit status of the drain."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)

    def kill(self) -> None:
        """SIGKILL; harmless where it has ended."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)


def wait_for(condition: Callable[[], object], patience: float = PATIENCE) -> None:
    """Return as soon as the condition holds; fail when it does not within `patience` seconds."""
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {patience} s: {condition}")
        time.sleep(0.02)

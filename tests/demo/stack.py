"""The three processes and the volume they share."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.demo.child import LOOK_SECONDS, Child, Failed
from tests.demo.names import LINES, REGION, TASK

APP_PORT = 8000
SIDECAR_PORT = 9464
MISCONFIGURED = 2
"""The exit status of both when a port cannot be had, among other things."""

STOP_APP_SECONDS = 40.0
# The sidecar's drain.deadline is 110 s by default.
STOP_SIDECAR_SECONDS = 125.0

LOG_KEEP = 1000
"""Rotated log files kept: the most the app takes, so that none is deleted before it is counted."""


class Stack:
    """Starts in the order of a task definition: the app once the sidecar answers."""

    def __init__(self, folder: Path, *, log_max_bytes: int, check: Callable[[], None]) -> None:
        self.volume = folder / "volume"
        self.volume.mkdir()
        self._folder = folder
        self._log_max_bytes = log_max_bytes
        self._check = check
        self._children: list[Child] = []

    def start(self) -> None:
        """Raises Failed when a part does not start, and whatever `check` raises."""
        cloudwatch = self._child("cloudwatch", ["tests.demo.cloudwatch"], {})
        self.endpoint = cloudwatch.announced(r"cloudwatch: (http://\S+)", self._check)
        self._sidecar, port = self._listening(
            "sidecar",
            ["sidecar", "run"],
            {
                "SIDECAR_LOGS": f"{self.volume}/logs/**/*.log",
                "SIDECAR_ARTIFACTS": f"{self.volume}/artifacts/**/*",
                "SIDECAR_LOG_GROUP": LINES,
                "SIDECAR_STATE_DIR": f"{self.volume}/.sidecar",
                "SIDECAR_TASK": TASK,
                "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": self.endpoint,
                "AWS_REGION": REGION,
                "AWS_ACCESS_KEY_ID": "stand-in",
                "AWS_SECRET_ACCESS_KEY": "stand-in",
            },
            ("SIDECAR_HTTP_PORT", SIDECAR_PORT),
            r'"http_port": ?(\d+)',
        )
        self.sidecar_url = f"http://127.0.0.1:{port}"
        self._app, port = self._listening(
            "app",
            ["app"],
            {
                "APP_VOLUME": str(self.volume),
                "APP_TASK": TASK,
                "APP_HOST": "127.0.0.1",
                "APP_LOG_MAX_BYTES": str(self._log_max_bytes),
                "APP_LOG_KEEP": str(LOG_KEEP),
            },
            ("APP_PORT", APP_PORT),
            r"app: http://127\.0\.0\.1:(\d+)",
        )
        self.app_url = f"http://127.0.0.1:{port}"
        self._await_app()

    def _await_app(self) -> None:
        """It says where it will listen before it serves."""
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.app_url}/healthz", trust_env=False).is_success:
                    return
            self._check()
            self._app.expect_alive()
            time.sleep(LOOK_SECONDS)

    def moved(self) -> str:
        """A word about ports that were busy; empty when none was."""
        pairs = ((APP_PORT, self.app_url), (SIDECAR_PORT, self.sidecar_url))
        busy = [str(port) for port, url in pairs if not url.endswith(f":{port}")]
        if not busy:
            return ""
        return f"port {' and '.join(busy)} busy, took a free one instead"

    def expect_alive(self) -> None:
        """Raises Failed when one of the processes has ended."""
        for child in self._children:
            child.expect_alive()

    def keeps_every_line(self) -> bool:
        """False shortly before the app would delete its oldest log file."""
        return not any(self.volume.glob(f"logs/*/*.log.{LOG_KEEP - 10}"))

    def stop_app(self) -> None:
        self._app.stop(STOP_APP_SECONDS)

    def stop_sidecar(self) -> None:
        """Returns when the sidecar has drained."""
        self._sidecar.stop(STOP_SIDECAR_SECONDS)

    def kill(self) -> None:
        """Leaves no process, whatever state they are in."""
        for child in self._children:
            child.kill()

    def _listening(
        self,
        name: str,
        module: list[str],
        settings: dict[str, str],
        port: tuple[str, int],
        pattern: str,
    ) -> tuple[Child, str]:
        """A part on its usual port, else on a free one; and the port that it announced."""
        variable, usual = port
        child = self._child(name, module, settings | {variable: str(usual)})
        try:
            return child, child.announced(pattern, self._check)
        except Failed:
            if child.status != MISCONFIGURED:
                raise
        # Asked by trying: a port that is free now may be taken a moment later.
        self._children.remove(child)
        child = self._child(name, module, settings | {variable: "0"})
        return child, child.announced(pattern, self._check)

    def _child(self, name: str, module: list[str], settings: dict[str, str]) -> Child:
        child = Child(name, module, clean_environment() | settings, self._folder)
        self._children.append(child)
        return child


def clean_environment() -> dict[str, str]:
    """The caller's, without what would make the parts do something else."""
    foreign = ("APP_", "SIDECAR_", "AWS_", "ECS_", "MOTO_", "PYTHONWARNINGS")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    # A profile or a proxy of the caller's is not for a server on this machine.
    nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    return kept | nowhere | {"NO_PROXY": "*", "no_proxy": "*"}

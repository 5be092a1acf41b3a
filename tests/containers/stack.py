"""A compose project under test: brought up, asked, stopped piece by piece, taken down."""

import io
import json
import os
import socket
import subprocess
import tarfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def run(*command: str | Path, environ: Mapping[str, str] | None = None) -> bytes:
    """Standard output; a failure raises with everything the command said."""
    done = subprocess.run(
        command, capture_output=True, check=False, env={**os.environ, **(environ or {})}
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{said.decode(errors='replace')}"
    return done.stdout


def compose_command() -> list[str]:
    """Compose 2 as the client's plugin where there is one, else 1.29; COMPOSE names another."""
    if named := os.environ.get("COMPOSE"):
        return named.split()
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else ["docker-compose"]


def free_port() -> int:
    """One that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(what: str, met: Callable[[], Any], seconds: float) -> Any:
    """The first true answer; AssertionError that names what was waited for, and the last answer."""
    deadline = time.monotonic() + seconds
    while not (answer := met()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}; last: {answer!r}"
        time.sleep(0.5)
    return answer


PORTS = ("APP", "SIDECAR", "CLOUDWATCH", "WEB", "FUNCTION1", "FUNCTION2", "COLLECTOR")


class Stack:
    """A project of fixed name, so that a second run finds the first one's image layers."""

    def __init__(self, project: str, files: Sequence[Path], profiles: Sequence[str] = ()) -> None:
        self.project = project
        self.ports = {name: free_port() for name in PORTS}
        self._files = [argument for file in files for argument in ("-f", str(file))]
        self._seconds: dict[str, float] = {}
        self._profiles = [word for name in profiles for word in ("--profile", name)]
        self._environ = {f"PORT_{name}": str(port) for name, port in self.ports.items()}

    def compose(self, *arguments: str) -> bytes:
        """One command on this project."""
        began = time.monotonic()
        said = run(
            *compose_command(),
            *("-p", self.project, "--project-directory", str(ROOT)),
            *self._files,
            *self._profiles,
            *arguments,
            environ=self._environ,
        )
        self._seconds[arguments[0]] = time.monotonic() - began
        return said

    def timings(self) -> str:
        """What the last command of each kind took, for people."""
        shown = {verb: took for verb, took in self._seconds.items() if took > 1}
        return ", ".join(f"{verb} {took:.0f} s" for verb, took in shown.items())

    def __enter__(self) -> "Stack":
        self.compose("down", "-v")
        self.compose("build")
        self.compose("up", "-d")
        return self

    def __exit__(self, failed: type[BaseException] | None, *_: object) -> None:
        if failed:
            print(self.compose("logs", "--no-color").decode(errors="replace"))
        self.compose("down", "-v")

    def url(self, service: str) -> str:
        """Where the service's published port is."""
        return f"http://127.0.0.1:{self.ports[service.upper()]}"

    def container(self, service: str) -> str:
        """The id of the service's one container, running or not."""
        (found,) = self.compose("ps", "-a", "-q", service).split()
        return found.decode()

    def inspect(self, service: str) -> dict[str, Any]:
        """What the engine knows of the service's container."""
        (found,) = json.loads(run("docker", "inspect", self.container(service)))
        return dict(found)

    def files(self, service: str, directory: str) -> dict[str, bytes]:
        """Every file below a directory of the service's container, by its path from there."""
        archive = run("docker", "cp", f"{self.container(service)}:{directory}", "-")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            return {
                member.name.partition("/")[2]: opened.read()
                for member in tar
                if member.isfile() and (opened := tar.extractfile(member))
            }

"""The two hosts of the guest, as init.sh made them, and the server."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar

HOSTS = Path("/run/hosts")
"""For each host a file with the number of a process in its namespaces."""

VOLUME = Path("/mnt/efs")
"""Where each host has the volume. The tests' own process has no mount there, and cannot hang."""

CLOUDWATCH_ADDRESS = "10.78.0.1"
"""The server's address in the network `cloudwatch`, which has nothing to do with the volume's."""

SERVED = Path("/srv/efs")
"""What the server exports, as it lies on its own disk."""

SERVER_THREADS = 8

Network = Literal["volume", "cloudwatch"]
NETWORKS: tuple[Network, ...] = ("volume", "cloudwatch")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Host:
    """A machine that mounts the volume: a network, mounts and a name of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        pid = (HOSTS / name).read_text().strip()
        self.enter = ["nsenter", f"--target={pid}", "--net", "--mount", "--uts", "--"]
        """A command that executes its arguments on this host."""
        self._namespaces = Path(f"/proc/{pid}/ns")
        # Spawned, not forked: this process has threads.
        self._hand = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), _enter, (str(self._namespaces),)
        )

    def do(
        self,
        act: Callable[Arguments, Result],
        *arguments: Arguments.args,
        **more: Arguments.kwargs,
    ) -> Result:
        """Call a module's function in a process on this host, the same one each time.

        So a descriptor that one act opens is there for the next.
        """
        return self.begin(act, *arguments, **more).result(timeout=90)

    def begin(
        self,
        act: Callable[Arguments, Result],
        *arguments: Arguments.args,
        **more: Arguments.kwargs,
    ) -> Future[Result]:
        """Like `do`, for what may hang until the network is back."""
        return self._hand.submit(act, *arguments, **more)

    @contextmanager
    def network(self) -> Iterator[None]:
        """This thread's new connections are the host's own, its loopback included."""
        with Path("/proc/thread-self/ns/net").open() as home:
            with (self._namespaces / "net").open() as there:
                os.setns(there.fileno(), os.CLONE_NEWNET)
            try:
                yield
            finally:
                os.setns(home.fileno(), os.CLONE_NEWNET)

    def cut(self, *networks: Network) -> None:
        """Lose every packet from now on, in these networks or in all; no interface goes down."""
        for network in networks or NETWORKS:
            _run("ip", "link", "set", f"{network}-{self.name}", "down")

    def join(self) -> None:
        """Be in every network again."""
        for network in NETWORKS:
            _run("ip", "link", "set", f"{network}-{self.name}", "up")

    def close(self) -> None:
        self._hand.shutdown()


def on_server(path: Path) -> Path:
    """Where the server has what its clients see under this path."""
    return SERVED / path.relative_to(VOLUME)


@contextmanager
def server_stopped() -> Iterator[None]:
    """The NFS server is gone, and begins anew afterwards, knowing its clients but not their opens.

    They reclaim what they held while its grace lasts.
    """
    _run("rpc.nfsd", "0")
    try:
        yield
    finally:
        _run("rpc.nfsd", "-N", "3", "-V", "4.1", str(SERVER_THREADS))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _enter(namespaces: str) -> None:
    kinds: dict[str, Any] = {"net": os.CLONE_NEWNET, "uts": os.CLONE_NEWUTS, "mnt": os.CLONE_NEWNS}
    for kind, flag in kinds.items():
        with Path(namespaces, kind).open() as namespace:
            os.setns(namespace.fileno(), flag)

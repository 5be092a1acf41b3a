"""A file system that fails or dies at a chosen call."""

import errno
import os
from collections.abc import Callable
from functools import wraps
from typing import Any

from sidecar.registry.file_system import FileSystem

Fault = Callable[[int, str], int]

CHANGING = (
    "open_append",
    "open_lock",
    "create",
    "write",
    "write_at_start",
    "sync",
    "close",
    "make_directory",
    "rename",
    "link",
    "remove",
    "remove_directory",
    "sync_directory",
)


class Killed(BaseException):
    """The process died here: no handler may run on, so it is no Exception."""


class FaultyFileSystem(FileSystem):
    """Does the real thing, but the calls that `fault` picks end otherwise.

    `fault(number, name)` is asked before each changing call, and returns an error number to
    fail with, 0 to go on, or raises Killed. `number` counts from 1 since `break_with`. A write
    that fails, or during which the process is killed, has written half of its bytes first.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self._fault: Fault = _healthy
        for name in CHANGING:
            setattr(self, name, self._guarded(name, getattr(self, name)))

    def break_with(self, fault: Fault) -> None:
        """From now on the calls that `fault` picks end otherwise."""
        self.calls.clear()
        self._fault = fault

    def mend(self) -> None:
        """From now on every call does the real thing."""
        self.break_with(_healthy)

    def _guarded(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(real)
        def guarded(*args: Any) -> Any:
            self.calls.append(name)
            try:
                number = self._fault(len(self.calls), name)
            except Killed:
                self._half_of(name, args)
                raise
            if not number:
                return real(*args)
            self._half_of(name, args)
            if name == "close":
                os.close(args[0])
            raise OSError(number, os.strerror(number))

        return guarded

    def _half_of(self, name: str, args: tuple[Any, ...]) -> None:
        if name == "write":
            os.write(args[0], bytes(args[1])[: len(args[1]) // 2])


def _healthy(_number: int, _name: str) -> int:
    return 0


def failing(at: range, error: int = errno.EIO) -> Fault:
    """Calls numbered within the range fail."""
    return lambda number, _name: error if number in at else 0


def always(error: int, *names: str) -> Fault:
    """Calls of these names fail, or all calls when none is named."""
    return lambda _number, name: error if not names or name in names else 0


def killed_at(at: int) -> Fault:
    """The process dies at that call."""

    def fault(number: int, _name: str) -> int:
        if number == at:
            raise Killed
        return 0

    return fault

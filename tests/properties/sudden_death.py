"""SIGKILL inside this process: the pump stops in the middle of a call to the volume's state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from sidecar.registry.file_system import FileSystem

CALLS = ("write", "sync", "create", "open_append", "rename", "link", "remove")
"""What a journal, a snapshot, a claim and a clean end are made of."""


class Killed(BaseException):
    """Nothing in the product catches it, as nothing catches SIGKILL."""


@contextmanager
def killed_in_call(number: int, *, torn: bool) -> Iterator[None]:
    """The process is gone before so many-th call of the thread that asks; the last write of it is
    there by half where it is `torn`. What the kernel was given stays.
    """
    thread, left = threading.get_ident(), number

    def dying(call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def called(files: FileSystem, *given: Any) -> Any:
            nonlocal left
            if threading.get_ident() == thread:
                left -= 1
                if left < 0:
                    if torn and name == "write":
                        descriptor, content = given
                        call(files, descriptor, content[: len(content) // 2])
                    raise Killed
            return call(files, *given)

        return called

    with ExitStack() as patches:
        for name in CALLS:
            call = dying(getattr(FileSystem, name), name)
            patches.enter_context(mock.patch.object(FileSystem, name, call))
        yield

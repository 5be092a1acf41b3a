"""A mount as an NFS client shows it: what another host writes is seen when the server is asked.

`fstat` and `stat` answer from a cache, and reads end where the cache says the file does. Opening a
file asks the server, and so does the product's own forced look. A name that is looked up by `stat`
stays the file it was. Patches this process's `os` for paths below one directory.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from sidecar.sources import looks


class StaleMount:
    """The client's cache. `asked` counts what went to the server."""

    def __init__(self, root: Path, *, statx: bool = True) -> None:
        self._root = str(root)
        self._has_statx = statx
        self._known: dict[int, os.stat_result] = {}
        self._names: dict[str, int] = {}
        self._fstat, self._open, self._pread, self._stat = os.fstat, os.open, os.pread, os.stat
        self.asked = 0

    @contextmanager
    def mounted(self) -> Iterator[None]:
        """Everything the product asks of the files goes through this cache."""
        with (
            mock.patch("os.open", self._opened),
            mock.patch("os.fstat", self._remembered),
            mock.patch("os.stat", self._named),
            mock.patch("os.pread", self._read),
            mock.patch.object(looks, "_libc_statx", return_value=self._statx),
        ):
            yield

    def _is_here(self, descriptor: int) -> bool:
        path = Path(f"/proc/self/fd/{descriptor}")
        return str(path.readlink()).startswith(self._root)

    def _opened(self, path: Any, *rest: Any, **more: Any) -> int:
        descriptor = self._open(path, *rest, **more)
        if self._is_here(descriptor):
            self.asked += 1
            seen = self._fstat(descriptor)
            self._known[seen.st_ino] = seen
            self._names[os.fspath(path)] = seen.st_ino
        return descriptor

    def _remembered(self, descriptor: int) -> os.stat_result:
        true = self._fstat(descriptor)
        return self._known.get(true.st_ino, true) if self._is_here(descriptor) else true

    def _named(self, path: Any, *rest: Any, **more: Any) -> os.stat_result:
        known = self._names.get(path) if isinstance(path, str) else None
        return self._known[known] if known is not None else self._stat(path, *rest, **more)

    def _read(self, descriptor: int, length: int, offset: int) -> bytes:
        size = self._remembered(descriptor).st_size
        return self._pread(descriptor, max(0, min(length, size - offset)), offset)

    def _statx(self, descriptor: int, flags: int) -> looks.Seen:
        if not self._has_statx:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        if flags & looks.AT_STATX_FORCE_SYNC:
            self.asked += 1
            seen = self._fstat(descriptor)
            self._known[seen.st_ino] = seen
        seen = self._remembered(descriptor)
        return looks.Seen(*(getattr(seen, name) for name in looks.Seen._fields))

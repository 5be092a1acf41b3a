"""One look at a file: cheap where the kernel knows, true where only the server does.

Over NFS `stat` and `fstat` answer from a cache that is stale for seconds to half a minute. Asked to
with `AT_STATX_FORCE_SYNC` the client goes to the server, one round trip, and lets go of what it has
cached of a file that changed, so that a read afterwards is true as well. Python has no statx yet;
where the call is missing the file is opened anew.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Callable
from typing import NamedTuple

from sidecar.sources.mounts import Mounts
from sidecar.sources.opening import OPEN_AND_CLOSE, seen_anew
from sidecar.sources.poll import Budget

# linux/fcntl.h and linux/stat.h
AT_EMPTY_PATH = 0x1000
AT_STATX_FORCE_SYNC = 0x2000
AT_STATX_DONT_SYNC = 0x4000
STATX_TYPE, STATX_NLINK, STATX_MTIME, STATX_CTIME = 0x1, 0x4, 0x40, 0x80
STATX_INO, STATX_SIZE = 0x100, 0x200
WANTED = STATX_TYPE | STATX_NLINK | STATX_MTIME | STATX_CTIME | STATX_INO | STATX_SIZE

NOT_HERE = frozenset({errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP})
"""How a kernel, or the seccomp filter of an old container engine, says that there is no statx."""


class Seen(NamedTuple):
    """What a look gives of a file, by `os.stat_result`'s names."""

    st_size: int
    st_ino: int
    st_nlink: int
    st_mode: int
    st_mtime_ns: int
    st_ctime_ns: int


class _Time(ctypes.Structure):
    _fields_ = (("sec", ctypes.c_int64), ("nsec", ctypes.c_uint32), ("_", ctypes.c_int32))


class _Statx(ctypes.Structure):
    _fields_ = (
        ("mask", ctypes.c_uint32),
        ("blksize", ctypes.c_uint32),
        ("attributes", ctypes.c_uint64),
        ("nlink", ctypes.c_uint32),
        ("uid", ctypes.c_uint32),
        ("gid", ctypes.c_uint32),
        ("mode", ctypes.c_uint16),
        ("_", ctypes.c_uint16),
        ("ino", ctypes.c_uint64),
        ("size", ctypes.c_uint64),
        ("blocks", ctypes.c_uint64),
        ("attributes_mask", ctypes.c_uint64),
        ("atime", _Time),
        ("btime", _Time),
        ("ctime", _Time),
        ("mtime", _Time),
        ("rest", ctypes.c_uint64 * 18),
    )


Statx = Callable[[int, int], Seen]


def _libc_statx() -> Statx | None:
    """A call of libc's statx for a descriptor and flags; None where libc has none."""
    try:
        call = ctypes.CDLL(None, use_errno=True).statx
    except (OSError, AttributeError):
        return None
    call.argtypes = (
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Statx),
    )
    call.restype = ctypes.c_int

    def statx(descriptor: int, flags: int) -> Seen:
        buffer = _Statx()
        if call(descriptor, b"", AT_EMPTY_PATH | flags, WANTED, ctypes.byref(buffer)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        mtime, ctime = buffer.mtime, buffer.ctime
        return Seen(
            buffer.size,
            buffer.ino,
            buffer.nlink,
            buffer.mode,
            mtime.sec * 1_000_000_000 + mtime.nsec,
            ctime.sec * 1_000_000_000 + ctime.nsec,
        )

    return statx


class Looks:
    """Looks at files, as the file system they lie on asks for it. Counts what goes to a server.

    On a file system of this machine `fstat` is true and free of charge to the budget of whoever
    looks; below a root that revalidates, `ask` decides between the server and the kernel.
    """

    def __init__(self, mounts: Mounts, budget: Budget, statx: Statx | None = None) -> None:
        self._mounts = mounts
        self._budget = budget
        self._statx = statx or _libc_statx()

    def revalidates(self, root: str) -> bool:
        """Does a file below this root change unseen by this kernel?"""
        return self._mounts.revalidates(root)

    def at(self, descriptor: int, path: str, root: str, *, ask: bool) -> os.stat_result | Seen:
        """A look at an open file. What another host wrote shows with `ask` only."""
        if not self._mounts.revalidates(root):
            return os.fstat(descriptor)
        seen = self._by_statx(descriptor, AT_STATX_FORCE_SYNC if ask else AT_STATX_DONT_SYNC)
        if seen is not None:
            return seen
        return self._opened_anew(descriptor, path) if ask else os.fstat(descriptor)

    def by_name(self, path: str) -> os.stat_result | None:
        """What has this name now; None where nothing has, or what has it cannot be opened."""
        self._budget.spend(OPEN_AND_CLOSE)
        try:
            return seen_anew(path)
        except OSError:
            return None

    def _by_statx(self, descriptor: int, flags: int) -> Seen | None:
        """None where there is no such call; what else goes wrong is the file's own trouble.

        Not asking matters as well: a plain `fstat` over NFS first writes back what the app has
        written, to learn the time of it.
        """
        if self._statx is None:
            return None
        try:
            return self._statx(descriptor, flags)
        except OSError as error:
            if error.errno not in NOT_HERE:
                raise
            self._statx = None
            return None

    def _opened_anew(self, descriptor: int, path: str) -> os.stat_result:
        """Opening asks the server (close-to-open), and so mends what the client remembers of the
        same file under the held descriptor too. Of a file whose name is another's by now nothing
        can be learned so."""
        seen = self.by_name(path)
        held = os.fstat(descriptor)
        return seen if seen is not None and seen.st_ino == held.st_ino else held

"""`sidecar run` whose descriptor of the lock fails with EIO once, as over NFS with a lost lock.

It fails as soon as the file named by CUT_OFF exists, which is removed then.
"""

import errno
import os
import sys
from pathlib import Path

from sidecar.__main__ import main
from sidecar.registry.file_system import FileSystem

_write = FileSystem.write_at_start


def _write_or_lose(self: FileSystem, descriptor: int, content: bytes) -> int:
    trigger = Path(os.environ["CUT_OFF"])
    if trigger.exists():
        trigger.unlink()
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    return _write(self, descriptor, content)


if __name__ == "__main__":
    FileSystem.write_at_start = _write_or_lose  # type: ignore[method-assign]
    sys.exit(main())

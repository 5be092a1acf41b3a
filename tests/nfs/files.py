"""What a writer does to a file on the volume. Hosts call these in their own processes."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path


def append(path: str, lines: Sequence[str]) -> None:
    """Append whole lines; they are on the server when this returns."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, text(lines))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def append_and_delete(path: str, lines: Sequence[str]) -> None:
    """Append whole lines, and remove the file at once."""
    append(path, lines)
    Path(path).unlink()


def rotate(path: str) -> None:
    """As logrotate does: NAME.2 becomes NAME.3, NAME.1 becomes NAME.2, and NAME becomes NAME.1."""
    generations = [Path(path)]
    while generations[-1].exists():
        generations.append(Path(f"{path}.{len(generations)}"))
    for number in range(len(generations) - 1, 0, -1):
        generations[number - 1].rename(generations[number])


def copytruncate(path: str, to: str, lines: Sequence[str]) -> None:
    """As logrotate does: copy, truncate. Then the writer goes on with these lines."""
    shutil.copyfile(path, to)
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(descriptor, 0)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    append(path, lines)


def write_at(path: str, offset: int, content: bytes) -> None:
    """Write to a place in the file, and nowhere before it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(descriptor, content, offset)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sizes(folder: str) -> dict[str, int]:
    """The files below a folder and how large they are."""
    found = (path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in found}


def text(lines: Sequence[str]) -> bytes:
    """The lines as they are in a file."""
    return "".join(f"{line}\n" for line in lines).encode()

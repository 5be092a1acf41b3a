"""What the app left on the volume, counted from the files themselves."""

import hashlib
from collections import Counter
from pathlib import Path
from typing import NamedTuple


class Lines(NamedTuple):
    """How often each line is there, over all log files, rotated ones included."""

    times: Counter[str]
    files: int


def lines(volume: Path) -> Lines:
    """A line is complete at its line feed; what the app left after the last one counts too."""
    times: Counter[str] = Counter()
    files = [*volume.glob("logs/*/*.log"), *volume.glob("logs/*/*.log.[0-9]*")]
    for file in files:
        times.update(file.read_bytes().decode().removesuffix("\n").split("\n"))
    del times[""]
    return Lines(times, len(files))


def artifacts(volume: Path) -> dict[str, str]:
    """sha256 of each artifact by its name, which is relative to the artifacts' directory."""
    root = volume / "artifacts"
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in root.rglob("*")
        if file.is_file() and not file.name.startswith(".") and file.suffix not in UNFINISHED
    }


UNFINISHED = (".part", ".tmp", ".done")
"""Never artifacts: half-written files, and markers."""

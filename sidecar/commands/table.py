"""Tables for a terminal, and quantities as people read them."""

from collections.abc import Sequence

from sidecar.errors import on_one_line


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lines of aligned columns; a row is one line whatever its cells hold."""
    cells = [[on_one_line(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in cells
    )


def amount(size: float) -> str:
    """Bytes in the largest fitting unit: `12.5 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def span(seconds: float) -> str:
    """Seconds in the largest fitting unit: `0.4 s`, `12 min`, `3.0 h`."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"

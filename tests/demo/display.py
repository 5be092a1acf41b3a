"""What a person sees."""

import sys
import time
from typing import Any

from tests.demo.comparison import Comparison

TTY_SECONDS = 0.5
PLAIN_SECONDS = 5.0
SHOWN_FINDINGS = 10


class Progress:
    """One line that is refreshed on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self._on_terminal = sys.stdout.isatty()
        self._shown_at = 0.0
        self._line_open = False

    def is_due(self) -> bool:
        pause = TTY_SECONDS if self._on_terminal else PLAIN_SECONDS
        return time.monotonic() - self._shown_at >= pause

    def show(self, text: str) -> None:
        self._shown_at = time.monotonic()
        if self._on_terminal:
            print(f"\r\x1b[K{text}", end="", flush=True)
            self._line_open = True
        else:
            print(text, flush=True)

    def say(self, text: str) -> None:
        """A line that stays."""
        if self._line_open:
            print()
            self._line_open = False
        print(text, flush=True)


def progress_line(
    seconds: float, requests: int, uploads: int, status: dict[str, Any] | None
) -> str:
    """`status` is the sidecar's, or None where it did not answer."""
    traffic = f"{seconds:5.0f} s  {requests:,} requests, {uploads:,} uploads"
    if status is None:
        return f"{traffic}  |  the sidecar's status is slow to come"
    delivered = status["totals"]["events_delivered"]
    waiting = status["backlog"]["bytes"]
    degraded = "".join(f"  ! {reason}" for reason in status["degraded"][:1])
    return f"{traffic}  |  {delivered:,} events delivered, {waiting:,} bytes waiting{degraded}"


def summary(
    result: Comparison, *, log_files: int, deleted: int, app_url: str, sidecar_url: str
) -> str:
    """The table at the end, and what differs."""
    rows = [
        ("lines written", f"{result.written:,}", f"in {log_files} log files"),
        ("events stored", f"{result.stored:,}", ""),
        ("lost", f"{result.lost:,}", ""),
        ("duplicated", f"{result.duplicated:,}", ""),
        ("artifacts written", f"{result.artifacts_written:,}", f"{deleted} of them deleted since"),
        ("artifacts shipped", f"{result.artifacts_shipped:,}", ""),
        ("write to stored, median", f"{result.median:,.0f} ms", "from the time in the line to"),
        ("write to stored, p99", f"{result.p99:,.0f} ms", "CloudWatch's time of ingestion"),
        ("app's page", f"{app_url}/", "ended with the demo"),
        ("sidecar's page", f"{sidecar_url}/", "ended with the demo"),
    ]
    lines = [f"  {name:<25}{value:>10}  {note}".rstrip() for name, value, note in rows]
    shown = result.findings[:SHOWN_FINDINGS]
    lines += [f"! {finding}" for finding in shown]
    if len(result.findings) > len(shown):
        lines.append(f"! and {len(result.findings) - len(shown)} more")
    return "\n".join(lines)

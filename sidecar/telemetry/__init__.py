"""What the sidecar says about itself: log lines on stderr, and counters."""

from sidecar.telemetry.log_lines import configure, flush, identify, lines_dropped
from sidecar.telemetry.progress import Progress
from sidecar.telemetry.totals import PLAIN_TOTALS, LagHistogram, Totals

__all__ = [
    "PLAIN_TOTALS",
    "LagHistogram",
    "Progress",
    "Totals",
    "configure",
    "flush",
    "identify",
    "lines_dropped",
]

"""What a person configures: read, checked and given names; nothing else reads it.

`load` is the way in. Each model's field is one key of the file, described in CONFIGURATION.md.
"""

from sidecar.settings.entries import (
    ArtifactEntry,
    LogEntry,
    Multiline,
    Redaction,
    TimestampKey,
    TimestampPattern,
)
from sidecar.settings.loading import load
from sidecar.settings.models import Create, Delivery, Drain, Http, Poll, Settings

__all__ = [
    "ArtifactEntry",
    "Create",
    "Delivery",
    "Drain",
    "Http",
    "LogEntry",
    "Multiline",
    "Poll",
    "Redaction",
    "Settings",
    "TimestampKey",
    "TimestampPattern",
    "load",
]

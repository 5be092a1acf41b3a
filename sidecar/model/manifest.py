"""The event that stands for an artifact: its manifest, with the content inside when small.

Written by the sidecar, and read back by whoever wants the artifact again.
"""

from __future__ import annotations

import base64
import mimetypes
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from sidecar.model.stored_object import StoredObject

# CloudWatch Logs takes events of up to 1 MB; 1,000,000 bytes of message is the practical maximum.
MAX_MANIFEST_BYTES: Final = 1_000_000


def content_type(name: str) -> str:
    """What the name says that the content is."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def manifest(
    name: str,
    *,
    sha256: str,
    size: int,
    modified_ns: int,
    content: bytes | None,
    stored: StoredObject | None = None,
) -> str:
    """The manifest of one version; `content` is None where it does not travel along.

    `stored` tells where it is kept instead.
    """
    fields: dict[str, Any] = {
        "artifact": name,
        "version": sha256,
        "bytes": size,
        "content_type": content_type(name),
        "modified": _utc(modified_ns),
        "content": None,
        "content_base64": None,
        "s3": None if stored is None else stored._asdict(),
    }
    if content is None:
        return _text(fields)
    as_text = _decoded(content)
    if as_text is not None:
        text = _text(fields | {"content": as_text})
        # Control characters grow sixfold in JSON; base64 grows by a third whatever they are.
        if len(text.encode()) <= MAX_MANIFEST_BYTES:
            return text
    return _text(fields | {"content_base64": base64.b64encode(content).decode("ascii")})


def deletion(name: str, at_ms: int) -> str:
    """The event that tells of an artifact's deletion."""
    return _text({"artifact": name, "deleted": _utc(at_ms * 1_000_000)})


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as it was read back, or the word of a deletion: then `version` is None."""

    name: str
    version: str | None
    size: int = 0
    content_type: str = ""
    modified: str = ""
    deleted: str | None = None
    content: bytes | None = None
    stored: StoredObject | None = None

    @property
    def where(self) -> str:
        """Where the content is, for a person."""
        if self.content is not None:
            return "manifest"
        if self.stored is not None:
            return f"s3://{self.stored.bucket}/{self.stored.key}"
        return "not kept" if self.version is not None else ""


def parsed(message: str) -> Manifest | None:
    """The manifest in an event's message; None for anything else that somebody put there."""
    try:
        fields = orjson.loads(message)
        if "deleted" in fields:
            return Manifest(str(fields["artifact"]), None, deleted=str(fields["deleted"]))
        content, encoded, stored = fields["content"], fields["content_base64"], fields["s3"]
        if content is not None:
            content = content.encode()
        elif encoded is not None:
            content = base64.b64decode(encoded, validate=True)
        return Manifest(
            name=str(fields["artifact"]),
            version=str(fields["version"]),
            size=int(fields["bytes"]),
            content_type=str(fields["content_type"]),
            modified=str(fields["modified"]),
            content=content,
            stored=None if stored is None else StoredObject(**stored),
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _decoded(content: bytes) -> str | None:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _text(fields: dict[str, Any]) -> str:
    safe = {
        key: value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
        for key, value in fields.items()
    }
    return orjson.dumps(safe).decode()


def _utc(nanoseconds: int) -> str:
    moment = datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""What the double holds: buckets, objects, unfinished uploads; and S3's rules about them."""

from __future__ import annotations

import base64
import hashlib
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime

SMALLEST_PART = 5 * 1024 * 1024


class S3Error(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        self.status = status
        self.code = code
        self.message = message or code
        super().__init__(code)


@dataclass
class StoredBytes:
    """An object."""

    content: bytes
    checksum: str
    metadata: dict[str, str]
    content_type: str
    version: str | None = None


@dataclass
class Upload:
    """A multipart upload under way."""

    key: str
    metadata: dict[str, str]
    content_type: str
    parts: dict[int, bytes] = field(default_factory=dict)
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Bucket:
    """Objects by key, uploads by id. `writes` counts how often each key was stored."""

    versioned: bool = False
    objects: dict[str, StoredBytes] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    writes: dict[str, int] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, key: str, stored: StoredBytes, *, if_none_match: bool) -> StoredBytes:
        if if_none_match and key in self.objects:
            raise S3Error(412, "PreconditionFailed", "At least one of the pre-conditions failed")
        if self.versioned:
            stored.version = f"v{next(self.numbers)}"
        self.objects[key] = stored
        self.writes[key] = self.writes.get(key, 0) + 1
        return stored

    def begin(self, upload: Upload) -> str:
        number = f"upload-{next(self.numbers)}"
        self.uploads[number] = upload
        return number

    def upload(self, number: str, key: str) -> Upload:
        found = self.uploads.get(number)
        if found is None or found.key != key:
            raise S3Error(404, "NoSuchUpload", "The specified upload does not exist.")
        return found

    def complete(
        self,
        number: str,
        key: str,
        parts: list[tuple[int, str, str]],
        checksum: str,
        *,
        if_none_match: bool,
    ) -> StoredBytes:
        """`parts`: number, ETag and checksum of each, as the client says."""
        upload = self.upload(number, key)
        contents = []
        for at, (part, etag, digest) in enumerate(parts, start=1):
            content = upload.parts.get(part)
            if part != at or content is None or etag.strip('"') != etag_of(content):
                raise S3Error(400, "InvalidPart", f"part {part}")
            if digest != sha256_of(content):
                raise S3Error(400, "InvalidPart", f"part {part} has another checksum")
            if at < len(parts) and len(content) < SMALLEST_PART:
                raise S3Error(400, "EntityTooSmall", f"part {part} has {len(content)} bytes")
            contents.append(content)
        composite = composite_of(contents)
        if checksum != composite:
            raise S3Error(400, "BadDigest", f"{checksum} is not {composite}")
        stored = StoredBytes(b"".join(contents), composite, upload.metadata, upload.content_type)
        self.put(key, stored, if_none_match=if_none_match)
        del self.uploads[number]
        return stored


def sha256_of(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def composite_of(parts: list[bytes]) -> str:
    """S3 User Guide, "Checksums of checksums"."""
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return f"{sha256_of(digests)}-{len(parts)}"


def etag_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()

"""Where content that is too large for an event is kept: in an object store, named by what it is."""

from __future__ import annotations

import hashlib
import re
from typing import Final, NamedTuple

# S3 User Guide, "Naming Amazon S3 objects": a key has at most 1,024 bytes of UTF-8.
LONGEST_KEY: Final = 1024
# S3 User Guide, "Amazon S3 multipart upload limits".
MOST_PARTS: Final = 10_000
# A part is held in memory while it is sent, so it does not grow with the file for ever.
LARGEST_PART: Final = 64 * 1024 * 1024
LARGEST_OBJECT: Final = MOST_PARTS * LARGEST_PART
_HASH_DIGITS: Final = 8
# What XML 1.0, in which S3 lists keys, cannot carry, and what UTF-8 cannot.
_FORBIDDEN: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Wanted(NamedTuple):
    """A version that is to be kept: which content, and where."""

    bucket: str
    key: str
    sha256: str
    bytes: int
    content_type: str

    @property
    def prefix(self) -> str:
        """What the keys of all versions of one artifact begin with."""
        return self.key[: -len(self.sha256)]


class StoredObject(NamedTuple):
    """A version that is kept.

    `version` is the store's own word for it, in a bucket with versions. `checksum` is the base64
    of the SHA-256 that the store verified; with `-N` behind it, that of the N parts' SHA-256.
    """

    bucket: str
    key: str
    version: str | None
    checksum: str


class Torn(NamedTuple):
    """Nothing was kept: the file is not, or no longer, the version that was wanted."""

    problem: str


class Refused(NamedTuple):
    """Nothing was kept, and it is worth trying again; `text` says why, and what a person can do."""

    text: str


def content_key(group: str, name: str, sha256: str) -> str:
    """GROUP/NAME/SHA256: one content of one artifact has one key, whoever asks and how often.

    A name too long for S3 keeps its end, behind 8 hex digits of sha256 of the whole name.
    """
    head, tail = f"{group.strip('/')}/", f"/{sha256}"
    cleaned = _FORBIDDEN.sub("_", name)
    room = LONGEST_KEY - len((head + tail).encode())
    encoded = cleaned.encode()
    if len(encoded) > room:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
        end = encoded[-(room - _HASH_DIGITS - 1) :].decode("utf-8", "ignore")
        cleaned = f"{digest}-{end}"
    return head + cleaned + tail

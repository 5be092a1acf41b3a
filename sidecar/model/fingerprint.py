"""Tells whether a file is the one that was read before.

Inode numbers are used again and names move, so a source is known by the content of its first
bytes (`Fingerprint`), and the place to go on from by the bytes just before it (`Marker`).
"""

from hashlib import blake2b
from typing import NamedTuple
from zlib import crc32

FULL = 1024
"""Bytes after which a fingerprint stops growing."""

MARKER_LENGTH = 1024
"""Bytes before an offset that a marker covers, at most: several lines, since lines that differ in
their beginning alone end alike in every generation of a file."""

_DIGEST_BYTES = 16


class Fingerprint(NamedTuple):
    """A digest of a file's first `length` bytes; it grows with the file until it is full."""

    length: int
    digest: str

    @classmethod
    def of(cls, head: bytes) -> "Fingerprint":
        """The fingerprint of a file that begins with `head` (more than FULL bytes do no harm)."""
        head = head[:FULL]
        return cls(len(head), blake2b(head, digest_size=_DIGEST_BYTES).hexdigest())

    @property
    def full(self) -> bool:
        """Whether it has stopped growing."""
        return self.length >= FULL

    def matches(self, head: bytes) -> bool:
        """Whether a file beginning with `head` may be the same one, grown or not.

        A file shorter than what was seen is another one. A fingerprint of nothing matches all.
        """
        return len(head) >= self.length and Fingerprint.of(head[: self.length]) == self

    def extended_by(self, head: bytes) -> "Fingerprint":
        """The longer fingerprint when `head` is of the same file and longer; else itself."""
        if self.full or len(head) <= self.length or not self.matches(head):
            return self
        return Fingerprint.of(head)


class Marker(NamedTuple):
    """A checksum of the last bytes before an offset; of length 0 it claims nothing."""

    length: int = 0
    crc: int = 0

    @classmethod
    def of(cls, before: bytes) -> "Marker":
        """The marker of an offset that the bytes `before` lead up to."""
        tail = before[-MARKER_LENGTH:]
        return cls(len(tail), crc32(tail))

    def matches(self, before: bytes) -> bool:
        """Whether the bytes leading up to the offset are still those that were marked."""
        return len(before) >= self.length and (
            self.length == 0 or crc32(before[-self.length :]) == self.crc
        )


NO_MARKER = Marker()

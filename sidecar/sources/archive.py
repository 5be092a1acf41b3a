"""A gzip file read as the content it holds: streamed, in bounded memory."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable

MAGIC = b"\x1f\x8b"

INPUT_BYTES = 64 * 1024
PIECE_BYTES = 256 * 1024
"""Most content that one step of decompressing gives."""

WINDOW_BYTES = 64 * 1024
"""Content kept before the place that was read last: a read begins a few bytes early."""

_GZIP = 31
"""zlib's `wbits` for a gzip header and a checked trailer."""


class Stream:
    """The content from its beginning on, a piece at a time; several members are one content."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.whole = False
        """Did it end with a trailer that fits? Otherwise it is damaged, or still being written."""
        self._ended = False
        self._members = 0
        self._at = 0
        self._input = b""
        self._decompressor = zlib.decompressobj(_GZIP)

    def piece(self) -> bytes:
        """The next piece; empty at the end, and where nothing more can be decompressed."""
        while not self._ended:
            if self._decompressor.eof and not self._next_member():
                break
            if not self._input:
                self._input = self._read()
            if not self._input:
                self._ended = True
                break
            try:
                piece = self._decompressor.decompress(self._input, PIECE_BYTES)
            except zlib.error:
                self._ended = True
                break
            self._input = self._decompressor.unconsumed_tail
            if piece:
                return piece
        return b""

    def _next_member(self) -> bool:
        """Begin the next member, if one follows; padding and foreign bytes are passed over."""
        self._members += 1
        rest = self._decompressor.unused_data.lstrip(b"\0")
        while not rest and (more := self._read()):
            rest = more.lstrip(b"\0")
        if len(rest) == 1:
            rest += self._read()
        if not rest.startswith(MAGIC):
            self._ended = self.whole = True
            return False
        self._decompressor = zlib.decompressobj(_GZIP)
        self._input = rest
        return True

    def _read(self) -> bytes:
        data = os.pread(self.descriptor, INPUT_BYTES, self._at)
        self._at += len(data)
        return data


def reader(archive: object | None) -> Callable[[int, int, int], bytes]:
    """`pread` for the content of a file: of an archive the decompressed one."""
    return os.pread if archive is None else ArchiveReader().pread


class ArchiveReader:
    """Reads the content at an offset, as `pread` does; going back costs a new beginning."""

    def __init__(self) -> None:
        self._begin(-1)

    def pread(self, descriptor: int, length: int, at: int) -> bytes:
        """At most `length` bytes at `at`; fewer at the end. The descriptor may be another's than
        last time, of the same file."""
        if at < self._start:
            self._begin(descriptor)
        self._stream.descriptor = descriptor
        while self._start + len(self._window) < at + length:
            piece = self._stream.piece()
            if not piece:
                break
            self._window += piece
            self._let_go_before(at - WINDOW_BYTES)
        first = at - self._start
        return bytes(self._window[first : first + length])

    def _begin(self, descriptor: int) -> None:
        self._stream = Stream(descriptor)
        self._window = bytearray()
        self._start = 0

    def _let_go_before(self, offset: int) -> None:
        done = min(len(self._window), offset - self._start)
        if done > 0:
            del self._window[:done]
            self._start += done

"""Recognises the file that a finished source was compressed into, without unpacking all of it."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from sidecar.model.ledger import SourceRecord
from sidecar.sources.opening import open_file
from sidecar.sources.rules import LogRule
from sidecar.sources.siblings import base_names, is_compressed

# RFC 1952, 2.3.1: the last four bytes are the length of the content, modulo 2^32.
LENGTH_BYTES = 4
LENGTH_MODULO = 2**32


class Archive(NamedTuple):
    """A compressed file beside others."""

    path: str
    inode: int
    size: int
    modified_ns: int


def archives_beside(path: str, rule: LogRule) -> Iterator[Archive]:
    """Compressed files whose names a rotation of the same log has made. Raises OSError."""
    directory, name = os.path.split(path)
    mine = {name, *base_names(name, rule.match.rotated)}
    with os.scandir(directory) as entries:
        for entry in entries:
            if not is_compressed(entry.name) or not entry.is_file(follow_symlinks=False):
                continue
            if mine.intersection(base_names(entry.name, rule.match.rotated)):
                seen = entry.stat(follow_symlinks=False)
                yield Archive(entry.path, entry.inode(), seen.st_size, seen.st_mtime_ns)


def holds(archive: Archive, record: SourceRecord) -> bool:
    """Was exactly what is known of the source compressed into it: the same beginning, as long?"""
    fingerprint = record.fingerprint
    if fingerprint is None or archive.size < LENGTH_BYTES:
        return False
    try:
        with os.fdopen(open_file(archive.path), "rb") as file:
            file.seek(-LENGTH_BYTES, os.SEEK_END)
            length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            if length != record.acknowledged % LENGTH_MODULO:
                return False
            file.seek(0)
            head = gzip.GzipFile(fileobj=file).read(fingerprint.length)
    except (OSError, EOFError, zlib.error):
        return False
    return fingerprint.matches(head)

"""Writes a version of an artifact to a file: all of it, checked, or nothing."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from sidecar.delivery.object_store import ObjectStore, ObjectUnreadable
from sidecar.model.manifest import Manifest


class NotRestored(Exception):  # noqa: N818
    """There is no such content, or not the one that was shipped; the text says what to do."""


def restore(manifest: Manifest, output: Path, store: ObjectStore, *, replace: bool) -> Path:
    """Write the content beside and rename it into place; gives the path. Raises NotRestored.

    What is there already is replaced only where that was asked for.
    """
    if not replace and output.exists():
        raise NotRestored(f"{output} is there already; name another file with --output")
    pieces = _content(manifest, store)
    beside = output.parent / f".{output.name[-200:]}.{secrets.token_hex(4)}.tmp"
    try:
        try:
            _write(beside, pieces, manifest)
            beside.replace(output)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
    except ObjectUnreadable as error:
        raise NotRestored(f"the content of {manifest.name!r} cannot be had: {error}") from error
    except OSError as error:
        where = output.parent if error.filename == str(beside) else output
        why = error.strerror or error
        raise NotRestored(f"{where} cannot be written: {why}; choose another --output") from error
    return output


def _content(manifest: Manifest, store: ObjectStore) -> Iterator[bytes]:
    if manifest.content is not None:
        return iter((manifest.content,))
    if manifest.stored is not None:
        return iter(store.read(manifest.stored))
    raise NotRestored(
        f"the content of {manifest.name!r} was not kept: it has {manifest.size} bytes, more than "
        "artifacts[].inline_limit, and no bucket was set; set artifacts[].bucket for the next ones"
    )


def _write(path: Path, pieces: Iterator[bytes], manifest: Manifest) -> None:
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    with os.fdopen(descriptor, "wb") as file:
        for piece in pieces:
            digest.update(piece)
            file.write(piece)
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != manifest.version:
        raise NotRestored(
            f"the content of {manifest.name!r} has the sha256 {digest.hexdigest()}, and "
            f"{manifest.version} was shipped; it was changed since, and nothing is written"
        )

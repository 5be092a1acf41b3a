"""R01, R02, T01, T02, R09, I03: host a rotates and truncates what the sidecar on b reads."""

from __future__ import annotations

import os

from tests.nfs import files
from tests.nfs.hosts import Host
from tests.nfs.volume import Volume


def test_r01_a_file_renamed_and_made_anew_by_another_host_is_one_stream(
    volume: Volume, a: Host, b: Host
) -> None:
    """The old file is read to its end, lines after its renaming included, then the new one.

    Catches: taking the file that a name leads to for the one that was held under it.
    """
    volume.write(a, "w.log", 20)
    with volume.sidecar(b):
        volume.wait_until_shipped()
        path = volume.path("w.log")
        for _ in range(3):
            a.do(files.append, path, volume.lines("w.log", 20))
            descriptor = a.do(os.open, path, os.O_WRONLY | os.O_APPEND)
            a.do(files.rotate, path)
            # The writer has not noticed yet.
            a.do(os.write, descriptor, files.text(volume.lines("w.log", 20)))
            a.do(os.close, descriptor)
            volume.write(a, "w.log", 20)
        volume.wait_until_shipped()
        assert volume.complaints() == []


def test_t02_what_another_host_copies_and_truncates_is_read_from_the_copy(
    volume: Volume, a: Host, b: Host
) -> None:
    """Lines that were not read before the truncation come from the copy, and the rest follows.

    Catches: beginning at the new file's start without a look for a copy.
    """
    volume.write(a, "w.log", 40)
    with volume.sidecar(b):
        volume.wait_until_shipped()
        for generation in range(1, 3):
            volume.write(a, "w.log", 40)
            away = volume.path(f"w.log.{generation}")
            a.do(files.copytruncate, volume.path("w.log"), away, volume.lines("w.log", 5))
            volume.wait_until_shipped()
        assert volume.complaints() == []


def test_t01_what_another_host_truncates_and_writes_again_is_read_from_its_start(
    volume: Volume, a: Host, b: Host
) -> None:
    """After all was read, a file cut to nothing begins anew, also where it is longer by then.

    Catches: reading on at the old position where the size has not shrunk.
    """
    volume.write(a, "w.log", 10)
    with volume.sidecar(b):
        volume.wait_until_shipped()
        a.do(files.copytruncate, volume.path("w.log"), os.devnull, volume.lines("w.log", 30))
        volume.wait_until_shipped()
        assert volume.complaints() == []


def test_r09_a_file_deleted_and_made_anew_by_another_host_begins_at_0(
    volume: Volume, a: Host, b: Host
) -> None:
    """What was shipped before its deletion is not shipped again, and the new file is, whole.

    Catches: keeping the position for a name, or for an inode number that is used again.
    """
    volume.write(a, "other.log", 1)
    volume.write(a, "w.log", 30)
    with volume.sidecar(b):
        volume.wait_until_shipped()
        for _ in range(3):
            a.do(os.unlink, volume.path("w.log"))
            volume.write(a, "w.log", 10)
            volume.wait_until_shipped()
        volume.write(a, "other.log", 1)
        volume.wait_until_shipped()
        assert volume.complaints() == []

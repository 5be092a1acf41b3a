"""A01 to A04: when an artifact is finished, what is shipped of it, and that it is never torn."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from sidecar.sources import artifact_reader
from tests.support.shipping import ARTIFACTS, Shipping, append

SETTLE = 5.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where artifacts are made."""
    (tmp_path / "artifacts").mkdir()
    return tmp_path / "artifacts"


def shipping(volume: Path, **more: Any) -> Shipping:
    """A sidecar that ships artifacts of up to 4 KiB whole."""
    hears = more.pop("hears", False)
    entry = {
        "include": [f"{volume}/artifacts/**/*"],
        "settle": f"{SETTLE:g}s",
        "inline_limit": "4KiB",
    }
    return Shipping(volume, hears=hears, artifacts=[entry | more])


def content_of(manifest: dict[str, Any]) -> bytes:
    """The artifact as somebody would restore it; its digest has to fit."""
    if manifest["content"] is not None:
        assert manifest["content_base64"] is None
        found = manifest["content"].encode()
    else:
        found = base64.b64decode(manifest["content_base64"], validate=True)
    assert hashlib.sha256(found).hexdigest() == manifest["version"]
    assert len(found) == manifest["bytes"]
    return found


def put_in_place(path: Path, content: bytes) -> None:
    """Write beside, and rename: what a careful writer does."""
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_bytes(content)
    beside.rename(path)


def test_a01_shipped_once_it_has_settled(tmp_path: Path, folder: Path) -> None:
    """An artifact that grows is not shipped before it is unchanged for `settle`, counted from its
    last change; then it is shipped once.

    Catches: counting from the first look; not noticing a change of size or time.
    """
    with shipping(tmp_path) as sidecar:
        sidecar.settle()
        for piece in range(6):
            append(folder / "report.txt", f"piece {piece}\n")
            sidecar.pass_time(SETTLE - 2.5, each=0.1)
            assert sidecar.manifests("report.txt") == []
        sidecar.pass_time(SETTLE, each=0.1)
        (manifest,) = sidecar.manifests("report.txt")
        assert content_of(manifest) == b"".join(b"piece %d\n" % piece for piece in range(6))
        sidecar.pass_time(60)
        assert len(sidecar.manifests("report.txt")) == 1


def test_a01_rewritten_in_place_with_the_same_size(tmp_path: Path, folder: Path) -> None:
    """A change that leaves the size as it was starts the wait anew.

    Catches: comparing sizes alone.
    """
    report = folder / "report.txt"
    report.write_bytes(b"draft")
    os.utime(report, ns=(1, 10**18))
    with shipping(tmp_path) as sidecar:
        sidecar.step()
        report.write_bytes(b"final")
        sidecar.pass_time(2 * SETTLE, each=0.1)
        assert content_of(sidecar.manifests("report.txt")[-1]) == b"final"


def test_a01_renamed_into_place_is_shipped_at_once(tmp_path: Path, folder: Path) -> None:
    """A rename that was heard says that the artifact is finished: `settle` is not waited for.

    Catches: dropping the watch's `moved_in`.
    """
    with shipping(tmp_path, hears=True, settle="1h") as sidecar:
        sidecar.settle()
        put_in_place(folder / "report.txt", b"whole")
        for _ in range(400):
            sidecar.step(0.01)
            sidecar.wake.wait(0.01)
            if sidecar.manifests("report.txt"):
                break
        assert [content_of(each) for each in sidecar.manifests("report.txt")] == [b"whole"]


def test_a01_renamed_into_place_by_another_host(tmp_path: Path, folder: Path) -> None:
    """Where nothing can be heard, an artifact renamed into place is shipped once it has settled.

    Catches: waiting for an event that never comes.
    """
    with shipping(tmp_path) as sidecar:
        sidecar.settle()
        put_in_place(folder / "report.txt", b"whole")
        sidecar.pass_time(2 * SETTLE, each=0.5)
        assert [content_of(each) for each in sidecar.manifests("report.txt")] == [b"whole"]


def test_a01_done_marker_ends_the_wait(tmp_path: Path, folder: Path) -> None:
    """A NAME.done beside it says that an artifact is finished, at once; it is no artifact itself.

    Catches: waiting `settle` all the same; shipping the marker.
    """
    with shipping(tmp_path, settle="1h") as sidecar:
        append(folder / "report.txt", b"whole")
        sidecar.pass_time(5)
        assert sidecar.streams(ARTIFACTS) == []
        (folder / "report.txt.done").touch()
        sidecar.pass_time(5)
        assert [content_of(each) for each in sidecar.manifests("report.txt")] == [b"whole"]
        assert sidecar.streams(ARTIFACTS) == ["report.txt"]


def test_a01_old_artifact_is_not_waited_for(tmp_path: Path, folder: Path) -> None:
    """What nobody has written to for longer than `settle` is shipped at the first look.

    Catches: counting every wait from the sidecar's own start.
    """
    (folder / "old.txt").write_bytes(b"old")
    os.utime(folder / "old.txt", (1_700_000_000, 1_700_000_000))
    with shipping(tmp_path, settle="1h") as sidecar:
        sidecar.pass_time(5)
        assert [content_of(each) for each in sidecar.manifests("old.txt")] == [b"old"]


def test_a01_what_never_is_an_artifact(tmp_path: Path, folder: Path) -> None:
    """Hidden, temporary, partial files and markers are never shipped; folders are gone through.

    Catches: dropping a suffix from the list of unfinished names.
    """
    for name in [".hidden", "a.tmp", "a.part", "a.done", "b~", ".nfs0001"]:
        append(folder / name, b"not finished")
    append(folder / "deep/er/c.json", b"{}")
    with shipping(tmp_path) as sidecar:
        sidecar.pass_time(20)
        assert sidecar.streams(ARTIFACTS) == ["deep/er/c.json"]


@pytest.mark.parametrize("clean", [None, True, False])
def test_a02_same_content_again_is_not_shipped_again(
    tmp_path: Path, folder: Path, clean: bool | None
) -> None:
    """Touched, written anew with the same bytes, replaced by an equal file, or seen again after a
    restart: nothing is shipped. Changed content is a new version.

    Catches: comparing times or inodes instead of digests; forgetting versions over a restart.
    """
    report = folder / "report.txt"
    put_in_place(report, b"one")
    with shipping(tmp_path) as sidecar:
        acts: list[Callable[[], object]] = [
            lambda: None,
            report.touch,
            lambda: report.write_bytes(b"one"),
            lambda: put_in_place(report, b"one"),
        ]
        for act in acts:
            act()
            sidecar.pass_time(2 * SETTLE, each=0.5)
            if clean is not None:
                sidecar.restart(clean=clean)
                sidecar.pass_time(2 * SETTLE, each=0.5)
            assert len(sidecar.manifests("report.txt")) == 1
        put_in_place(report, b"two")
        sidecar.pass_time(2 * SETTLE, each=0.5)
        report.write_bytes(b"one")
        sidecar.pass_time(2 * SETTLE, each=0.5)
        shipped = [content_of(each) for each in sidecar.manifests("report.txt")]
        assert shipped == [b"one", b"two", b"one"]


def test_a02_same_content_under_two_names(tmp_path: Path, folder: Path) -> None:
    """Equal content under another name is another artifact.

    Catches: knowing versions by digest without the path.
    """
    put_in_place(folder / "a.txt", b"same")
    put_in_place(folder / "deep.txt", b"same")
    with shipping(tmp_path) as sidecar:
        sidecar.pass_time(20)
        assert sidecar.streams(ARTIFACTS) == ["a.txt", "deep.txt"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"plain\n",
        "grüße €100 😀\r\n".encode(),
        bytes(range(256)),
        b"\xef\xbb\xbfwith a mark",
        b"\xff\xfe\x00\xd8",
        b"nul\0inside",
        b'quotes " and \\ and \x1b[0m \x7f',
        b"x" * 4096,
        b"\x80" * 4096,
        "\u2028\ufffe\uffff\U0010ffff".encode(),
    ],
    ids=lambda content: f"{len(content)}-{hashlib.sha256(content).hexdigest()[:4]}",
)
def test_a03_content_travels_in_the_manifest(tmp_path: Path, folder: Path, content: bytes) -> None:
    """Up to the limit, exactly it included, the content comes back byte for byte, text and binary.

    Catches: decoding with replacement; `<` for `<=` against the limit; newline translation.
    """
    put_in_place(folder / "any.bin", content)
    with shipping(tmp_path) as sidecar:
        sidecar.pass_time(2 * SETTLE, each=0.5)
        (manifest,) = sidecar.manifests("any.bin")
        assert content_of(manifest) == content
        assert manifest["artifact"] == "any.bin"
        assert manifest["s3"] is None


@pytest.mark.parametrize("size", [4097, 3_000_001])
def test_a03_over_the_limit_the_manifest_alone(tmp_path: Path, folder: Path, size: int) -> None:
    """Over the limit the manifest names size and digest of the whole, and holds no content.

    Catches: cutting the content off at the limit; hashing the first chunk alone.
    """
    content = os.urandom(1 << 16) * (size // (1 << 16) + 1)
    put_in_place(folder / "big.bin", content[:size])
    with shipping(tmp_path) as sidecar:
        sidecar.pass_time(2 * SETTLE, each=0.5)
        (manifest,) = sidecar.manifests("big.bin")
        assert manifest["bytes"] == size
        assert manifest["version"] == hashlib.sha256(content[:size]).hexdigest()
        assert manifest["content"] is None
        assert manifest["content_base64"] is None


@pytest.mark.parametrize("letter", [b"\x80", b"\x01", b'"', b"e"])
def test_a03_largest_inline_limit_fits_an_event(
    tmp_path: Path, folder: Path, letter: bytes
) -> None:
    """512 KiB of the worst bytes, whichever way they are written into JSON, fit one event.

    Catches: a limit that counts bytes of the file where the event's count (a control character
    takes six).
    """
    content = letter * (512 * 1024)
    put_in_place(folder / "worst.bin", content)
    with shipping(tmp_path, inline_limit="512KiB") as sidecar:
        sidecar.pass_time(2 * SETTLE, each=0.5)
        (manifest,) = sidecar.manifests("worst.bin")
        assert content_of(manifest) == content


@pytest.mark.parametrize("how", ["grows", "is rewritten", "is replaced", "is deleted"])
def test_a04_change_while_it_is_read_ships_no_torn_mix(
    tmp_path: Path, folder: Path, how: str
) -> None:
    """An artifact that changes between two reads of it is not shipped as read: it is read again
    once it has settled anew, and what is shipped is one version that was there.

    Catches: leaving out the second `fstat`, or the comparison of the inode at the path.
    """
    report = folder / "report.bin"
    first, second = b"a" * 4000, b"b" * 4000
    put_in_place(report, first)
    real, done = os.pread, []

    def interfere(descriptor: int, length: int, at: int) -> bytes:
        """After the first half of the artifact, somebody else comes in between."""
        if length != artifact_reader.CHUNK_BYTES:
            return real(descriptor, length, at)
        if at >= 2000 and not done:
            done.append(how)
            if how == "grows":
                append(report, b"more")
            elif how == "is rewritten":
                report.write_bytes(second)
            elif how == "is replaced":
                put_in_place(report, second)
            else:
                report.unlink()
        return real(descriptor, 2000, at)

    with shipping(tmp_path) as sidecar:
        with mock.patch.object(artifact_reader.os, "pread", interfere):
            sidecar.pass_time(2 * SETTLE, each=0.5)
            sidecar.pass_time(4 * SETTLE, each=0.5)
        assert done == [how]
        shipped = [
            content_of(each) for each in sidecar.manifests("report.bin") if "version" in each
        ]
        last = {"grows": first + b"more", "is deleted": None}.get(how, second)
        assert shipped == ([] if last is None else [last])


def test_a04_deleted_before_it_settled(tmp_path: Path, folder: Path) -> None:
    """What was deleted before it was finished leaves no event behind, and no drain waits for it.

    Catches: reporting the deletion of what was never shipped.
    """
    append(folder / "report.txt", b"half")
    with shipping(tmp_path) as sidecar:
        sidecar.step()
        (folder / "report.txt").unlink()
        sidecar.pass_time(30)
        assert sidecar.streams(ARTIFACTS) == []
        assert sidecar.restart() == 0


@pytest.mark.parametrize("clean", [None, True, False])
def test_a04_deletion_is_told_once(tmp_path: Path, folder: Path, clean: bool | None) -> None:
    """The deletion of a shipped artifact is one event, also when it went while the sidecar was
    down; a replacement within moments is no deletion, and one made later ships anew.

    Catches: telling a deletion each time the name is missed; taking a rename over it for one.
    """
    report = folder / "report.txt"
    append(folder / "other.txt", b"keeps the folder in use")
    put_in_place(report, b"one")
    with shipping(tmp_path) as sidecar:
        sidecar.pass_time(2 * SETTLE, each=0.5)
        put_in_place(report, b"two")
        sidecar.pass_time(2 * SETTLE, each=0.5)
        if clean is not None:
            sidecar.stop(clean=clean)
        report.unlink()
        if clean is not None:
            sidecar.start()
        sidecar.pass_time(30)
        sidecar.restart()
        sidecar.pass_time(30)
        put_in_place(report, b"one")
        sidecar.pass_time(30)
        kinds = [
            "deleted" if "deleted" in each else content_of(each).decode()
            for each in sidecar.manifests("report.txt")
        ]
        assert kinds == ["one", "two", "deleted", "one"]


def test_a01_drain_ships_what_has_not_settled(tmp_path: Path, folder: Path) -> None:
    """A drain waits for artifacts that are still settling, as the application has ended by then.

    Catches: ending a drain while an artifact is seen and not yet finished.
    """
    with shipping(tmp_path) as sidecar:
        sidecar.settle()
        append(folder / "last.txt", b"written last")
        assert sidecar.stop() == 0
        assert [content_of(each) for each in sidecar.manifests("last.txt")] == [b"written last"]


def test_a04_one_that_cannot_be_read_holds_up_nothing(
    tmp_path: Path, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """It is said once and in the status; others are shipped, a drain does not wait for it, and it
    is shipped when it can be read.

    Catches: a warning at each attempt; a drain that waits for what nobody can read.
    """
    put_in_place(folder / "closed.txt", b"closed")
    put_in_place(folder / "open.txt", b"open")
    real = artifact_reader.open_file

    def refused(path: str) -> int:
        if path.endswith("closed.txt"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    with shipping(tmp_path) as sidecar:
        with mock.patch.object(artifact_reader, "open_file", refused):
            for _ in range(120):
                sidecar.step(0.5)
            assert sidecar.streams(ARTIFACTS) == ["open.txt"]
            (degraded,) = sidecar.status()["degraded"]
            assert "closed.txt" in degraded
            assert capfd.readouterr().out.count("artifact_unreadable") == 1
            assert sidecar.restart() == 0
        sidecar.pass_time(10, each=0.5)
        assert sidecar.streams(ARTIFACTS) == ["closed.txt", "open.txt"]
        assert sidecar.status()["degraded"] == []


def test_a04_what_changed_is_counted(tmp_path: Path, folder: Path) -> None:
    """Each reading that was given up is in the totals.

    Catches: giving up in silence.
    """
    report = folder / "report.bin"
    put_in_place(report, b"a" * 4000)
    real = os.fstat

    def moving(descriptor: int) -> os.stat_result:
        seen = real(descriptor)
        report.write_bytes(b"b" * 4000)
        os.utime(report, ns=(1, 10**18))
        return seen

    with shipping(tmp_path) as sidecar:
        # Of the reader's only: a look asks by `fstat` as well.
        readers = SimpleNamespace(**{**vars(os), "fstat": moving})
        with mock.patch.object(artifact_reader, "os", readers):
            for _ in range(100):
                sidecar.step(0.5)
                if sidecar.totals.artifacts_torn:
                    break
        sidecar.pass_time(4 * SETTLE, each=0.5)
        assert sidecar.status()["totals"]["artifacts_torn"] >= 1
        assert [content_of(each) for each in sidecar.manifests("report.bin")] == [b"b" * 4000]

"""A03 and A04 with a bucket: what is over the inline limit goes to S3, and holds up nothing."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.delivery.s3 import PART_BYTES
from tests.integration.reading.test_artifacts import SETTLE, put_in_place
from tests.support.s3 import StrictS3
from tests.support.shipping import ARTIFACTS, Shipping, append, lines

BUCKET = "reports-artifacts"


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictS3]:
    """A bucket that the sidecar finds through its environment."""
    with StrictS3(BUCKET) as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where artifacts are made."""
    (tmp_path / "artifacts").mkdir()
    return tmp_path / "artifacts"


def shipping(volume: Path, **settings: Any) -> Shipping:
    """A sidecar that stores what is over 4 KiB in the bucket."""
    entry = {
        "include": [f"{volume}/artifacts/**/*"],
        "settle": f"{SETTLE:g}s",
        "inline_limit": "4KiB",
        "bucket": BUCKET,
    }
    return Shipping(volume, artifacts=[entry], **settings)


def content_of(s3: StrictS3, manifest: dict[str, Any]) -> bytes:
    """What the manifest says is in the bucket; everything it says has to fit."""
    assert manifest["content"] is None
    assert manifest["content_base64"] is None
    stored = manifest["s3"]
    assert stored["bucket"] == BUCKET
    found = s3.buckets[BUCKET].objects[stored["key"]]
    assert stored["checksum"] == found.checksum
    assert hashlib.sha256(found.content).hexdigest() == manifest["version"]
    assert len(found.content) == manifest["bytes"]
    return found.content


@pytest.mark.parametrize("size", [4097, 2 * PART_BYTES + 5])
def test_a03_large_content_goes_to_the_bucket(
    tmp_path: Path, folder: Path, s3: StrictS3, size: int
) -> None:
    """Over the limit the content is in the bucket when the manifest that names it is shipped.

    Catches: shipping the manifest before the content is kept; not handing the bucket on.
    """
    content = os.urandom(size)
    put_in_place(folder / "big.parquet", content)
    put_in_place(folder / "small.txt", b"small")
    with shipping(tmp_path) as sidecar:
        sidecar.pass_time(3 * SETTLE, each=0.5)
        (manifest,) = sidecar.manifests("big.parquet")
        assert content_of(s3, manifest) == content
        assert manifest["s3"]["key"] == f"ecs/reports/artifacts/big.parquet/{manifest['version']}"
        (small,) = sidecar.manifests("small.txt")
        assert small["content"] == "small"
        assert small["s3"] is None
        assert len(s3.buckets[BUCKET].objects) == 1


@pytest.mark.parametrize("clean", [True, False])
def test_a02_a_version_is_stored_once(
    tmp_path: Path, folder: Path, s3: StrictS3, *, clean: bool
) -> None:
    """The same content touched, written anew, seen after a restart, or back again after another
    version, is not uploaded again.

    Catches: a key that holds a time, or a number.
    """
    first, second = os.urandom(5000), os.urandom(5000)
    path = folder / "big.bin"
    put_in_place(path, first)
    with shipping(tmp_path) as sidecar:
        for content in (first, first, second, first):
            put_in_place(path, content)
            sidecar.pass_time(3 * SETTLE, each=0.5)
            sidecar.restart(clean=clean)
            sidecar.pass_time(3 * SETTLE, each=0.5)
        shipped = [content_of(s3, manifest) for manifest in sidecar.manifests("big.bin")]
        assert shipped == [first, second, first]
        assert sorted(s3.buckets[BUCKET].writes.values()) == [1, 1]


def test_a03_killed_between_upload_and_manifest(tmp_path: Path, folder: Path, s3: StrictS3) -> None:
    """A sidecar that died after the upload ships the manifest when it is back, and uploads nothing.

    Catches: a version that counts as shipped once it is in the bucket.
    """
    content = os.urandom(2 * PART_BYTES + 5)
    put_in_place(folder / "big.bin", content)
    with shipping(tmp_path) as sidecar:
        sidecar.fake.down = True
        for _ in range(200):
            sidecar.step(0.5)
            if s3.buckets[BUCKET].objects:
                break
        sidecar.stop(clean=False)
        sidecar.fake.down = False
        sidecar.start()
        sidecar.pass_time(3 * SETTLE, each=0.5)
        assert [content_of(s3, each) for each in sidecar.manifests("big.bin")] == [content]
        assert s3.requests["UploadPart"] == 3


def test_a03_a_denied_bucket_holds_up_nothing_else(
    tmp_path: Path, folder: Path, s3: StrictS3
) -> None:
    """Without permission the sidecar says what to do and goes on with logs and small artifacts;
    what waited is shipped when the permission is there, without a restart.

    Catches: an upload on the pump's own thread; giving an artifact up.
    """
    s3.deny("HeadObject", "PutObject", "CreateMultipartUpload")
    put_in_place(folder / "big.bin", b"b" * 5000)
    put_in_place(folder / "also big.bin", b"c" * 5000)
    with shipping(tmp_path) as sidecar:
        sidecar.pass_time(3 * SETTLE, each=0.5)
        put_in_place(folder / "small.txt", b"small")
        append(sidecar.logs / "a.log", lines("a", 100))
        sidecar.pass_time(3 * SETTLE, each=0.5)
        assert sidecar.messages("a.log") == lines("a", 100)
        assert sidecar.streams(ARTIFACTS) == ["small.txt"]
        (degraded,) = sidecar.status()["degraded"]
        assert degraded.startswith("artifact_store: ")
        assert f"allow s3:PutObject on arn:aws:s3:::{BUCKET}/*" in degraded
        assert sidecar.status()["artifacts"]["unsettled"] == 2
        s3.allow()
        sidecar.pass_time(15, each=0.5)
        assert sidecar.status()["degraded"] == []
        for name in ("big.bin", "also big.bin"):
            assert len(sidecar.manifests(name)) == 1


def test_a03_a_drain_says_which_artifact_is_left(
    tmp_path: Path, folder: Path, s3: StrictS3, capfd: pytest.CaptureFixture[str]
) -> None:
    """A bucket that refuses keeps a drain until its deadline; then the artifact is named, the
    status is 3, and the next run ships it.

    Catches: a drain that calls itself done over an artifact that nobody has.
    """
    s3.deny("HeadObject", "PutObject")
    put_in_place(folder / "big.bin", b"b" * 5000)
    with shipping(tmp_path, drain={"quiet": "200ms", "deadline": "20s"}) as sidecar:
        assert sidecar.stop() == 3
        assert "big.bin (an artifact)" in capfd.readouterr().out
        s3.allow()
        sidecar.start()
        sidecar.pass_time(3 * SETTLE, each=0.5)
        assert len(sidecar.manifests("big.bin")) == 1


@pytest.mark.parametrize("how", ["rewritten", "replaced", "deleted"])
def test_a04_change_while_it_is_uploaded_ships_no_torn_mix(
    tmp_path: Path, folder: Path, s3: StrictS3, how: str
) -> None:
    """What changes under an upload is not kept; it is counted, and what it became is shipped.

    Catches: shipping the manifest of the first reading over the content of a second.
    """
    size = 2 * PART_BYTES + 5
    path = folder / "big.bin"
    put_in_place(path, b"a" * size)

    def change(operation: str) -> None:
        if operation != "UploadPart":
            return
        s3.before = lambda operation: None
        if how == "rewritten":
            path.write_bytes(b"b" * size)
        elif how == "replaced":
            put_in_place(path, b"b" * size)
        else:
            path.unlink()

    s3.before = change
    with shipping(tmp_path) as sidecar:
        sidecar.pass_time(10 * SETTLE, each=0.5)
        shipped = [
            content_of(s3, each)[:1] for each in sidecar.manifests("big.bin") if "version" in each
        ]
        # A file replaced by renaming goes on under the descriptor: that version was whole.
        expected = {"rewritten": [b"b"], "replaced": [b"a", b"b"], "deleted": [b"a"]}[how]
        assert shipped == expected
        assert s3.buckets[BUCKET].uploads == {}
        assert sidecar.totals.artifacts_torn == (how == "rewritten")

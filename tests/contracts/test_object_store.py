"""The object store's contract, over S3 as two doubles understand it: whole, once, or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from sidecar.delivery.leftovers import FORSAKEN
from sidecar.delivery.object_store import ObjectUnreadable
from sidecar.delivery.s3 import PART_BYTES, S3
from sidecar.delivery.uploads import keep_file
from sidecar.model.stored_object import Refused, StoredObject, Torn, Wanted, content_key
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.s3 import StrictS3
from tests.support.s3.double import SLOW
from tests.support.s3.store import S3Error, Upload, composite_of

BUCKET = "reports-artifacts"
SMALL = b"one part " * 1000
LARGE = bytes(range(256)) * (PART_BYTES // 128) + b"the rest"
"""Two full parts and a short one."""


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[StrictS3]:
    """The strict double, found by boto3 through the environment."""
    with StrictS3(BUCKET) as double:
        for name, value in double.environment().items():
            monkeypatch.setenv(name, value)
        yield double


@pytest.fixture(params=["strict", "moto"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One of the two doubles, with the bucket made."""
    if request.param == "strict":
        request.getfixturevalue("s3")
        yield
        return
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in StrictS3.credentials(f"http://{host}:{port}").items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket=BUCKET)
    yield
    server.stop()


def wanted(path: Path, name: str = "deep/report.bin") -> Wanted:
    """What the file's content as it is now is to be kept as."""
    content = path.read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    key = content_key("/ecs/reports/artifacts", name, sha256)
    return Wanted(BUCKET, key, sha256, len(content), "application/octet-stream")


def made(folder: Path, content: bytes) -> Path:
    path = folder / "report.bin"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("content", [SMALL, LARGE, b"x" * PART_BYTES], ids=["one", "three", "full"])
@pytest.mark.usefixtures("either")
def test_a03_kept_and_given_back(tmp_path: Path, content: bytes) -> None:
    """What is kept comes back byte for byte, in one part or in many; kept again it is the same.

    Catches: leaving out the last, short part; reading a part twice.
    """
    path = made(tmp_path, content)
    store = S3()

    first = keep_file(store, str(path), wanted(path))
    again = keep_file(S3(), str(path), wanted(path))

    assert isinstance(first, StoredObject)
    assert isinstance(again, StoredObject)
    assert b"".join(store.read(first)) == b"".join(store.read(again)) == content


def test_a03_the_same_version_is_stored_once(s3: StrictS3, tmp_path: Path) -> None:
    """A version that is there is not sent again, also where HEAD is forbidden.

    Catches: leaving out the look before an upload, or the condition on it.
    """
    path = made(tmp_path, LARGE)
    keep_file(S3(), str(path), wanted(path))
    parts = s3.requests["UploadPart"]
    keep_file(S3(), str(path), wanted(path))
    assert s3.requests["UploadPart"] == parts == 3

    s3.deny("HeadObject")
    outcome = keep_file(S3(), str(path), wanted(path))

    assert isinstance(outcome, StoredObject)
    assert s3.buckets[BUCKET].writes == {wanted(path).key: 1}
    assert s3.buckets[BUCKET].uploads == {}


def test_a03_every_part_is_verified_by_the_store(s3: StrictS3, tmp_path: Path) -> None:
    """The checksum that is told is the one S3 made of the parts, which it verified one by one.

    Catches: a checksum of the whole file where S3 wants that of the parts' checksums.
    """
    path = made(tmp_path, LARGE)
    outcome = keep_file(S3(), str(path), wanted(path))
    parts = [LARGE[at : at + PART_BYTES] for at in range(0, len(LARGE), PART_BYTES)]
    key = wanted(path).key
    assert outcome == StoredObject(BUCKET, key, None, composite_of(parts))
    assert s3.buckets[BUCKET].objects[key].metadata == {"sha256": wanted(path).sha256}


def test_a03_a_version_of_the_bucket_is_told(tmp_path: Path, s3: StrictS3) -> None:
    """In a bucket with versions the manifest can name the very one."""
    s3.buckets[BUCKET].versioned = True
    path = made(tmp_path, SMALL)
    outcome = keep_file(S3(), str(path), wanted(path))
    assert isinstance(outcome, StoredObject)
    assert outcome.version == "v1"


@pytest.mark.parametrize("operation", ["CompleteMultipartUpload", "UploadPart"])
def test_a03_a_lost_reply_stores_nothing_twice(
    s3: StrictS3, tmp_path: Path, operation: str
) -> None:
    """Done but unanswered, an upload ends as if it had been answered, now or at the next attempt.

    Catches: an unconditional completion after a reply that was lost.
    """
    path = made(tmp_path, LARGE)
    s3.fail(operation, "lost_reply")
    store = S3()
    outcome = keep_file(store, str(path), wanted(path))
    if isinstance(outcome, Refused):
        outcome = keep_file(store, str(path), wanted(path))
    assert isinstance(outcome, StoredObject)
    assert s3.buckets[BUCKET].writes == {wanted(path).key: 1}


def test_a03_what_fails_half_way_leaves_no_parts(s3: StrictS3, tmp_path: Path) -> None:
    """An upload that fails is aborted; the next attempt succeeds.

    Catches: leaving out the abort: S3 bills the parts for ever.
    """
    path = made(tmp_path, LARGE)
    s3.fail("UploadPart", S3Error(400, "InvalidRequest"))
    store = S3()
    assert isinstance(keep_file(store, str(path), wanted(path)), Refused)
    assert s3.buckets[BUCKET].uploads == {}
    assert isinstance(keep_file(store, str(path), wanted(path)), StoredObject)


def test_a03_an_abort_that_failed_is_made_up_for(s3: StrictS3, tmp_path: Path) -> None:
    """What could not be aborted at once is aborted before the next attempt.

    Catches: forgetting the uploads that this process began itself.
    """
    path = made(tmp_path, LARGE)
    s3.fail("UploadPart", S3Error(400, "InvalidRequest"))
    s3.deny("AbortMultipartUpload")
    store = S3()
    assert isinstance(keep_file(store, str(path), wanted(path)), Refused)
    assert len(s3.buckets[BUCKET].uploads) == 1
    s3.allow()
    keep_file(store, str(path), wanted(path))
    assert s3.buckets[BUCKET].uploads == {}


def test_a03_what_a_killed_sidecar_left_is_aborted(s3: StrictS3, tmp_path: Path) -> None:
    """Unfinished uploads of any version of this artifact go, and old ones of the same group; what
    is another program's, or another sidecar's of today, stays.

    Catches: aborting by prefix alone; leaving the uploads of an earlier process.
    """
    path = made(tmp_path, LARGE)
    bucket = s3.buckets[BUCKET]
    kept = wanted(path)

    def left(key: str, days: float) -> str:
        upload = Upload(key, {}, "")
        upload.begun = datetime.now(UTC) - days * FORSAKEN
        return bucket.begin(upload)

    sha = "0" * 64
    left(kept.prefix + sha, 0.1)
    left(f"ecs/reports/artifacts/gone.bin/{sha}", 3)
    stays = {
        left(f"ecs/reports/artifacts/other.bin/{sha}", 0.1),
        left("ecs/reports/artifacts/not-ours", 3),
        left(f"another/gone.bin/{sha}", 3),
    }
    assert isinstance(keep_file(S3(), str(path), kept), StoredObject)
    assert set(bucket.uploads) == stays


def test_a03_without_the_right_to_list_it_is_kept_all_the_same(
    s3: StrictS3, tmp_path: Path
) -> None:
    """Cleaning up after others is a courtesy: PutObject alone is enough to keep an artifact."""
    path = made(tmp_path, LARGE)
    s3.deny("ListMultipartUploads", "HeadObject")
    assert isinstance(keep_file(S3(), str(path), wanted(path)), StoredObject)


@pytest.mark.parametrize("size", [len(SMALL), len(LARGE)])
@pytest.mark.parametrize("how", ["rewritten", "grown", "cut", "replaced in the middle"])
def test_a04_what_changes_meanwhile_is_not_kept(
    s3: StrictS3, tmp_path: Path, size: int, how: str
) -> None:
    """A file that changes before or while it is uploaded is kept as no version, nor in part.

    Catches: taking the digest of the first reading for that of what was sent.
    """
    path = made(tmp_path, LARGE[:size])
    version = wanted(path)

    def change(operation: str) -> None:
        if operation != ("UploadPart" if size == len(LARGE) else "HeadObject"):
            return
        s3.before = lambda operation: None
        acts: dict[str, Callable[[], object]] = {
            "rewritten": lambda: path.write_bytes(b"n" * size),
            "grown": lambda: path.write_bytes(LARGE[:size] + b"more"),
            "cut": lambda: os.truncate(path, size // 2),
            "replaced in the middle": lambda: _poke(path, size - 5),
        }
        acts[how]()

    s3.before = change
    assert isinstance(keep_file(S3(), str(path), version), Torn)
    assert s3.buckets[BUCKET].objects == {}
    assert s3.buckets[BUCKET].uploads == {}


def _poke(path: Path, at: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(b"\xee\xee")


def test_a04_gone_or_of_another_size_is_not_even_begun(s3: StrictS3, tmp_path: Path) -> None:
    """What no longer is the version costs no request."""
    path = made(tmp_path, SMALL)
    version = wanted(path)
    path.write_bytes(SMALL + b"more")
    assert isinstance(keep_file(S3(), str(path), version), Torn)
    path.unlink()
    assert isinstance(keep_file(S3(), str(path), version), Torn)
    assert not s3.requests


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (S3Error(403, "AccessDenied"), f"allow s3:PutObject on arn:aws:s3:::{BUCKET}/*"),
        (S3Error(403, "ExpiredToken"), "renew the credentials"),
        (S3Error(400, "AuthorizationHeaderMalformed"), "set AWS_REGION"),
        (SLOW, "takes no artifact now"),
    ],
    ids=lambda each: getattr(each, "code", ""),
)
def test_a_refusal_says_what_to_do(
    s3: StrictS3, tmp_path: Path, fault: S3Error, words: str
) -> None:
    """Whatever S3 answers is an outcome with words, and raises nothing."""
    path = made(tmp_path, SMALL)
    s3.fail("PutObject", *[fault] * 5)
    outcome = keep_file(S3(), str(path), wanted(path))
    assert isinstance(outcome, Refused)
    assert words in outcome.text


def test_a_missing_bucket_says_what_to_do(s3: StrictS3, tmp_path: Path) -> None:
    """A bucket that does not exist is named, with the key of the configuration."""
    path = made(tmp_path, SMALL)
    outcome = keep_file(S3(), str(path), wanted(path)._replace(bucket="no-such-bucket"))
    assert isinstance(outcome, Refused)
    assert "artifacts[].bucket" in outcome.text


@pytest.mark.usefixtures("s3")
def test_what_is_gone_from_the_bucket_cannot_be_read() -> None:
    """A missing object says that something removed it."""
    with pytest.raises(ObjectUnreadable, match="does not exist any more"):
        list(S3().read(StoredObject(BUCKET, "no/such", None, "")))


def test_somebody_elses_object_is_not_taken_for_the_content(s3: StrictS3, tmp_path: Path) -> None:
    """An object of another size under the key is left alone and reported."""
    path = made(tmp_path, SMALL)
    keep_file(S3(), str(path), wanted(path))
    s3.buckets[BUCKET].objects[wanted(path).key].content = b"other"
    assert isinstance(keep_file(S3(), str(path), wanted(path)), Refused)


def test_parts_are_small_and_few_enough() -> None:
    """The usual part up to its 10,000th, larger ones beyond; never more parts than S3 takes.

    Catches: rounding down.
    """
    store = S3()
    for size in (1, PART_BYTES, PART_BYTES * 10_000, PART_BYTES * 10_000 + 1, 600 * 2**30):
        part = store._part_size(size)
        assert -(-size // part) <= 10_000
        assert part == PART_BYTES or size > PART_BYTES * 10_000


def test_the_role_applies_to_the_bucket(
    s3: StrictS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With role_arn the bucket sees the role's key, and never the task's own.

    Catches: a session without the role.
    """
    path = made(tmp_path, SMALL)
    with StrictCloudWatch() as cloudwatch:
        for name, value in cloudwatch.environment().items():
            monkeypatch.setenv(name, value)
        store = S3(role_arn="arn:aws:iam::123456789012:role/artifacts")
        assert isinstance(keep_file(store, str(path), wanted(path)), StoredObject)
        assert s3.keys
        assert cloudwatch.identity.access_key not in s3.keys


def test_credentials_that_come_late_are_found(
    s3: StrictS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credentials the words say so; once they are there, the same store works.

    Catches: keeping a client that remembers that there were none.
    """
    path = made(tmp_path, SMALL)
    store = S3()
    with monkeypatch.context() as patch:
        patch.delenv("AWS_ACCESS_KEY_ID")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        outcome = keep_file(store, str(path), wanted(path))
        assert isinstance(outcome, Refused)
        assert "give the task a role" in outcome.text
    assert isinstance(keep_file(store, str(path), wanted(path)), StoredObject)


def test_an_unreachable_store_is_an_outcome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens there: words, and no exception."""
    with StrictS3(BUCKET) as gone:
        settings = gone.environment()
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    path = made(tmp_path, SMALL)
    outcome = keep_file(S3(), str(path), wanted(path))
    assert isinstance(outcome, Refused)
    assert "S3 cannot be reached" in outcome.text

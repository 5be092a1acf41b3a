"""S3 through boto3: an object is kept once, verified by S3 itself, and never half.

The key names the content, and S3 is told to store it only where nothing stands under that key; so
an upload that is repeated after a crash, a lost reply or an outage stores nothing twice.
"""

from __future__ import annotations

import base64
import hashlib
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sidecar.delivery import s3_refusals
from sidecar.delivery.credentials import RoleNotAssumed, open_session
from sidecar.delivery.leftovers import Leftovers
from sidecar.delivery.object_store import ObjectUnreadable, Pieces
from sidecar.model.stored_object import MOST_PARTS, Refused, StoredObject, Wanted

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MIB: Final = 1024 * 1024
PART_BYTES: Final = 8 * MIB
"""S3 takes 5 MiB or more for every part but the last. An upload holds one part in memory."""

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
CHUNK_BYTES: Final = MIB

_NOT_THERE: Final = frozenset({"404", "NoSuchKey", "NotFound"})
_THERE_ALREADY: Final = frozenset({"412", "PreconditionFailed"})
_FAULTS: Final = (ClientError, BotoCoreError, RoleNotAssumed)


class S3:
    """The object store that is S3, or what boto3's endpoint names. Building it asks nobody."""

    def __init__(self, *, role_arn: str | None = None, part_bytes: int = PART_BYTES) -> None:
        self._role_arn = role_arn
        self._part_bytes = part_bytes
        self._lock = threading.Lock()
        self._made: S3Client | None = None
        self._leftovers = Leftovers()

    def keep(self, wanted: Wanted, pieces: Pieces) -> StoredObject | Refused:
        try:
            client = self._client()
            there = _found(client, wanted)
            if there is not None:
                return there
            if wanted.bytes <= self._part_bytes:
                return _put(client, wanted, pieces)
            return self._put_in_parts(client, wanted, pieces)
        except _FAULTS as error:
            return self._refused(error, "s3:PutObject", wanted.bucket)

    def read(self, stored: StoredObject) -> Iterator[bytes]:
        version: dict[str, Any] = {"VersionId": stored.version} if stored.version else {}
        try:
            answer = self._client().get_object(Bucket=stored.bucket, Key=stored.key, **version)
            with closing(answer["Body"]) as body:
                yield from body.iter_chunks(CHUNK_BYTES)
        except _FAULTS as error:
            if isinstance(error, ClientError) and s3_refusals.code(error) in _NOT_THERE:
                raise ObjectUnreadable(
                    f"s3://{stored.bucket}/{stored.key} does not exist any more; "
                    "a life-cycle rule of the bucket, or somebody, has removed it"
                ) from error
            refused = self._refused(error, "s3:GetObject", stored.bucket)
            raise ObjectUnreadable(refused.text) from error

    def _put_in_parts(
        self, client: S3Client, wanted: Wanted, pieces: Pieces
    ) -> StoredObject | Refused:
        self._leftovers.remove(client, wanted)
        upload = client.create_multipart_upload(
            Bucket=wanted.bucket,
            Key=wanted.key,
            ChecksumAlgorithm="SHA256",
            ChecksumType="COMPOSITE",
            ContentType=wanted.content_type,
            Metadata={"sha256": wanted.sha256},
        )["UploadId"]
        with self._leftovers.under_way(client, wanted, upload) as done:
            parts: list[dict[str, Any]] = []
            digests = hashlib.sha256()
            for number, piece in enumerate(pieces(self._part_size(wanted.bytes)), start=1):
                digest = hashlib.sha256(piece).digest()
                digests.update(digest)
                checksum = _base64(digest)
                answer = client.upload_part(
                    Bucket=wanted.bucket,
                    Key=wanted.key,
                    UploadId=upload,
                    PartNumber=number,
                    Body=piece,
                    ChecksumSHA256=checksum,
                )
                parts.append(
                    {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}
                )
            return _completed(client, wanted, upload, parts, _base64(digests.digest()), done)

    def _part_size(self, size: int) -> int:
        """As small as the number of parts allows, in whole MiB beyond the usual."""
        needed = math.ceil(size / MOST_PARTS)
        return max(self._part_bytes, math.ceil(needed / MIB) * MIB if needed > MIB else 0)

    def _refused(self, error: Exception, act: str, bucket: str) -> Refused:
        text, is_stale = s3_refusals.refusal(error, act=act, bucket=bucket)
        if is_stale:
            # boto3 remembers for good that it found no credentials.
            with self._lock:
                self._made = None
        return Refused(text)

    def _client(self) -> S3Client:
        with self._lock:
            if self._made is None:
                self._made = open_session(role_arn=self._role_arn).client("s3", config=_config())
            return self._made


def _config() -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        # Every act here may be repeated: a part replaces itself, and a key is written once.
        retries={"total_max_attempts": 4, "mode": "standard"},
        # The checksums are our own, of the whole way from the volume; more of them cost CPU.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="efs-cloudwatch-sidecar",
    )


def _found(client: S3Client, wanted: Wanted) -> StoredObject | Refused | None:
    """What is under the key already; None too where that may not be asked.

    Without s3:ListBucket S3 answers 403 for what is not there; then the condition on the upload
    decides.
    """
    try:
        answer = client.head_object(Bucket=wanted.bucket, Key=wanted.key, ChecksumMode="ENABLED")
    except ClientError as error:
        if s3_refusals.code(error) in _NOT_THERE | {"403", "AccessDenied", "Forbidden"}:
            return None
        raise
    if answer["ContentLength"] != wanted.bytes:
        return Refused(
            f"s3://{wanted.bucket}/{wanted.key} is there with {answer['ContentLength']} bytes and "
            f"not {wanted.bytes}; somebody else has put it there: remove it"
        )
    checksum = answer.get("ChecksumSHA256") or ""
    return StoredObject(wanted.bucket, wanted.key, _version(answer), checksum)


def _put(client: S3Client, wanted: Wanted, pieces: Pieces) -> StoredObject:
    body = b"".join(pieces(wanted.bytes))
    checksum = _base64(hashlib.sha256(body).digest())
    try:
        answer = client.put_object(
            Bucket=wanted.bucket,
            Key=wanted.key,
            Body=body,
            ChecksumSHA256=checksum,
            ContentType=wanted.content_type,
            Metadata={"sha256": wanted.sha256},
            IfNoneMatch="*",
        )
    except ClientError as error:
        _must_be_there(error)
        return StoredObject(wanted.bucket, wanted.key, None, checksum)
    return StoredObject(wanted.bucket, wanted.key, _version(answer), checksum)


def _completed(
    client: S3Client,
    wanted: Wanted,
    upload: str,
    parts: list[Any],
    digest: str,
    done: Callable[[], None],
) -> StoredObject:
    checksum = f"{digest}-{len(parts)}"
    try:
        answer = client.complete_multipart_upload(
            Bucket=wanted.bucket,
            Key=wanted.key,
            UploadId=upload,
            MultipartUpload={"Parts": parts},
            ChecksumSHA256=checksum,
            ChecksumType="COMPOSITE",
            IfNoneMatch="*",
        )
    except ClientError as error:
        # Then this upload is not done, and is aborted like any other that failed.
        _must_be_there(error)
        return StoredObject(wanted.bucket, wanted.key, None, checksum)
    done()
    return StoredObject(wanted.bucket, wanted.key, _version(answer), checksum)


def _must_be_there(error: ClientError) -> None:
    """Pass over a refusal that says that the key is taken, and so the content kept: by a request of
    ours whose reply was lost, or by another sidecar. Raises any other."""
    if s3_refusals.code(error) not in _THERE_ALREADY:
        raise error


def _version(answer: Any) -> str | None:
    """None in a bucket without versions, which some stores call "null"."""
    version: str | None = answer.get("VersionId")
    return None if version == "null" else version


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode("ascii")

"""Whether the buckets would take artifacts, without leaving one in them.

Beginning an upload in parts needs the permission to store an object, and stores none; aborting it
is the other permission needed.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from sidecar.delivery import s3_refusals
from sidecar.delivery.credentials import RoleNotAssumed
from sidecar.model.finding import Finding
from sidecar.model.stored_object import content_key
from sidecar.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_PUT: Final = "s3:PutObject"
_ABORT: Final = "s3:AbortMultipartUpload"


def probe_buckets(client: S3Client, settings: Settings) -> Iterator[Finding]:
    """A finding for each permission in each bucket, under the keys that would be used."""
    wanted = [(entry.bucket, entry.log_group) for entry in settings.artifacts if entry.bucket]
    for bucket, group in dict.fromkeys(wanted):
        yield from _probe(client, bucket, group)


def _probe(client: S3Client, bucket: str, group: str) -> Iterator[Finding]:
    key = content_key(group, f"sidecar-check-{secrets.token_hex(8)}", "0" * 64)
    try:
        upload = client.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256")[
            "UploadId"
        ]
    except (ClientError, BotoCoreError, RoleNotAssumed) as error:
        yield Finding(f"{_PUT} {bucket}", "failed", *_words(error, _PUT, bucket))
        return
    yield Finding(f"{_PUT} {bucket}", "ok", "allowed")
    try:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
    except (ClientError, BotoCoreError, RoleNotAssumed) as error:
        problem, remedy = _words(error, _ABORT, bucket)
        yield Finding(
            f"{_ABORT} {bucket}", "failed", f"{problem} (an empty upload is left)", remedy
        )
        return
    yield Finding(f"{_ABORT} {bucket}", "ok", "allowed")


def _words(error: Exception, act: str, bucket: str) -> tuple[str, str]:
    text, _ = s3_refusals.refusal(error, act=act, bucket=bucket)
    problem, _, remedy = text.partition("; ")
    return problem, remedy

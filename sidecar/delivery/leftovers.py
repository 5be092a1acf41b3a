"""Multipart uploads that nobody will complete: S3 bills their parts until they are aborted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from sidecar.delivery.credentials import RoleNotAssumed
from sidecar.model.stored_object import Wanted

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

log = structlog.get_logger(__name__)

_OURS: Final = re.compile(r".*/[0-9a-f]{64}")

FORSAKEN: Final = timedelta(days=1)
"""Nobody uploads one artifact for longer: such an upload's sidecar has died, whichever it was."""


class Leftovers:
    """Aborts what failed at once, and what a killed sidecar left when it is met again."""

    def __init__(self) -> None:
        self._began = datetime.now(UTC)
        self._ours: set[str] = set()
        self._live: set[str] = set()
        self._looked_through: set[tuple[str, str]] = set()
        self._told = False

    @contextmanager
    def under_way(
        self, client: S3Client, wanted: Wanted, upload: str
    ) -> Iterator[Callable[[], None]]:
        """One upload; aborted at the end of the block unless it was said to be done."""
        finished = False

        def done() -> None:
            nonlocal finished
            finished = True

        self._ours.add(upload)
        self._live.add(upload)
        try:
            yield done
        finally:
            self._live.discard(upload)
            if not finished:
                # Where even that fails, the next attempt at this artifact finds it.
                with suppress(ClientError, BotoCoreError, RoleNotAssumed):
                    self._abort(client, wanted.bucket, wanted.key, upload)

    def remove(self, client: S3Client, wanted: Wanted) -> None:
        """Abort what earlier attempts at any version of this artifact have left.

        One sidecar at a time ships an artifact. What of other artifacts is older than a day is
        aborted on the way, once for each bucket and top of the keys: its file may be gone.
        """
        group = wanted.prefix.split("/", 1)[0]
        try:
            if (wanted.bucket, group) not in self._looked_through:
                self._abort_older(client, wanted.bucket, f"{group}/", self._began - FORSAKEN)
                self._looked_through.add((wanted.bucket, group))
            self._abort_older(client, wanted.bucket, wanted.prefix, self._began)
        except (ClientError, BotoCoreError) as error:
            if not self._told:
                self._told = True
                log.info(
                    "unfinished_uploads_not_listed",
                    bucket=wanted.bucket,
                    problem=str(error),
                    remedy="allow s3:ListBucketMultipartUploads on the bucket, or give it a "
                    "life-cycle rule AbortIncompleteMultipartUpload",
                )

    def _abort_older(self, client: S3Client, bucket: str, prefix: str, before: datetime) -> None:
        pages = client.get_paginator("list_multipart_uploads")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            for found in page.get("Uploads", []):
                upload, begun = found["UploadId"], found["Initiated"]
                if upload in self._live or not _OURS.fullmatch(found["Key"]):
                    continue
                if upload not in self._ours and begun >= before:
                    continue
                self._abort(client, bucket, found["Key"], upload)
                log.info("unfinished_upload_aborted", bucket=bucket, key=found["Key"])

    @staticmethod
    def _abort(client: S3Client, bucket: str, key: str, upload: str) -> None:
        client.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)

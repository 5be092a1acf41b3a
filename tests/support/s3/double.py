"""The server: S3's REST protocol, as far as an object store of whole files needs it."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from tests.support.s3.store import (
    Bucket,
    S3Error,
    StoredBytes,
    Upload,
    etag_of,
    sha256_of,
)

NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
DENIED = S3Error(403, "AccessDenied", "User is not authorized to perform this action")
SLOW = S3Error(503, "SlowDown", "Please reduce your request rate.")


class StrictS3:
    """A server on a free port; use it as a context manager.

    `requests` counts by operation (PutObject, UploadPart…), `before` is called with each
    operation's name before it is looked at, `keys` are the access keys seen.
    """

    def __init__(self, *buckets: str, versioned: bool = False) -> None:
        self.buckets = {name: Bucket(versioned) for name in buckets}
        self.requests: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.before: Callable[[str], None] = lambda operation: None
        self._faults: defaultdict[str, deque[S3Error | str]] = defaultdict(deque)
        self._always: dict[str, S3Error] = {}
        self._lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _Request)
        self._server.double = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """What makes boto3 speak to it."""
        return self.credentials(self.url)

    @staticmethod
    def credentials(url: str) -> dict[str, str]:
        """What makes boto3 speak to an S3 at this address."""
        return {
            "AWS_ENDPOINT_URL_S3": url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }

    def fail(self, operation: str, *faults: S3Error | str) -> None:
        """The next requests of it: an error; "lost_reply", done but unanswered; "cut", not done."""
        self._faults[operation].extend(faults)

    def deny(self, *operations: str) -> None:
        """From now on, and until `allow`."""
        self._always |= dict.fromkeys(operations, DENIED)

    def allow(self) -> None:
        self._always.clear()

    def answer(self, request: _Request, body: bytes) -> tuple[int, dict[str, str], bytes] | None:
        parts = urlsplit(request.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        name, _, key = unquote(parts.path).lstrip("/").partition("/")
        operation = _operation(request.command, key, query)
        self.before(operation)
        with self._lock:
            self.requests[operation] += 1
            authorization = request.headers.get("Authorization", "")
            self.keys.add(authorization.partition("Credential=")[2].partition("/")[0])
            fault = self._faults[operation].popleft() if self._faults[operation] else None
            fault = fault or self._always.get(operation)
            if fault == "cut":
                return None
            try:
                if isinstance(fault, S3Error):
                    raise fault
                if name not in self.buckets:
                    raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist")
                act = _Act(self.buckets[name], key, query, request.headers, body)
                answer = getattr(act, operation)()
            except S3Error as error:
                text = f"<Error><Code>{error.code}</Code><Message>{error.message}</Message></Error>"
                return error.status, {}, b"" if request.command == "HEAD" else text.encode()
            return None if fault == "lost_reply" else answer


def _operation(method: str, key: str, query: dict[str, str]) -> str:
    upload = "uploadId" in query
    if not key:
        return "ListMultipartUploads" if "uploads" in query else "ListObjects"
    return {
        "GET": "GetObject",
        "HEAD": "HeadObject",
        "PUT": "UploadPart" if upload else "PutObject",
        "POST": "CompleteMultipartUpload" if upload else "CreateMultipartUpload",
        "DELETE": "AbortMultipartUpload" if upload else "DeleteObject",
    }[method]


class _Act:
    """One lawful request; each method is an operation of S3's."""

    def __init__(
        self, bucket: Bucket, key: str, query: dict[str, str], headers: Any, body: bytes
    ) -> None:
        self.bucket, self.key, self.query, self.headers, self.body = (
            bucket,
            key,
            query,
            headers,
            body,
        )

    def HeadObject(self) -> tuple[int, dict[str, str], bytes]:  # noqa: N802
        found = self._object()
        headers = self._headers(found)
        # What HEAD says is the length of what GET would give.
        return 200, headers | {"Content-Length": str(len(found.content))}, b""

    def GetObject(self) -> tuple[int, dict[str, str], bytes]:  # noqa: N802
        found = self._object()
        return 200, self._headers(found), found.content

    def PutObject(self) -> tuple[int, dict[str, str], bytes]:  # noqa: N802
        self._check_body()
        stored = StoredBytes(self.body, sha256_of(self.body), self._metadata(), self._type())
        self.bucket.put(self.key, stored, if_none_match=self._if_none_match())
        return 200, self._headers(stored), b""

    def CreateMultipartUpload(self) -> tuple[int, dict[str, str], bytes]:  # noqa: N802
        if self.headers.get("x-amz-checksum-algorithm") != "SHA256":
            raise S3Error(400, "InvalidRequest", "no checksum algorithm was announced")
        number = self.bucket.begin(Upload(self.key, self._metadata(), self._type()))
        text = f"<UploadId>{number}</UploadId>"
        return 200, {}, _xml("InitiateMultipartUploadResult", text)

    def UploadPart(self) -> tuple[int, dict[str, str], bytes]:  # noqa: N802
        upload = self.bucket.upload(self.query["uploadId"], self.key)
        self._check_body()
        upload.parts[int(self.query["partNumber"])] = self.body
        return 200, {"ETag": f'"{etag_of(self.body)}"'}, b""

    def CompleteMultipartUpload(self) -> tuple[int, dict[str, str], bytes]:  # noqa: N802
        parts = [
            (
                int(part.findtext(f"{NAMESPACE}PartNumber") or 0),
                part.findtext(f"{NAMESPACE}ETag") or "",
                part.findtext(f"{NAMESPACE}ChecksumSHA256") or "",
            )
            for part in ElementTree.fromstring(self.body).iter(f"{NAMESPACE}Part")
        ]
        checksum = self.headers.get("x-amz-checksum-sha256", "")
        stored = self.bucket.complete(
            self.query["uploadId"], self.key, parts, checksum, if_none_match=self._if_none_match()
        )
        text = f"<Key>{escape(self.key)}</Key><ETag>{checksum}</ETag>"
        return 200, self._headers(stored), _xml("CompleteMultipartUploadResult", text)

    def AbortMultipartUpload(self) -> tuple[int, dict[str, str], bytes]:  # noqa: N802
        self.bucket.upload(self.query["uploadId"], self.key)
        del self.bucket.uploads[self.query["uploadId"]]
        return 204, {}, b""

    def ListMultipartUploads(self) -> tuple[int, dict[str, str], bytes]:  # noqa: N802
        found = "".join(
            f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{number}</UploadId>"
            f"<Initiated>{upload.begun:%Y-%m-%dT%H:%M:%S.000Z}</Initiated></Upload>"
            for number, upload in self.bucket.uploads.items()
            if upload.key.startswith(self.query.get("prefix", ""))
        )
        text = f"<IsTruncated>false</IsTruncated>{found}"
        return 200, {}, _xml("ListMultipartUploadsResult", text)

    def _object(self) -> StoredBytes:
        found = self.bucket.objects.get(self.key)
        if found is None:
            raise S3Error(404, "NoSuchKey", "The specified key does not exist.")
        return found

    def _check_body(self) -> None:
        """Every content must come with its SHA-256, and be what that says."""
        said = self.headers.get("x-amz-checksum-sha256")
        if said is None:
            raise S3Error(400, "InvalidRequest", "this double takes nothing without a SHA-256")
        if said != sha256_of(self.body):
            raise S3Error(400, "BadDigest", "The SHA256 you specified did not match")

    def _if_none_match(self) -> bool:
        return bool(self.headers.get("If-None-Match") == "*")

    def _metadata(self) -> dict[str, str]:
        prefix = "x-amz-meta-"
        return {
            name.lower().removeprefix(prefix): value
            for name, value in self.headers.items()
            if name.lower().startswith(prefix)
        }

    def _type(self) -> str:
        return str(self.headers.get("Content-Type", ""))

    @staticmethod
    def _headers(stored: StoredBytes) -> dict[str, str]:
        headers = {
            "ETag": '"tag"',
            "Content-Type": stored.content_type,
            "x-amz-checksum-sha256": stored.checksum,
        }
        if stored.version is not None:
            headers["x-amz-version-id"] = stored.version
        return headers | {f"x-amz-meta-{name}": each for name, each in stored.metadata.items()}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    double: StrictS3


class _Request(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        server = self.server
        assert isinstance(server, _Server)
        answer = server.double.answer(self, body)
        self.close_connection = True
        if answer is None:
            return
        status, headers, content = answer
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Says nothing: `requests` does."""


def _xml(name: str, inner: str) -> bytes:
    xmlns = NAMESPACE.strip("{}")
    return f'<?xml version="1.0"?><{name} xmlns="{xmlns}">{inner}</{name}>'.encode()


__all__ = ["DENIED", "SLOW", "StrictS3"]

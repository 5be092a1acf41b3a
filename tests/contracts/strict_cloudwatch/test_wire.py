"""The protocol itself: signatures, bodies, errors, connections."""

from __future__ import annotations

import gzip
import http.client
import socket
from collections.abc import Callable
from typing import Any

import boto3
import orjson
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.support.cloudwatch import Identity, StrictCloudWatch
from tests.support.cloudwatch.double import ACCESS_KEY, SECRET_KEY

from .conftest import GROUP, STREAM, Put, Refused, replace_body

HEADERS = {
    "X-Amz-Target": "Logs_20140328.DescribeLogGroups",
    "Content-Type": "application/x-amz-json-1.1",
}


def signed(
    cloudwatch: StrictCloudWatch,
    body: bytes = b"{}",
    *,
    service: str = "logs",
    headers: dict[str, str] | None = None,
) -> dict[str, str]:
    """The headers of a well-signed request."""
    request = AWSRequest("POST", cloudwatch.url + "/", data=body, headers=headers or HEADERS)
    SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), service, "us-east-1").add_auth(request)
    return dict(request.headers)


def send(
    cloudwatch: StrictCloudWatch, body: bytes, headers: dict[str, str], method: str = "POST"
) -> tuple[int, dict[str, str]]:
    """Status and parsed body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", cloudwatch.port, timeout=5)
    try:
        connection.request(method, "/", body, headers)
        reply = connection.getresponse()
        return reply.status, orjson.loads(reply.read())
    finally:
        connection.close()


def test_error_shape(cloudwatch: StrictCloudWatch) -> None:
    """A code in `__type`, a text in `message`, and the code in a header."""
    status, reply = send(cloudwatch, b"{}", HEADERS)
    assert status == 400
    assert set(reply) == {"__type", "message"}
    assert reply["__type"] == "MissingAuthenticationTokenException"
    status, reply = send(cloudwatch, b"{}", signed(cloudwatch))
    assert (status, len(reply["logGroups"])) == (200, 1)


def test_wrong_secret(cloudwatch: StrictCloudWatch, refused: Refused) -> None:
    """A signature with another secret is not accepted."""
    client = cloudwatch.client(Identity(ACCESS_KEY, "another"))
    assert refused(client.describe_log_groups) == "InvalidSignatureException"
    client.close()
    assert cloudwatch.violations


def test_unknown_key(cloudwatch: StrictCloudWatch, refused: Refused) -> None:
    """A key nobody knows is no bug of the client's."""
    client = cloudwatch.client(Identity("AKIANOBODY", SECRET_KEY))
    assert refused(client.describe_log_groups) == "UnrecognizedClientException"
    client.close()
    assert cloudwatch.violations == []


def test_temporary_credentials(cloudwatch: StrictCloudWatch, refused: Refused) -> None:
    """They need their token, and expire by the clock."""
    identity = cloudwatch.identities.issue(60)
    client = cloudwatch.client(identity)
    bare = cloudwatch.client(Identity(identity.access_key, identity.secret_key))
    client.describe_log_groups()
    assert refused(bare.describe_log_groups) == "UnrecognizedClientException"
    cloudwatch.clock.advance(60)
    assert refused(client.describe_log_groups) == "ExpiredTokenException"
    cloudwatch.identities.remove(identity.access_key)
    assert refused(client.describe_log_groups) == "UnrecognizedClientException"
    client.close()
    bare.close()
    assert cloudwatch.violations == []


Change = Callable[[dict[str, str]], None]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda h: h.update({"X-Amz-Date": "20200101T000000Z"}), "InvalidSignatureException"),
        (lambda h: h.update({"X-Amz-Date": "yesterday"}), "IncompleteSignatureException"),
        (lambda h: h.update({"X-Amz-Meta": "unsigned"}), "InvalidSignatureException"),
        (lambda h: h.update({"Authorization": "Basic eDp5"}), "IncompleteSignatureException"),
        (lambda h: h.pop("Authorization"), "MissingAuthenticationTokenException"),
        (
            lambda h: h.update({"X-Amz-Target": "Logs_20140328.DescribeLogStreams"}),
            "InvalidSignatureException",
        ),
    ],
)
def test_tampered_headers(cloudwatch: StrictCloudWatch, change: Change, code: str) -> None:
    """What was signed may not change, and every x-amz header must be signed."""
    headers = signed(cloudwatch)
    change(headers)
    status, reply = send(cloudwatch, b"{}", headers)
    assert (status, reply["__type"]) == (400, code)
    assert len(cloudwatch.violations) == 1


def test_tampered_body(cloudwatch: StrictCloudWatch) -> None:
    """The body is part of the signature."""
    _, reply = send(cloudwatch, b'{"limit": 1}', signed(cloudwatch, b'{"limit": 2}'))
    assert reply["__type"] == "InvalidSignatureException"


def test_old_signature(cloudwatch: StrictCloudWatch, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was well signed more than five minutes ago is refused."""
    headers = signed(cloudwatch)
    monkeypatch.setattr("tests.support.cloudwatch.signature.MAX_SKEW_SECONDS", -1)
    _, reply = send(cloudwatch, b"{}", headers)
    assert reply["message"].startswith("Signature expired")


def test_other_service(cloudwatch: StrictCloudWatch) -> None:
    """A signature for another service does not count here."""
    _, reply = send(cloudwatch, b"{}", signed(cloudwatch, service="s3"))
    assert reply["__type"] == "InvalidSignatureException"


def test_signatures_can_be_off(refused: Refused) -> None:
    """verify_signatures=False lets anybody in."""
    with StrictCloudWatch(verify_signatures=False) as cloudwatch:
        status, _ = send(cloudwatch, b"{}", HEADERS)
        assert status == 200


def test_gzip(cloudwatch: StrictCloudWatch, client: Any, refused: Refused) -> None:
    """A gzip body is unpacked; what only claims to be one is refused."""
    now_ms = cloudwatch.clock.now_ms()
    events = [{"timestamp": now_ms, "message": "packed"}]
    where = {"logGroupName": GROUP, "logStreamName": STREAM}
    body = orjson.dumps(where | {"logEvents": events})
    headers = {"Content-Encoding": "gzip"}
    replace_body(client, gzip.compress(body), **headers)
    client.put_log_events(**where, logEvents=[{"timestamp": 0, "message": "placeholder"}])
    assert cloudwatch.messages(GROUP, STREAM) == ["packed"]
    replace_body(client, body, **headers)
    code = refused(client.put_log_events, **where, logEvents=events)
    assert code == "SerializationException"
    assert cloudwatch.count() == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"logGroupName": "\\ud800"}', b"\xff"])
def test_unreadable_body(cloudwatch: StrictCloudWatch, body: bytes) -> None:
    """Not JSON, not an object, a lone surrogate, not UTF-8."""
    status, reply = send(cloudwatch, body, signed(cloudwatch, body))
    assert (status, reply["__type"]) == (400, "SerializationException")
    assert len(cloudwatch.violations) == 1


def test_unknown_operation(cloudwatch: StrictCloudWatch) -> None:
    """An operation that is not there, and a content type that is not the protocol's."""
    headers = HEADERS | {"X-Amz-Target": "Logs_20140328.Nonsense"}
    _, reply = send(cloudwatch, b"{}", signed(cloudwatch, headers=headers))
    assert reply["__type"] == "UnknownOperationException"
    headers = HEADERS | {"Content-Type": "application/json"}
    _, reply = send(cloudwatch, b"{}", signed(cloudwatch, headers=headers))
    assert reply["__type"] == "UnknownOperationException"


def test_half_a_body_is_no_request(cloudwatch: StrictCloudWatch) -> None:
    """A client that dies while it sends has asked for nothing, and broken nothing."""
    body = b"{" + b" " * 100 + b"}"
    headers = signed(cloudwatch, body) | {"Content-Length": str(len(body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", cloudwatch.port), timeout=5) as opened:
        opened.sendall(f"POST / HTTP/1.1\r\n{lines}\r\n".encode() + body[:50])
        opened.shutdown(socket.SHUT_WR)
        assert opened.recv(100) == b""
    assert cloudwatch.requests.total() == 0
    assert cloudwatch.violations == []


def test_connections_are_kept_and_closed_when_idle() -> None:
    """Several requests share one connection; an idle one is closed by the service."""
    with StrictCloudWatch(idle_seconds=0.1) as cloudwatch:
        connection = http.client.HTTPConnection("127.0.0.1", cloudwatch.port, timeout=5)
        local = set()
        for _ in range(3):
            connection.request("POST", "/", b"{}", signed(cloudwatch))
            assert connection.getresponse().read()
            local.add(connection.sock.getsockname())
        assert len(local) == 1
        assert connection.sock.recv(1) == b""
        connection.close()


def test_calls_are_recorded(
    cloudwatch: StrictCloudWatch, client: Any, put: Put, refused: Refused
) -> None:
    """Counts by operation, and each call with its size and fate."""
    put((cloudwatch.clock.now_ms(), "a"), (cloudwatch.clock.now_ms(), "b"))
    refused(put)
    client.describe_log_groups()
    assert cloudwatch.requests == {"PutLogEvents": 2, "DescribeLogGroups": 1}
    first, second, _ = cloudwatch.calls
    assert (first.stream, first.events, first.status, first.executed) == (STREAM, 2, 200, True)
    assert (second.status, second.code) == (400, "InvalidParameterException")
    assert second.executed is False
    assert cloudwatch.record.peak == 1


def test_assume_role(cloudwatch: StrictCloudWatch, refused: Refused) -> None:
    """AssumeRole gives credentials that work until they expire."""
    sts = boto3.client(
        "sts",
        endpoint_url=cloudwatch.url,
        region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"total_max_attempts": 1}),
    )
    reply = sts.assume_role(
        RoleArn="arn:aws:iam::123456789012:role/logs",
        RoleSessionName="shipper",
        DurationSeconds=900,
    )
    sts.close()
    given = reply["Credentials"]
    identity = Identity(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    client = cloudwatch.client(identity)
    client.describe_log_groups()
    cloudwatch.clock.advance(900)
    assert refused(client.describe_log_groups) == "ExpiredTokenException"
    client.close()


def test_environment_is_all_a_client_needs(
    cloudwatch: StrictCloudWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 finds the double and its credentials from the environment alone."""
    for name, value in cloudwatch.environment().items():
        monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("logs")
    assert len(client.describe_log_groups()["logGroups"]) == 1
    client.close()

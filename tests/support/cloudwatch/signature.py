"""Signature Version 4, really verified: with botocore's own signer, over the signed headers.

Sources: "Elements of an AWS API request signature" in the IAM User Guide; the codes of "Common
Errors" of the CloudWatch Logs API.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from http.client import HTTPMessage

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .clock import Clock
from .errors import ServiceError, UnlawfulError

# "The request must reach AWS within five minutes of the time stamp in the request."
MAX_SKEW_SECONDS = 300
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/, ]+)/(\d{8})/([^/, ]+)/([^/, ]+)/aws4_request, ?"
    r"SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})"
)


@dataclass(frozen=True)
class Identity:
    """A key the service knows; `expires_at` is in milliseconds of the service's clock."""

    access_key: str
    secret_key: str
    token: str | None = None
    expires_at: int | None = None


class Identities:
    """The known keys, and the check of a request's signature against them."""

    def __init__(self, clock: Clock, *, verify: bool = True) -> None:
        self._clock = clock
        self._verify = verify
        self._known: dict[str, Identity] = {}

    def add(self, identity: Identity) -> Identity:
        """Makes a key known, or replaces what is known of it."""
        self._known[identity.access_key] = identity
        return identity

    def remove(self, access_key: str) -> None:
        """Forgets a key: requests signed with it are UnrecognizedClientException."""
        self._known.pop(access_key, None)

    def issue(self, seconds: float) -> Identity:
        """Makes temporary credentials that expire by the service's clock."""
        return self.add(
            Identity(
                access_key="ASIA" + secrets.token_hex(8).upper(),
                secret_key=secrets.token_urlsafe(30),
                token=secrets.token_urlsafe(60),
                expires_at=self._clock.now_ms() + round(seconds * 1000),
            )
        )

    def check(self, method: str, path: str, headers: Message, body: bytes, service: str) -> None:
        """Raises ServiceError when the request is not signed by a known key for `service`."""
        if not self._verify:
            return
        given = headers.get("Authorization")
        if not given:
            raise UnlawfulError(
                "MissingAuthenticationTokenException", "Missing Authentication Token"
            )
        parts = _AUTHORIZATION.fullmatch(given)
        if not parts:
            raise UnlawfulError("IncompleteSignatureException", f"Not a signature: {given[:200]}")
        access_key, day, region, scope_service, names, signature = parts.groups()
        identity = self._identity(access_key, headers.get("X-Amz-Security-Token"))
        if scope_service != service:
            raise _mismatch(f"Credential should be scoped to correct service: '{service}'.")
        signed = names.split(";")
        _check_headers(signed, headers)
        stamp = _check_stamp(headers.get("X-Amz-Date", ""), day)
        signer = SigV4Auth(
            Credentials(identity.access_key, identity.secret_key), scope_service, region
        )
        request = AWSRequest(method=method, url=path)
        request.context["timestamp"] = stamp
        text = signer.string_to_sign(
            request, _canonical(signer, method, path, headers, signed, body)
        )
        if not hmac.compare_digest(signer.signature(text, request), signature):
            raise _mismatch(
                "The request signature we calculated does not match the signature you provided. "
                "Check your AWS Secret Access Key and signing method."
            )

    def _identity(self, access_key: str, token: str | None) -> Identity:
        identity = self._known.get(access_key)
        if identity is None or identity.token != token:
            raise ServiceError(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            )
        if identity.expires_at is not None and self._clock.now_ms() >= identity.expires_at:
            raise expired()
        return identity


def expired() -> ServiceError:
    """What temporary credentials past their time get."""
    return ServiceError(
        "ExpiredTokenException", "The security token included in the request is expired"
    )


def _canonical(
    signer: SigV4Auth, method: str, path: str, headers: Message, signed: list[str], body: bytes
) -> str:
    """The canonical request over exactly the headers the client says it signed."""
    kept = HTTPMessage()
    for name in signed:
        for value in headers.get_all(name, [""]):
            kept[name] = value
    where, _, query = path.partition("?")
    lines = [method, where, query, signer.canonical_headers(kept) + "\n", ";".join(signed)]
    return "\n".join([*lines, hashlib.sha256(body).hexdigest()])


def _mismatch(message: str) -> UnlawfulError:
    return UnlawfulError("InvalidSignatureException", message)


def _check_headers(signed: list[str], headers: Message) -> None:
    """`host` and every `x-amz-*` header must be signed."""
    required = {name.lower() for name in headers if name.lower().startswith("x-amz-")} | {"host"}
    unsigned = required - set(signed)
    if unsigned:
        raise _mismatch(
            f"'{sorted(unsigned)[0]}' must be a 'SignedHeader' in the AWS Authorization"
        )
    if signed != sorted(signed):
        raise UnlawfulError("IncompleteSignatureException", "SignedHeaders is not sorted.")


def _check_stamp(stamp: str, day: str) -> str:
    try:
        moment = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise UnlawfulError("IncompleteSignatureException", f"No date in '{stamp}'.") from None
    if not stamp.startswith(day):
        raise _mismatch("Date in Credential scope does not match the date of the request.")
    now = datetime.now(UTC)
    if abs((now - moment).total_seconds()) > MAX_SKEW_SECONDS:
        raise _mismatch(f"Signature expired: {stamp} is not near {now:%Y%m%dT%H%M%SZ}")
    return stamp

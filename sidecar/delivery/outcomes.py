"""From what boto3 raised or answered to an outcome: was it stored, and what can be done.

Whether the request had left is known (`sent`), and decides first: before that nothing can have
been stored, afterwards only CloudWatch's own 4xx says so for certain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import structlog
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ProxyConnectionError,
    SSLError,
)
from botocore.exceptions import ConnectionError as NoConnectionError

from sidecar.delivery.credentials import RoleNotAssumed
from sidecar.delivery.destination import (
    Accepted,
    Denied,
    Failure,
    Invalid,
    MissingTarget,
    Throttled,
    Unknown,
    Unreachable,
)

_log = structlog.get_logger(__name__)

# `ThrottlingException` is not in the operations' models; the spellings are those that botocore's
# own retry rules know (botocore.retries.standard.ThrottledRetryableChecker).
_THROTTLED: Final = frozenset(
    {
        "LimitExceededException",
        "OperationAbortedException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "ServiceQuotaExceededException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
# A 4xx, and yet no word on what became of the request: the service lost patience while reading it.
_TIMED_OUT: Final = frozenset({"RequestTimeout", "RequestTimeoutException"})
_INVALID: Final = frozenset(
    {
        "InvalidParameterException",
        "RequestEntityTooLarge",
        "SerializationException",
        "ValidationException",
        "413",
    }
)
_KEY: Final = "KMS key"
CREATE_GROUP: Final = "logs:CreateLogGroup"
_CLOCK: Final = "set the host's clock: the signature's time is not CloudWatch's"
_KEYS: Final = "give the task a role, or valid AWS credentials; they are looked for again by itself"
_TRUST: Final = "allow sts:AssumeRole on it in the task role, and name that in its trust policy"
_REMEDIES: Final[Mapping[str, str]] = {
    "ExpiredToken": "renew the credentials; they are looked for again by itself",
    "ExpiredTokenException": "renew the credentials; they are looked for again by itself",
    "IncompleteSignature": _KEYS,
    "IncompleteSignatureException": _KEYS,
    "InvalidAccessKeyId": _KEYS,
    "InvalidClientTokenId": _KEYS,
    "InvalidSignatureException": "check the secret access key, and the host's clock",
    "MissingAuthenticationToken": _KEYS,
    "MissingAuthenticationTokenException": _KEYS,
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "SignatureDoesNotMatch": "check the secret access key, and the host's clock",
    "UnrecognizedClientException": _KEYS,
}
# What a new session may cure: it looks for region and credentials anew.
_STALE: Final = frozenset({*_REMEDIES, "NoCredentials", "NoRegion", "NotReady", "RoleNotAssumed"})
_CLOCK_WORDS: Final = re.compile(r"signature (expired|not yet current)", re.IGNORECASE)
_NAME_REFUSED: Final = re.compile(r"at 'log(Group|Stream)Name' failed", re.IGNORECASE)
_HANDSHAKE_FAILED: Final = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|HANDSHAKE_FAILURE|WRONG_VERSION_NUMBER|UNSUPPORTED_PROTOCOL"
    r"|doesn't match|certificate is not valid",
    re.IGNORECASE,
)


def failure(error: Exception, *, act: str, group: str, sent: bool) -> Failure:
    """What an exception of one request means. `act` is the IAM action, logs:PutLogEvents say."""
    if not sent:
        return _before_sending(error)
    if isinstance(error, ClientError):
        return _refusal(error, act=act, group=group)
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ProxyConnectionError):
        return _unreachable(str(error))
    if isinstance(error, SSLError) and _HANDSHAKE_FAILED.search(str(error)):
        return _unreachable(str(error))
    if not isinstance(error, HTTPClientError | SSLError):
        _log.error("answer_not_understood", act=act, group=group, exc_info=error)
    return Unknown(_words(error))


def accepted(count: int, rejected: Mapping[str, object]) -> Accepted | Unknown:
    """What a 200 says about a batch of `count` events; `rejected` is its rejectedLogEventsInfo.

    The three indexes as the service model documents them: too old, [0, end); expired, [0, end);
    too new, [start, count). An answer that contradicts itself or the batch proves nothing.
    """
    too_old = rejected.get("tooOldLogEventEndIndex", 0)
    expired = rejected.get("expiredLogEventEndIndex", 0)
    too_new = rejected.get("tooNewLogEventStartIndex", count)
    if isinstance(too_old, int) and isinstance(expired, int) and isinstance(too_new, int):
        first = max(too_old, expired)
        if min(too_old, expired) >= 0 and first <= too_new <= count:
            return Accepted(first, too_new, too_old, first - too_old, count - too_new)
    return Unknown(f"it refuses events that a batch of {count} does not have: {dict(rejected)}")


def is_stale(outcome: object) -> bool:
    """Whether credentials or region, looked for anew, may make the next request succeed."""
    return isinstance(outcome, Denied) and outcome.code in _STALE


def _before_sending(error: Exception) -> Failure:
    """No request left, so nothing is stored: region, credentials, or the way to them."""
    if isinstance(error, RoleNotAssumed):
        return _role_refused(error)
    if isinstance(error, NoCredentialsError):
        return Denied("NoCredentials", "no AWS credentials were found", _KEYS)
    if isinstance(error, NoRegionError):
        return Denied("NoRegion", "no AWS region is configured", "set AWS_REGION")
    if isinstance(error, HTTPClientError | NoConnectionError):
        return _unreachable(_words(error))
    if not isinstance(error, BotoCoreError | ClientError | ValueError):
        _log.error("request_not_made", exc_info=error)
    return Denied(
        "NotReady",
        _words(error),
        "correct the AWS region, endpoint or credentials; they are looked for again by itself",
    )


def _unreachable(problem: str) -> Unreachable:
    return Unreachable(
        f"{problem}; check the network, AWS_REGION and AWS_ENDPOINT_URL; it tries by itself"
    )


def _role_refused(error: RoleNotAssumed) -> Failure:
    cause = error.cause
    if isinstance(cause, ClientError):
        if _status(cause) >= 500 or _status(cause) == 429 or _code(cause) in _THROTTLED:
            return Throttled(str(error))
        return Denied("RoleNotAssumed", str(error), _REMEDIES.get(_code(cause), _TRUST))
    outcome = _before_sending(cause)
    if isinstance(outcome, Denied) and outcome.code == "NotReady":
        return Denied("RoleNotAssumed", str(error), outcome.remedy)
    return outcome


def _refusal(error: ClientError, *, act: str, group: str) -> Failure:
    """CloudWatch's own answer, an error."""
    code, message, status = _code(error), _message(error), _status(error)
    if status >= 500 or code in _TIMED_OUT:
        return Unknown(f"{status} {code}: {message}")
    if status == 429 or code in _THROTTLED:
        return Throttled(f"{code}: {message}")
    if code == "ResourceNotFoundException":
        return MissingTarget("group" if "log group" in message.lower() else "stream")
    if status == 413 or code in _INVALID:
        # Where no event is at fault, none may be given up for it.
        if _NAME_REFUSED.search(message):
            return Denied(code, message, "correct log_group or log_stream in the configuration")
        if _KEY in message:
            return Denied(code, message, _remedy(code, message, act, group))
        return Invalid(f"{code}: {message}")
    return Denied(code, message, _remedy(code, message, act, group))


def _remedy(code: str, message: str, act: str, group: str) -> str:
    if _CLOCK_WORDS.search(message):
        return _CLOCK
    if code in _REMEDIES:
        return _REMEDIES[code]
    if _KEY in message:
        return f"let CloudWatch Logs of this region use the KMS key of {group} (the key's policy)"
    if "AccessDenied" in code or "NotAuthorized" in code or "Unauthorized" in code:
        allow = f"allow {act} on the log group {group} and its streams in the task role"
        return f"{allow}, or create the group" if act == CREATE_GROUP else allow
    return "check that the AWS endpoint and region are those of CloudWatch Logs"


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"

"""What an exception or an answer of boto3 is taken for."""

from __future__ import annotations

import botocore.exceptions as raised
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from sidecar.delivery import outcomes
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

URL = "https://logs.us-east-1.amazonaws.com/"
COUNT = 10
INDEXES = st.none() | st.integers(-1, COUNT + 1)


def refused(code: str, message: str = "no", status: int = 400) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
        },
        "PutLogEvents",
    )


def untrusted(words: str) -> raised.SSLError:
    return raised.SSLError(endpoint_url=URL, error=OSError(words))


def outcome(error: Exception, *, sent: bool = True) -> Failure:
    return outcomes.failure(error, act="logs:PutLogEvents", group="/g", sent=sent)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (refused("ThrottlingException"), Throttled),
        (refused("ThrottlingException", status=429), Throttled),
        (refused("RequestLimitExceeded"), Throttled),
        (refused("OperationAbortedException"), Throttled),
        (refused("429", status=429), Throttled),
        (refused("ThrottlingException", status=503), Unknown),
        (refused("ServiceUnavailableException", status=503), Unknown),
        (refused("502", status=502), Unknown),
        (refused("RequestTimeoutException"), Unknown),
        (refused("InvalidParameterException"), Invalid),
        (refused("SerializationException"), Invalid),
        (refused("413", status=413), Invalid),
        (refused("InvalidSequenceTokenException"), Denied),
        (refused("AccessDeniedException"), Denied),
        (refused("UnknownOperationException", status=404), Denied),
        (refused("301", status=301), Denied),
        (raised.EndpointConnectionError(endpoint_url=URL), Unreachable),
        (raised.ConnectTimeoutError(endpoint_url=URL), Unreachable),
        (raised.ProxyConnectionError(proxy_url=URL), Unreachable),
        (untrusted("CERTIFICATE_VERIFY_FAILED"), Unreachable),
        (untrusted("EOF occurred in violation of protocol"), Unknown),
        (raised.ReadTimeoutError(endpoint_url=URL), Unknown),
        (raised.ConnectionClosedError(endpoint_url=URL), Unknown),
        (raised.HTTPClientError(error="?"), Unknown),
        (RuntimeError("?"), Unknown),
    ],
)
def test_only_what_is_certain_is_said_to_be(error: Exception, expected: type[Failure]) -> None:
    """After sending, refusals with 4xx and failed connections are certain; all else is unknown."""
    assert type(outcome(error)) is expected


@pytest.mark.parametrize(
    "error",
    [
        raised.NoCredentialsError(),
        raised.NoRegionError(),
        raised.CredentialRetrievalError(provider="x", error_msg="y"),
        raised.ReadTimeoutError(endpoint_url="http://169.254.170.2/"),
        RoleNotAssumed("arn", refused("InternalFailure", status=500)),
        RoleNotAssumed("arn", refused("AccessDenied", status=403)),
        RoleNotAssumed("arn", raised.ReadTimeoutError(endpoint_url=URL)),
        RuntimeError("Credentials were refreshed, but are still expired."),
        ValueError("Invalid endpoint: x"),
    ],
)
def test_before_sending_nothing_is_unknown(error: Exception) -> None:
    """What fails before a request has left can have stored nothing, whatever it is."""
    assert type(outcome(error, sent=False)) in (Denied, Unreachable, Throttled)


@pytest.mark.parametrize(
    ("message", "what"),
    [
        ("The specified log group does not exist.", "group"),
        ("The specified log stream does not exist.", "stream"),
        ("", "stream"),
    ],
)
def test_what_is_missing(message: str, what: str) -> None:
    """The service's words tell the group from the stream."""
    assert outcome(refused("ResourceNotFoundException", message)) == MissingTarget(what)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "words", "heals"),
    [
        (refused("AccessDeniedException"), "allow logs:PutLogEvents on the log group /g", False),
        (refused("ExpiredTokenException"), "renew", True),
        (refused("UnrecognizedClientException"), "credentials", True),
        (refused("InvalidSignatureException"), "secret access key", True),
        (refused("InvalidSignatureException", "Signature expired: 1 < 2"), "clock", True),
        (refused("SignatureDoesNotMatch", "Signature not yet current"), "clock", True),
        (refused("UnknownOperationException"), "endpoint", False),
        (
            refused(
                "InvalidParameterException",
                "1 validation error detected: Value 'x' at 'logGroupName' failed to satisfy "
                "constraint: Member must ...",
            ),
            "log_group",
            False,
        ),
        *(
            (refused(code, "The specified KMS key does not exist or is not allowed"), "KMS", False)
            for code in ("AccessDeniedException", "InvalidParameterException")
        ),
    ],
)
def test_what_is_denied_says_what_to_do(error: ClientError, words: str, heals: bool) -> None:
    """Each denial names its remedy; those that new credentials may cure ask for a new session."""
    found = outcome(error)

    assert isinstance(found, Denied)
    assert words in found.remedy
    assert words in found.text
    assert outcomes.is_stale(found) is heals


def test_a_role_that_is_refused_names_both_policies() -> None:
    """The role, STS's word on it, and where to allow it."""
    error = RoleNotAssumed("arn:role/logs", refused("AccessDenied", "not authorized", 403))
    found = outcome(error, sent=False)

    assert isinstance(found, Denied)
    assert "arn:role/logs" in found.text
    assert "not authorized" in found.text
    assert "trust policy" in found.remedy
    assert outcomes.is_stale(found)


def test_no_index_means_that_all_is_stored() -> None:
    """A 200 that refuses nothing stores the whole batch."""
    assert outcomes.accepted(COUNT, {}) == Accepted(0, COUNT)


@given(INDEXES, INDEXES, INDEXES)
def test_indexes_part_a_batch_without_rest(
    too_old: int | None, expired: int | None, too_new: int | None
) -> None:
    """Every event is stored or counted once; indexes that cannot be true prove nothing."""
    given_ = {
        "tooOldLogEventEndIndex": too_old,
        "expiredLogEventEndIndex": expired,
        "tooNewLogEventStartIndex": too_new,
    }
    found = outcomes.accepted(COUNT, {k: v for k, v in given_.items() if v is not None})

    old, past = too_old or 0, expired or 0
    new = COUNT if too_new is None else too_new
    if 0 <= old <= new and 0 <= past <= new <= COUNT:
        assert isinstance(found, Accepted)
        assert (found.first, found.last) == (max(old, past), new)
        assert found.too_old + found.expired == found.first
        assert found.too_new == COUNT - found.last
    else:
        assert isinstance(found, Unknown)


@pytest.mark.parametrize("index", ["1", 1.5, [1], {}])
def test_an_index_that_is_no_number_proves_nothing(index: object) -> None:
    """An answer of another shape is no acknowledgement."""
    assert type(outcomes.accepted(COUNT, {"tooOldLogEventEndIndex": index})) is Unknown

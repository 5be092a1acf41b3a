"""What S3 or the way to it says against an act, in words that tell what to do."""

from __future__ import annotations

from typing import Final

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from sidecar.delivery import outcomes
from sidecar.delivery.destination import Denied

_DENIED: Final = frozenset({"403", "AccessDenied", "AllAccessDisabled", "Forbidden"})
_REMEDIES: Final = {
    "NoSuchBucket": "create the bucket, or correct artifacts[].bucket",
    "PermanentRedirect": "set AWS_REGION to the bucket's region",
    "AuthorizationHeaderMalformed": "set AWS_REGION to the bucket's region",
    "IllegalLocationConstraintException": "set AWS_REGION to the bucket's region",
    "NotImplemented": "use a store that knows S3's checksums and conditional writes",
}


def refusal(error: Exception, *, act: str, bucket: str) -> tuple[str, bool]:
    """The words, and whether region and credentials looked for anew may help."""
    where = f"the bucket {bucket}"
    if isinstance(error, ClientError):
        if code(error) in _DENIED or "AccessDenied" in code(error):
            return f"{_message(error)} ({code(error)}); {_allow(error, act, bucket)}", False
        remedy = _REMEDIES.get(code(error))
        if remedy is not None:
            return f"{where}: {_message(error)} ({code(error)}); {remedy}", False
    # The credentials' troubles are the same for every service, and so are the words for them.
    failure = outcomes.failure(error, act=act, group="", sent=isinstance(error, ClientError))
    if isinstance(failure, Denied) and outcomes.is_stale(failure):
        return failure.text, True
    if isinstance(error, ClientError):
        return f"{where} takes no artifact now: {_message(error)} ({code(error)})", False
    if isinstance(error, HTTPClientError | NoConnectionError):
        # Its text names the object, and is another for each.
        return (
            f"S3 cannot be reached for {where} ({type(error).__name__}); check the network, the "
            "VPC endpoint and AWS_ENDPOINT_URL_S3"
        ), False
    return f"{where} takes no artifact now: {type(error).__name__}: {error}", False


def code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _message(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")) or "no reason given"


def _allow(error: ClientError, act: str, bucket: str) -> str:
    if error.operation_name == "AbortMultipartUpload":
        act = "s3:AbortMultipartUpload"
    return (
        f"allow {act} on arn:aws:s3:::{bucket}/* in the task role, "
        "and in the policies of the bucket and its KMS key"
    )

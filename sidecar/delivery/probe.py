"""Whether AWS lets this identity do what the sidecar will do, without doing any of it.

IAM decides before the service looks at what is asked for. So a request about something that does
not exist proves its permission by the answer "not found", and leaves nothing behind. Creating is
the exception: it is asked for only where it must fail, and otherwise reported as unproven.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError

from sidecar.delivery import outcomes
from sidecar.delivery.credentials import RoleNotAssumed, open_session
from sidecar.delivery.destination import Denied, Failure, Invalid, MissingTarget
from sidecar.delivery.s3_probe import probe_buckets
from sidecar.model.finding import Finding, Result
from sidecar.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 10.0
# A name that no service accepts: CloudWatch's names have at most 512 characters and no colon. It
# begins like the configured one, so that IAM judges it by the same statement of a policy.
IMPOSSIBLE_SUFFIX: Final = ":" + "x" * 512

_REFUSED_FOR_ITS_NAME: Final = ("InvalidParameterException", "ValidationException")
_Call = Callable[[], object]


def probe(settings: Settings, environ: Mapping[str, str], *, online: bool) -> Iterator[Finding]:
    """Region and credentials; with `online`, every permission on every group of the settings."""
    missing: Result = "failed" if online else "warning"
    try:
        session = open_session(role_arn=settings.role_arn, environ=environ)
        region = session.region_name
        credentials = session.get_credentials()
    except BotoCoreError as error:
        yield Finding("AWS", "failed", str(error), "correct AWS_PROFILE or the files it refers to")
        return
    if region is None:
        yield Finding("AWS region", missing, "none is configured", "set AWS_REGION")
    else:
        yield Finding("AWS region", "ok", region)
    if credentials is None:
        yield Finding(
            "AWS credentials",
            missing,
            "none were found",
            "give the task a task role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    else:
        yield Finding("AWS credentials", "ok", f"found by {credentials.method}")
    if not online or region is None or credentials is None:
        return
    client = session.client("logs", config=_config())
    try:
        for group in _groups(settings):
            yield from _GroupProbe(client, settings, group).findings()
    except _Unanswered as error:
        yield Finding("AWS", "failed", error.failure.text, "correct this, then check again")
    finally:
        client.close()
    if any(entry.bucket for entry in settings.artifacts):
        yield from probe_buckets(session.client("s3", config=_config()), settings)


def _config() -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"total_max_attempts": 3, "mode": "standard"},
        parameter_validation=False,
    )


def _groups(settings: Settings) -> list[str]:
    """Every group that is written to, each once, in the order of the configuration."""
    entries = (*settings.logs, *settings.artifacts)
    return list(dict.fromkeys(entry.log_group for entry in entries))


class _Unanswered(Exception):  # noqa: N818
    """AWS could not be asked at all, so nothing else needs to be tried."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.text)


class _GroupProbe:
    """The questions about one log group."""

    def __init__(self, client: "CloudWatchLogsClient", settings: Settings, group: str) -> None:
        self._client = client
        self._create = settings.create
        self._reconcile = settings.delivery.reconcile
        self._group = group
        self._stream = f"sidecar-check-{secrets.token_hex(8)}"

    def findings(self) -> Iterator[Finding]:
        group, stream = self._group, self._stream
        # Refused even if the stream came to exist meanwhile: nobody stores events of 1970.
        refused: Any = [{"timestamp": 0, "message": "sidecar check"}]
        yield self._asked(
            "PutLogEvents",
            lambda: self._client.put_log_events(
                logGroupName=group, logStreamName=stream, logEvents=refused
            ),
        )
        if self._reconcile:
            yield self._asked(
                "GetLogEvents",
                lambda: self._client.get_log_events(logGroupName=group, logStreamName=stream),
            )
        yield from self._creating()

    def _creating(self) -> Iterator[Finding]:
        """Whether what is missing can be made.

        What exists is listed first: a "not found" of the requests before does not always say
        whether it was the group, and a stream asked for in a group that exists would be made.
        """
        existing: list[str] = []

        def describe() -> None:
            page = self._client.describe_log_streams(logGroupName=self._group, limit=1)
            existing.extend(stream["logStreamName"] for stream in page["logStreams"])

        unseen = _failure(describe, "DescribeLogStreams", self._group)
        if isinstance(unseen, MissingTarget):
            yield self._asked("CreateLogStream", lambda: self._create_stream(self._stream))
            yield from self._new_group()
        elif unseen is not None:
            # It is no permission the sidecar needs, so it may well be denied.
            yield self._asked(
                "CreateLogStream", lambda: self._create_stream(self._stream + IMPOSSIBLE_SUFFIX)
            )
        elif existing:
            yield self._asked("CreateLogStream", lambda: self._create_stream(existing[0]))
        else:
            yield self._unproven("CreateLogStream", "trying it would leave a stream behind")

    def _create_stream(self, stream: str) -> object:
        return self._client.create_log_stream(logGroupName=self._group, logStreamName=stream)

    def _new_group(self) -> Iterator[Finding]:
        days = self._create.retention_days
        if not self._create.groups:
            yield Finding(
                f"log group {self._group}",
                "failed",
                "it does not exist",
                "create it, or set create.groups: true",
            )
            return
        yield self._asked(
            "CreateLogGroup",
            lambda: self._client.create_log_group(logGroupName=self._group + IMPOSSIBLE_SUFFIX),
        )
        if days is not None:
            yield self._asked(
                "PutRetentionPolicy",
                lambda: self._client.put_retention_policy(
                    logGroupName=self._group, retentionInDays=days
                ),
            )

    def _asked(self, action: str, call: _Call) -> Finding:
        failure = _failure(call, action, self._group)
        item = f"logs:{action} {self._group}"
        if failure is None or isinstance(failure, MissingTarget):
            return Finding(item, "ok", "allowed")
        if isinstance(failure, Invalid) or (
            isinstance(failure, Denied) and failure.code in _REFUSED_FOR_ITS_NAME
        ):
            return self._unproven(action, "not denied, but only doing it would prove it")
        if not isinstance(failure, Denied) or outcomes.is_stale(failure):
            raise _Unanswered(failure)
        return Finding(item, "failed", f"{failure.message} ({failure.code})", failure.remedy)

    def _unproven(self, action: str, why: str) -> Finding:
        return Finding(f"logs:{action} {self._group}", "unproven", why)


def _failure(call: _Call, action: str, group: str) -> Failure | None:
    """What came of the call; None where it succeeded or what it would make exists already.

    Raises _Unanswered where it brought no answer of the service.
    """
    act = f"logs:{action}"
    try:
        call()
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") == "ResourceAlreadyExistsException":
            return None
        return outcomes.failure(error, act=act, group=group, sent=True)
    except (EndpointConnectionError, HTTPClientError) as error:
        raise _Unanswered(outcomes.failure(error, act=act, group=group, sent=True)) from error
    except (BotoCoreError, RoleNotAssumed) as error:
        raise _Unanswered(outcomes.failure(error, act=act, group=group, sent=False)) from error
    return None

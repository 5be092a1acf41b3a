"""Where the right to act comes from: a boto3 session, in a role of another account if asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import (
    CredentialProvider,
    CredentialResolver,
    DeferredRefreshableCredentials,
)
from botocore.loaders import Loader

if TYPE_CHECKING:
    from mypy_boto3_sts.type_defs import AssumeRoleResponseTypeDef

SESSION_NAME: Final = "efs-cloudwatch-sidecar"
# A request waits for this when its credentials run out, so it is kept well within the 30 s that a
# request may take altogether.
STS_CONNECT_SECONDS: Final = 2.0
STS_READ_SECONDS: Final = 4.0

# Parsed service models, 100 ms of work a session, are the same for every session.
_MODELS: Final = Loader(include_default_search_paths=True)


class RoleNotAssumed(Exception):  # noqa: N818
    """STS would not give the role's credentials; the cause says why. No request was sent yet."""

    def __init__(self, role_arn: str, cause: Exception) -> None:
        self.role_arn = role_arn
        self.cause = cause
        super().__init__(f"the role {role_arn} cannot be assumed: {cause}")


def open_session(
    region: str | None = None,
    role_arn: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> boto3.Session:
    """A session with boto3's own search for credentials, or with those of `role_arn`.

    Credentials are found anew in each session (boto3 remembers for good that it found none). The
    role's are refreshed before they run out; STS is asked when they are first needed, in the same
    region, and AWS_ENDPOINT_URL_STS applies. AWS_REGION is honoured as well as boto3's own
    AWS_DEFAULT_REGION, which alone it reads.
    """
    region = region or environ.get("AWS_REGION") or None
    base = _session()
    if role_arn is None:
        return boto3.Session(botocore_session=base, region_name=region)
    wrapped = _session()
    assumed = _AssumedRole(base, role_arn, region)
    wrapped.register_component("credential_provider", CredentialResolver([assumed]))
    return boto3.Session(botocore_session=wrapped, region_name=region)


class _AssumedRole(CredentialProvider):
    """The credentials of one role, taken with those that the base session finds."""

    METHOD = "sidecar-assume-role"

    def __init__(self, base: botocore.session.Session, role_arn: str, region: str | None) -> None:
        super().__init__()
        self._base = base
        self._role_arn = role_arn
        self._region = region

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(refresh_using=self._assume, method=self.METHOD)

    def _assume(self) -> dict[str, str]:
        try:
            answer = self._ask()
        except Exception as cause:
            raise RoleNotAssumed(self._role_arn, cause) from cause
        given = answer["Credentials"]
        return {
            "access_key": given["AccessKeyId"],
            "secret_key": given["SecretAccessKey"],
            "token": given["SessionToken"],
            "expiry_time": given["Expiration"].isoformat(),
        }

    def _ask(self) -> AssumeRoleResponseTypeDef:
        sts = boto3.Session(botocore_session=self._base).client(
            "sts",
            region_name=self._region,
            config=Config(
                connect_timeout=STS_CONNECT_SECONDS,
                read_timeout=STS_READ_SECONDS,
                retries={"total_max_attempts": 1, "mode": "standard"},
            ),
        )
        try:
            return sts.assume_role(RoleArn=self._role_arn, RoleSessionName=SESSION_NAME)
        finally:
            sts.close()


def _session() -> botocore.session.Session:
    session = botocore.session.get_session()
    session.register_component("data_loader", _MODELS)
    return session

"""AssumeRole of the Security Token Service, in its query protocol, for tests of `role_arn`."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import Message
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from .errors import ServiceError
from .signature import Identity

# AssumeRole: DurationSeconds is 900 to 43,200, default 3,600.
DEFAULT_SECONDS = 3600
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def is_form(headers: Message) -> bool:
    """Does the request use the query protocol?"""
    return headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")


def duration(body: bytes) -> int:
    """For how long the role is asked for, in seconds; raises for any other action."""
    form = parse_qs(body.decode())
    if form.get("Action") != ["AssumeRole"]:
        raise ServiceError("InvalidAction", f"Could not find operation {form.get('Action')}")
    return int(form.get("DurationSeconds", [str(DEFAULT_SECONDS)])[0])


def assumed(identity: Identity, body: bytes) -> bytes:
    """The reply that hands out the identity."""
    form = parse_qs(body.decode())
    role, session = form.get("RoleArn", [""])[0], form.get("RoleSessionName", [""])[0]
    until = datetime.fromtimestamp((identity.expires_at or 0) / 1000, UTC)
    return (
        f'<AssumeRoleResponse xmlns="{NAMESPACE}"><AssumeRoleResult><Credentials>'
        f"<AccessKeyId>{identity.access_key}</AccessKeyId>"
        f"<SecretAccessKey>{identity.secret_key}</SecretAccessKey>"
        f"<SessionToken>{identity.token}</SessionToken>"
        f"<Expiration>{until:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
        f"<AssumedRoleUser><AssumedRoleId>AROATEST:{escape(session)}</AssumedRoleId>"
        f"<Arn>{escape(role)}/{escape(session)}</Arn></AssumedRoleUser></AssumeRoleResult>"
        "<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></AssumeRoleResponse>"
    ).encode()

"""How an encoded body gets into boto3's request, and the record that it did.

To boto3 a carrier is a list of one placeholder event. Events of boto3's Extensibility guide
(https://docs.aws.amazon.com/boto3/latest/guide/events.html) find it in the parameters of the call
and put its bytes in place of the encoded placeholder, before the request is signed. Were that ever
to fail, the service would refuse the placeholder, whose timestamp is 0, as too old; and an answer
to a request without the record `placed` acknowledges nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from botocore.hooks import BaseEventHooks

if TYPE_CHECKING:
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

    Events = list[InputLogEventTypeDef]
else:
    Events = list

OPERATION: Final = "cloudwatch-logs.PutLogEvents"
_KEY: Final = "sidecar_carrier"


class Carrier(Events):
    """One request's body on its way.

    `placed`: the bytes are in the request. `answered`: a complete JSON object came back, so that
    nothing that it says is missing.
    """

    def __init__(self, body: bytes, *, gzipped: bool) -> None:
        super().__init__([{"timestamp": 0, "message": "placeholder"}])
        self.body = body
        self.gzipped = gzipped
        self.placed = False
        self.answered = False


def attach(events: BaseEventHooks) -> None:
    """Make a client's PutLogEvents take the bytes of a carrier given as `logEvents`."""
    events.register(f"provide-client-params.{OPERATION}", _find)
    events.register(f"before-call.{OPERATION}", _place)
    events.register(f"after-call.{OPERATION}", _look_at_answer)


def _find(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    carrier = params.get("logEvents")
    if isinstance(carrier, Carrier):
        context[_KEY] = carrier


def _place(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    carrier = context.get(_KEY)
    # The body is JSON; were botocore to choose another protocol, it must not be sent as that.
    if carrier is None or "json" not in params["headers"].get("Content-Type", ""):
        return
    params["body"] = carrier.body
    if carrier.gzipped:
        params["headers"]["Content-Encoding"] = "gzip"
    carrier.placed = True


def _look_at_answer(http_response: Any, context: dict[str, Any], **_: Any) -> None:
    # botocore takes a 200 that was cut off, or that a proxy made up, for an empty answer.
    carrier = context.get(_KEY)
    if carrier is None:
        return
    try:
        carrier.answered = isinstance(orjson.loads(http_response.content), dict)
    except orjson.JSONDecodeError:
        carrier.answered = False

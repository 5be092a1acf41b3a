"""One request from its headers and body to an answer: who asks, what for, and what goes wrong."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from typing import Any

import orjson

from . import sts, visibility
from .clock import Clock
from .deferred import Deferred
from .errors import ServiceError, UnlawfulError, invalid, malformed, missing
from .faults import MODIFIERS, Fault, Faults
from .operations import Operations
from .quotas import Quotas
from .record import Call, Record
from .signature import Identities, expired

TARGET_PREFIX = "Logs_20140328."
JSON_TYPE = "application/x-amz-json-1.1"
# The longest a client is left waiting for nothing.
HANG_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What goes back over the wire: `ending` is send, reset (nothing) or cut (half of it)."""

    status: int = 200
    body: bytes = b"{}"
    code: str | None = None
    content_type: str = JSON_TYPE
    ending: str = "send"

    @classmethod
    def of(cls, error: ServiceError) -> Answer:
        """A refusal, in the protocol's shape."""
        body = orjson.dumps({"__type": error.code, "message": error.message})
        return cls(status=error.status, body=body, code=error.code)


RESET = Answer(status=0, body=b"", code="reset", ending="reset")


class Service:
    """Everything but the sockets."""

    def __init__(
        self,
        *,
        operations: Operations,
        identities: Identities,
        faults: Faults,
        deferred: Deferred,
        record: Record,
        quotas: Quotas,
        clock: Clock,
    ) -> None:
        self.operations = operations
        self.identities = identities
        self.faults = faults
        self.deferred = deferred
        self.record = record
        self.quotas = quotas
        self.clock = clock
        self._plain: dict[str, Callable[[Fault], ServiceError]] = {
            "throttle": lambda fault: ServiceError("ThrottlingException", "Rate exceeded"),
            "server_error": server_error,
            "access_denied": lambda fault: ServiceError(
                "AccessDeniedException",
                "User: arn:aws:sts::123456789012:assumed-role/task/test is not authorized to "
                "perform this action because no identity-based policy allows it",
            ),
            "aborted": lambda fault: ServiceError(
                "OperationAbortedException",
                "A conflicting operation is currently in progress against this resource.",
            ),
            "expired_token": lambda fault: expired(),
            "limit_exceeded": lambda fault: ServiceError(
                "LimitExceededException", "Resource limit exceeded."
            ),
            "not_found": lambda fault: missing(fault.what),
            "unrecognized": lambda fault: ServiceError(
                "UnrecognizedClientException",
                "The security token included in the request is invalid.",
            ),
        }

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> Answer:
        """Answers one request, whatever it is, and keeps a record of it."""
        target = headers.get("X-Amz-Target", "")
        form = not target and sts.is_form(headers)
        operation = "AssumeRole" if form else target.removeprefix(TARGET_PREFIX) or "?"
        call = Call(operation=operation, at_ms=self.clock.now_ms(), size=len(body))
        self.record.add(call)
        try:
            if form:
                self.identities.check(method, path, headers, body, "sts")
                return self._finish(call, self._assume_role(body))
            self.identities.check(method, path, headers, body, "logs")
            request = self._parse(method, target, headers, body)
        except ServiceError as error:
            return self._refuse(call, error)
        call.group, call.stream = _text(request, "logGroupName"), _text(request, "logStreamName")
        events = request.get("logEvents")
        call.events = len(events) if isinstance(events, list) else 0
        self.record.begin(call)
        try:
            return self._finish(call, self._perform(call, request))
        except ServiceError as error:
            return self._refuse(call, error)
        finally:
            self.record.end(call)

    def _parse(self, method: str, target: str, headers: Message, body: bytes) -> dict[str, Any]:
        if method != "POST" or not target.startswith(TARGET_PREFIX):
            raise UnlawfulError("UnknownOperationException", f"{method} {target}", 404)
        if target.removeprefix(TARGET_PREFIX) not in self.operations.names:
            raise UnlawfulError("UnknownOperationException", target)
        if headers.get("Content-Type", "").partition(";")[0].strip() != JSON_TYPE:
            raise UnlawfulError(
                "UnknownOperationException", f"The content type is not {JSON_TYPE}."
            )
        try:
            request = orjson.loads(_decoded(headers, body))
        except orjson.JSONDecodeError as error:
            raise malformed(f"The body is not JSON: {error}") from None
        if not isinstance(request, dict):
            raise malformed("The body is not a JSON object.")
        return request

    def _perform(self, call: Call, request: dict[str, Any]) -> Answer:
        self.quotas.take(call.operation)
        plan = self.faults.plan(call.operation, call.group, call.stream)
        for fault in plan:
            if fault.kind == "slow":
                fault.cleared.wait(fault.duration)
        decisive = next((fault for fault in plan if fault.kind not in MODIFIERS), None)
        if decisive is None:
            return Answer(body=orjson.dumps(self._execute(call, request, plan)))
        call.fault = decisive.kind
        if decisive.kind in self._plain:
            if decisive.kind == "server_error" and decisive.stored:
                self._execute_quietly(call, request, plan)
            raise self._plain[decisive.kind](decisive)
        return self._break(decisive, call, request, plan)

    def _break(
        self, fault: Fault, call: Call, request: dict[str, Any], plan: list[Fault]
    ) -> Answer:
        """The faults that show in the connection, or in the reply of a success."""
        if fault.kind == "empty_page":
            return Answer(body=orjson.dumps(self.operations.reads.get_nothing(request)))
        if fault.kind == "cut_reply":
            body = orjson.dumps(self._execute(call, request, plan)) + b" " * 64
            return Answer(body=body, ending="cut")
        if fault.kind == "delayed":
            share = 1.0 if fault.exact else fault.random.random()
            due_ms = self.clock.now_ms() + round(fault.duration * share * 1000)
            self.deferred.add(due_ms, lambda: self._execute_quietly(call, request, plan))
            if fault.hang:
                fault.cleared.wait(HANG_SECONDS)
        elif fault.kind == "reset_after" or (fault.kind == "no_answer" and fault.stored):
            self._execute_quietly(call, request, plan)
        if fault.kind == "no_answer":
            fault.cleared.wait(fault.duration)
        return RESET

    def _execute(self, call: Call, request: dict[str, Any], plan: list[Fault]) -> dict[str, Any]:
        """Really does what is asked, under the plan's modifiers."""
        blind = any(fault.kind == "blind" for fault in plan)
        if call.operation != "PutLogEvents":
            return self.operations.execute(call.operation, request, blind=blind)
        for fault in plan:
            if fault.kind == "poison" and _contains(request, fault.marker):
                raise ServiceError("InvalidParameterException", "A log event is not acceptable.")
        shown = visibility.planned(plan, call.events, self.clock.now_ms())
        reply = self.operations.execute(call.operation, request, shown)
        call.executed = True
        return reply

    def _execute_quietly(self, call: Call, request: dict[str, Any], plan: list[Fault]) -> None:
        """For clients that will not hear of it; what is unlawful is recorded all the same."""
        try:
            self._execute(call, request, plan)
        except UnlawfulError as error:
            self.record.violation(call, error)
        except ServiceError as error:
            call.code = error.code
        self.record.wake()

    def _assume_role(self, body: bytes) -> Answer:
        identity = self.identities.issue(sts.duration(body))
        return Answer(body=sts.assumed(identity, body), content_type="text/xml")

    def _finish(self, call: Call, answer: Answer) -> Answer:
        call.status, call.code = answer.status, call.code or answer.code
        self.record.wake()
        return answer

    def _refuse(self, call: Call, error: ServiceError) -> Answer:
        if isinstance(error, UnlawfulError):
            self.record.violation(call, error)
        return self._finish(call, Answer.of(error))


def server_error(fault: Fault) -> ServiceError:
    """500 and 503 have names of their own in the service."""
    if fault.status == 503:
        message = "The service cannot complete the request."
        return ServiceError("ServiceUnavailableException", message, 503)
    message = "We encountered an internal error. Please try again."
    return ServiceError("InternalFailure", message, fault.status)


def _decoded(headers: Message, body: bytes) -> bytes:
    encoding = headers.get("Content-Encoding", "identity")
    if encoding == "identity":
        return body
    if encoding != "gzip":
        raise malformed(f"The content encoding '{encoding}' is not known.")
    try:
        return zlib.decompress(body, wbits=31)
    except zlib.error as error:
        raise malformed(f"The body is not gzip: {error}") from None


def _text(request: dict[str, Any], key: str) -> str | None:
    value = request.get(key)
    return value if isinstance(value, str) else None


def _contains(request: dict[str, Any], marker: str) -> bool:
    events = request.get("logEvents")
    if not isinstance(events, list):
        raise invalid("logEvents is not a list")
    return any(marker in str(event.get("message", "")) for event in events)

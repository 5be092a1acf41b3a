"""What the service says when it refuses.

ServiceError          any refusal: a code, a text, an HTTP status
└── UnlawfulError     a documented rule was broken: a bug of the client, kept as a violation
"""

from __future__ import annotations


class ServiceError(Exception):
    """A refusal in the shape of the awsJson1_1 protocol."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class UnlawfulError(ServiceError):
    """A refusal that a correct client never provokes."""


def invalid(message: str) -> UnlawfulError:
    """The request's content breaks a rule."""
    return UnlawfulError("InvalidParameterException", message)


def malformed(message: str) -> UnlawfulError:
    """The request cannot even be read."""
    return UnlawfulError("SerializationException", message)


def missing(what: str) -> ServiceError:
    """A log group or log stream that is not there; `what` is "group" or "stream"."""
    return ServiceError("ResourceNotFoundException", f"The specified log {what} does not exist.")


def exists(what: str) -> ServiceError:
    """A log group or log stream that is there already."""
    return ServiceError(
        "ResourceAlreadyExistsException", f"The specified log {what} already exists"
    )

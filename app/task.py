"""Which task this is: the name of its directory under `logs/`."""

import http.client
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Mapping

# The endpoint is local to the task and answers in milliseconds; ECS documents no limit.
METADATA_SECONDS = 2.0


def task_id(environ: Mapping[str, str]) -> str:
    """The last part of the task's ARN from the ECS metadata endpoint, else the host's name."""
    base = environ.get("ECS_CONTAINER_METADATA_URI_V4", "")
    if base.startswith("http://"):
        try:
            with urllib.request.urlopen(f"{base}/task", timeout=METADATA_SECONDS) as answer:  # noqa: S310 - http only, checked above
                arn = json.load(answer).get("TaskARN", "")
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            arn = ""
        if isinstance(arn, str) and (name := _component(arn.rpartition("/")[2])):
            return name
    return _component(socket.gethostname()) or "task"


def _component(name: str) -> str:
    kept = "".join(letter if letter.isalnum() or letter in "._-" else "-" for letter in name)
    return kept.lstrip(".-")[:128]

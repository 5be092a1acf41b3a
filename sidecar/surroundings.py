"""Where this process runs: the ECS task, as far as the metadata endpoint tells."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import structlog

from sidecar.model.stream_names import Surroundings

log = structlog.get_logger(__name__)

# Set by the ECS agent in every container, task metadata endpoint version 4.
METADATA_VARIABLE = "ECS_CONTAINER_METADATA_URI_V4"
METADATA_SECONDS = 2.0


def surroundings(task: str | None, environ: Mapping[str, str]) -> Surroundings:
    """What stream names may mention. The task is the configured one, else ECS's, else the host."""
    hostname = socket.gethostname()
    metadata = _metadata(environ.get(METADATA_VARIABLE))
    of_ecs = str(metadata.get("TaskARN", "")).rpartition("/")[2]
    return Surroundings(
        task=task or of_ecs or hostname,
        family=str(metadata.get("Family", "")),
        revision=str(metadata.get("Revision", "")),
        az=str(metadata.get("AvailabilityZone", "")),
        hostname=hostname,
    )


def _metadata(uri: str | None) -> dict[str, Any]:
    """The task's metadata; {} outside of ECS, and where the endpoint does not answer."""
    if not uri:
        return {}
    try:
        parts = urlsplit(uri)
        connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port or 80, timeout=METADATA_SECONDS
        )
        connection.request("GET", f"{parts.path}/task")
        found = json.loads(connection.getresponse().read())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError, http.client.HTTPException) as error:
        log.warning("task_metadata_unavailable", error=str(error))
        return {}

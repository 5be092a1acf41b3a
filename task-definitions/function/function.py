"""The Lambda function: profiles a file of its volume, and leaves a log and an artifact there.

    {"file": "incoming/orders.csv"}                       a file that is on the volume
    {"file": "incoming/orders.csv", "content": "a,b\n…"}  put there first, to try it out

Nothing is opened when this module is imported: the first invocation connects to the volume, later
ones in the same environment find it open.
"""

import os
import time
from pathlib import Path
from typing import Any

from columns import profile_of
from volume import Volume

_volume: Volume | None = None


def profile(event: Any, context: Any) -> dict[str, Any]:
    """What Lambda calls. An InputError is the caller's; everything else is ours."""
    volume = connected()
    request = getattr(context, "aws_request_id", "")
    began = time.monotonic()
    try:
        file = volume.input(event)
        volume.log("profile_started", request=request, file=file)
        found = profile_of(volume.path(file))
        artifact = volume.publish(f"{Path(file).stem}/profile.json", {"file": file, **found})
    except Exception as error:
        volume.log("profile_failed", request=request, reason=f"{type(error).__name__}: {error}")
        raise
    else:
        volume.log(
            "profile_finished",
            request=request,
            file=file,
            artifact=artifact,
            rows=found["rows"],
            seconds=round(time.monotonic() - began, 3),
        )
        return {"artifact": artifact, "rows": found["rows"], "columns": len(found["columns"])}
    finally:
        # The environment is frozen once we return, and may never wake: what was logged must be
        # on the volume before.
        volume.settle()


def connected() -> Volume:
    """This environment's volume, opened when it is first needed."""
    global _volume
    if _volume is None:
        root = Path(os.environ.get("FUNCTION_VOLUME", "/mnt/function"))
        name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "function")
        # The log stream's end is the environment's own id, so the two logs can be put together.
        stream = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "").rpartition("]")[2]
        _volume = Volume(root, name, stream)
    return _volume

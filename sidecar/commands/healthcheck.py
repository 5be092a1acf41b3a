"""`sidecar healthcheck`: what a container's health check runs, every few seconds."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sidecar.commands.ask import Answer, NoAnswer, ask, base_address
from sidecar.errors import on_one_line

# ECS gives a health check 5 s by default and counts a slower one as failed without its words.
SECONDS: Final = 4.0


def healthcheck(url: str | None, config: Path | None, environ: Mapping[str, str]) -> int:
    """0 when a restart would not help, degraded or not; 1 otherwise. Prints one line."""
    try:
        answer = ask(base_address(url, config, environ), "/healthz", SECONDS)
    except NoAnswer as error:
        return _unhealthy(str(error))
    words = _words(answer)
    if answer.status != 200:
        reasons = "; ".join(map(str, words.get("reasons") or [f"status {answer.status}"]))
        return _unhealthy(f"unhealthy: {reasons}")
    degraded = "; ".join(map(str, words.get("degraded") or []))
    text = f"healthy, but degraded: {degraded}" if degraded else "healthy"
    sys.stdout.write(on_one_line(text) + "\n")
    return 0


def _words(answer: Answer) -> dict[str, Any]:
    try:
        words = json.loads(answer.body)
    except ValueError:
        return {}
    return words if isinstance(words, dict) else {}


def _unhealthy(text: str) -> int:
    sys.stderr.write(f"sidecar: {on_one_line(text)}\n")
    return 1

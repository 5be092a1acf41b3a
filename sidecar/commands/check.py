"""`sidecar check`: would it work? Configuration, volume, port and AWS; leaves nothing behind."""

import difflib
import json
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Final

from sidecar.commands.check_volume import check_entries, check_state_dir
from sidecar.commands.table import table
from sidecar.errors import EXIT_CONFIGURATION
from sidecar.model.finding import Finding
from sidecar.settings import Settings, load
from sidecar.settings.environment import CONFIG_VARIABLE, VARIABLES

# ECS on Fargate, container definition: "The max stop timeout value is 120 seconds".
LONGEST_STOP_SECONDS: Final = 120.0


def check(config: Path | None, environ: Mapping[str, str], *, online: bool, as_json: bool) -> int:
    """Prints what was found; 0 when nothing failed, 2 otherwise."""
    findings = list(_findings(load(config, environ), environ, online=online))
    failed = any(finding.result == "failed" for finding in findings)
    if as_json:
        document = {"ok": not failed, "findings": [asdict(finding) for finding in findings]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        rows = [(finding.item, finding.result, finding.advice) for finding in findings]
        sys.stdout.write(table(("ITEM", "RESULT", "WHAT WAS FOUND, AND WHAT TO DO"), rows))
    return EXIT_CONFIGURATION if failed else 0


def _findings(settings: Settings, environ: Mapping[str, str], *, online: bool) -> Iterator[Finding]:
    entries = f"{len(settings.logs)} entries of logs, {len(settings.artifacts)} of artifacts"
    yield Finding("configuration", "ok", entries)
    yield from _misspelt(environ)
    yield from check_state_dir(settings.state_dir)
    yield from check_entries(settings)
    yield _port(settings.http.host, settings.http.port)
    if settings.drain.deadline >= LONGEST_STOP_SECONDS and _is_fargate(environ):
        yield Finding(
            "drain.deadline",
            "warning",
            f"{settings.drain.deadline:g} s is not under Fargate's longest stopTimeout",
            f"keep it under {LONGEST_STOP_SECONDS:g}s and under this container's stopTimeout",
        )
    # boto3 takes longer to import than all the rest takes to run.
    from sidecar import telemetry
    from sidecar.delivery.probe import probe

    telemetry.configure(settings.log_level)
    yield from probe(settings, environ, online=online)


def _misspelt(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Variables that look as if they were meant for us."""
    known = [*VARIABLES, CONFIG_VARIABLE]
    for variable in sorted(environ):
        if variable.startswith("SIDECAR_") and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=0.8)
            if near:
                yield Finding(
                    variable, "warning", "this variable is not read", f"did you mean {near[0]}?"
                )


def _is_fargate(environ: Mapping[str, str]) -> bool:
    return "FARGATE" in environ.get("AWS_EXECUTION_ENV", "")


def _port(host: str, port: int) -> Finding:
    item = f"http {host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        return Finding(
            item,
            "warning",
            f"this address cannot be listened on now: {error.strerror}",
            "fine while another sidecar runs here; otherwise change http.host or http.port",
        )
    return Finding(item, "ok", "free")

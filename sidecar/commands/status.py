"""`sidecar status`: what a running sidecar is doing."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sidecar.commands.ask import NoAnswer, ask, base_address
from sidecar.commands.table import amount, span, table
from sidecar.errors import on_one_line

SECONDS: Final = 10.0
# A table of more sources than this helps nobody; `--json` has them all.
SOURCES_SHOWN: Final = 100


def status(
    url: str | None, config: Path | None, environ: Mapping[str, str], *, as_json: bool
) -> int:
    """0 and the status on stdout; 1 and a line on stderr when nothing answers."""
    base = base_address(url, config, environ)
    path = "/status" if as_json else f"/status?limit={SOURCES_SHOWN}"
    try:
        answer = ask(base, path, SECONDS)
        if answer.status != 200:
            raise NoAnswer(f"{base}{path} answers with status {answer.status}, not with a status")
        document = json.loads(answer.body)
        text = json.dumps(document, indent=2) + "\n" if as_json else rendered(document)
    except NoAnswer as error:
        sys.stderr.write(f"sidecar: {on_one_line(str(error))}\n")
        return 1
    except (ValueError, TypeError, AttributeError, KeyError):
        sys.stderr.write(f"sidecar: what answers at {on_one_line(base)} is no sidecar\n")
        return 1
    sys.stdout.write(text)
    return 0


def rendered(document: dict[str, Any]) -> str:
    """The document for a terminal, the sources furthest behind first."""
    backlog, totals = document["backlog"], document["totals"]
    degraded = "; ".join(map(str, document["degraded"])) or "no"
    backlog_text = f"{amount(backlog['bytes'])} in {backlog['files']} files"
    if backlog["bytes"]:
        backlog_text += f", the oldest waits {span(backlog['oldest_seconds'])}"
    facts = [
        ("member", str(document["member"])),
        ("state", str(document["state"])),
        ("degraded", degraded),
        ("backlog", backlog_text),
        *((name.replace("_", " "), f"{value:,}") for name, value in totals.items()),
    ]
    parts = [table(("SIDECAR", ""), facts)]
    sources = document["sources"]
    if sources:
        parts.append(table(("SOURCE", *_SOURCE_HEADINGS), [_source(each) for each in sources]))
    hidden = document.get("sources_total", len(sources)) - len(sources)
    if hidden > 0:
        parts.append(f"and {hidden} sources more; --json has them all\n")
    members = document["members"]
    if members:
        rows = [
            (str(each["id"]), "yes" if each["alive"] else "no", str(each["sources"]))
            for each in members
        ]
        parts.append(table(("MEMBER", "ALIVE", "SOURCES"), rows))
    return "\n".join(parts)


_SOURCE_HEADINGS: Final = ("GROUP", "STREAM", "SIZE", "LAG", "BEHIND", "STATE", "OWNER")


def _source(source: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(source["path"]),
        str(source["group"]),
        str(source["stream"]),
        amount(source["size"]),
        amount(source["lag_bytes"]),
        span(source["lag_seconds"]),
        str(source["state"]),
        str(source["owner"]),
    )

"""The page for people: one file, with the first status inside so that it is never empty."""

import base64
import hashlib
import re
from html import escape
from pathlib import Path
from typing import Any

from sidecar.model import json_text
from sidecar.web.status_board import shortened

_TEMPLATE = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
_SCRIPT = re.search(r"<script>(.*?)</script>", _TEMPLATE, re.DOTALL)
_HASH = base64.b64encode(hashlib.sha256((_SCRIPT[1] if _SCRIPT else "").encode()).digest())

# Nothing from elsewhere, and no script but the page's own: paths come from whoever names files.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; img-src data:; "
    f"script-src 'sha256-{_HASH.decode()}'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)

# More than these would cost the browser more than they tell; /status has them all.
SOURCES_SHOWN = 200


def render(status: dict[str, Any]) -> bytes:
    """The page with `status` as its first contents, as text for browsers without scripts."""
    first = shortened(status, SOURCES_SHOWN)
    # In a script element only "<" could end it; JSON may always write it as an escape.
    text = json_text.shown(first).decode().replace("<", "\\u003c")
    # One pass: a path that happens to hold a placeholder's text stays a path.
    parts = {"@FIRST_STATUS@": text, "@PLAIN@": _plain(first)}
    return re.sub("|".join(parts), lambda found: parts[found[0]], _TEMPLATE).encode(
        "utf-8", "replace"
    )


def _plain(status: dict[str, Any]) -> str:
    """The same in plain tables, for a browser without scripts."""
    backlog = status.get("backlog", {})
    facts = {
        "state": status.get("state", ""),
        "member": status.get("member", ""),
        "not yet shipped, bytes": backlog.get("bytes", 0),
        "not yet shipped, files": backlog.get("files", 0),
        "oldest of it, seconds": backlog.get("oldest_seconds", 0),
    }
    totals = {name.replace("_", " "): count for name, count in status.get("totals", {}).items()}
    degraded = "".join(f"<li>{_text(each)}</li>" for each in status.get("degraded", ()))
    return f"<ul>{degraded}</ul>{_pairs(facts)}{_sources(status)}{_pairs(totals)}"


def _pairs(values: dict[str, Any]) -> str:
    rows = (f"<tr><th>{_text(name)}</th><td>{_text(of)}</td></tr>" for name, of in values.items())
    return f"<table>{''.join(rows)}</table>"


def _sources(status: dict[str, Any]) -> str:
    columns = ("path", "group", "stream", "lag_bytes", "lag_seconds", "state", "owner", "problem")
    head = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in columns)
    rows = (
        "<tr>" + "".join(f"<td>{_text(each.get(name, ''))}</td>" for name in columns) + "</tr>"
        for each in status.get("sources", ())
    )
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _text(value: Any) -> str:
    return escape(str(value), quote=True)

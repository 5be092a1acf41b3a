"""Dashboards, and what the metrics they show are made of."""

import json
import re
from typing import Any

from checker.finding import Problems
from checker.stack.observed import EFS_METRICS, made_metrics
from checker.template import Template
from checker.values import listed


def _plain(text: str) -> str:
    """What is known at deployment only, made comparable."""
    return re.sub(r"\$\{[^}]*\}", "x", text)


def dashboards(template: Template) -> Problems:
    """A body that is no JSON fails at the very end of a deployment."""
    for board in template.of_type("AWS::CloudWatch::Dashboard"):
        try:
            body = json.loads(_plain(str(board.get("DashboardBody", default=""))))
        except ValueError as error:
            yield f"{board.name}: DashboardBody is not JSON: {error}"
            continue
        if not isinstance(body, dict) or not isinstance(body.get("widgets"), list):
            yield f"{board.name}: DashboardBody has no list of widgets"
            continue
        yield from (f"{board.name}: {text}" for text in _widgets(template, body["widgets"]))


def _widgets(template: Template, widgets: list[dict[str, Any]]) -> Problems:
    # A dashboard shows what a condition may leave out; so every condition counts as met.
    whole = Template(template.document, True)
    made = {(_plain(space), _plain(name)) for space, name in made_metrics(whole)}
    spaces = {space for space, _ in made}
    for widget in widgets:
        properties = widget.get("properties") or {}
        if widget.get("type") != "metric":
            continue
        if not properties.get("region"):
            yield f"the widget {properties.get('title')!r} names no region; CloudWatch refuses it"
        for space, name in shown(listed(properties.get("metrics"))):
            if space in spaces and (space, name) not in made:
                yield f"shows {space} {name}, which no MetricFilter makes; correct it, or add the filter"
            elif space == "AWS/EFS" and name not in EFS_METRICS:
                yield f"AWS/EFS has no metric {name}; it has {', '.join(sorted(EFS_METRICS))}"


def shown(rows: list[Any]) -> list[tuple[str, str]]:
    """(namespace, name) of each row; a dot repeats what stands above it."""
    found: list[tuple[str, str]] = []
    for row in rows:
        if (
            not isinstance(row, list)
            or len(row) < 2
            or not all(isinstance(x, str) for x in row[:2])
        ):
            continue  # an expression
        above = found[-1] if found else ("", "")
        space, name = (above[i] if row[i] == "." else row[i] for i in (0, 1))
        found.append((space, name))
    return found


RULES = (dashboards,)

"""`profile.html`: what `profile.json` says, for a person."""

from typing import Any

from app.pages.charts import commonest, histogram, share
from app.pages.markup import Safe, html, join, page
from app.units import show_size

HEADS = (
    ("Column", ""), ("Nulls", ""), ("Distinct", "number"), ("Least", ""), ("Median", "number"),
    ("Mean", "number"), ("Greatest", ""), ("Distribution", ""),
)  # fmt: skip


def render(profile: dict[str, Any]) -> str:
    """The page, for the structure that `profile.json` holds."""
    dataset = profile["dataset"]
    body = html(
        "<h1>$name</h1>"
        '<p class="quiet small">$format, uploaded $created, profiled in $seconds s. '
        '<a href="profile.json">profile.json</a> · <a href="data.parquet">data.parquet</a></p>'
        "$facts$warnings<h2>Columns</h2>$columns<h2>First rows</h2>$sample"
        '<p class="small quiet mono">dataset $id · sha256 $sha256</p>',
        name=dataset["name"],
        format={"csv": "CSV", "jsonl": "JSON-lines", "parquet": "Parquet"}[dataset["format"]],
        created=dataset["created"].replace("T", " ").partition(".")[0] + " UTC",
        seconds=profile["seconds"],
        facts=_facts(profile),
        warnings=join(
            html('<div class="card warning">$text</div>', text=text) for text in profile["warnings"]
        ),
        columns=_columns(profile["columns"]),
        sample=_sample(profile["sample"], len(profile["columns"])),
        id=dataset["id"],
        sha256=dataset["sha256"],
    )
    return page(f"{dataset['name']} · profile", body)


def _facts(profile: dict[str, Any]) -> Safe:
    columns = profile["columns"]
    cells = profile["rows"] * len(columns)
    nulls = sum(column["nulls"] for column in columns)
    facts = (
        ("rows", f"{profile['rows']:,}"),
        ("columns", f"{len(columns):,}"),
        ("of the cells are null", percent(nulls, cells)),
        ("uploaded", show_size(profile["dataset"]["bytes"])),
    )
    return html(
        '<div class="facts">$facts</div>',
        facts=join(
            html('<div class="card fact"><b>$value</b><span class="quiet">$label</span></div>',
                 value=value, label=label)
            for label, value in facts
        ),
    )  # fmt: skip


def _columns(columns: list[dict[str, Any]]) -> Safe:
    heads = join(
        html('<th class="$kind">$label</th>', label=label, kind=kind) for label, kind in HEADS
    )
    return html(
        '<div class="card"><table><thead><tr>$heads</tr></thead><tbody>$rows</tbody></table></div>',
        heads=heads,
        rows=join(_column(column) for column in columns),
    )


def _column(column: dict[str, Any]) -> Safe:
    present = column["rows"] - column["nulls"]
    median = column["quartiles"][1] if column["quartiles"] else None
    distribution = commonest(column["commonest"], present)
    if column["histogram"]:
        distribution = histogram(column["histogram"])
    return html(
        '<tr><td class="value"><b>$name</b><br><span class="kind" title="$type">$short</span></td>'
        '<td>$bar<span class="small quiet unbroken">$nulls</span></td>'
        '<td class="number">$about$distinct</td><td class="value">$min</td>'
        '<td class="number">$median</td><td class="number">$mean</td>'
        '<td class="value">$max</td><td>$distribution</td></tr>',
        name=column["name"],
        type=column["type"],
        short=column["type"] if len(column["type"]) <= 24 else column["type"][:23] + "…",
        bar=share(column["nulls"] / column["rows"] if column["rows"] else 0.0),
        nulls=f"{column['nulls']:,} · {percent(column['nulls'], column['rows'])}",
        about="" if column["distinct_exact"] else "about ",
        distinct=f"{column['distinct']:,}",
        min=show(column["min"]),
        max=show(column["max"]),
        median=show(median),
        mean=show(column["mean"]),
        distribution=distribution,
    )


def _sample(sample: dict[str, Any], columns: int) -> Safe:
    heads = join(html("<th>$name</th>", name=name) for name in sample["columns"])
    rows = join(
        html("<tr>$cells</tr>", cells=join(_cell(value) for value in row)) for row in sample["rows"]
    )
    hidden = columns - len(sample["columns"])
    more = html('<p class="small quiet">$n more columns</p>', n=hidden) if hidden else Safe("")
    return html(
        '<div class="card sample"><table><thead><tr>$heads</tr></thead>'
        "<tbody>$rows</tbody></table></div>$more",
        heads=heads,
        rows=rows,
        more=more,
    )


def _cell(value: str | None) -> Safe:
    if value is None:
        return Safe('<td class="quiet">null</td>')
    return html("<td>$value</td>", value=value)


def show(value: Any) -> str:
    """A number with separators and few digits, text as it is, nothing as a dash."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e6 else f"{value:,.6g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def percent(part: int, whole: int) -> str:
    if not whole or not part:
        return "0 %"
    share_ = 100 * part / whole
    return "under 0.1 %" if share_ < 0.1 else f"{share_:.1f} %"

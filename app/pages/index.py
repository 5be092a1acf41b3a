"""The service's front page: upload, list, links."""

from app.dataset import Dataset, Status
from app.pages.markup import Safe, asset, html, join, page
from app.pages.security import policy_with_script
from app.units import show_size

SCRIPT = asset("index.js")
POLICY = policy_with_script(SCRIPT)
# Without scripts the page is loaded anew while something is under way.
REFRESH = Safe('<noscript><meta http-equiv="refresh" content="3"></noscript>')


def render(datasets: list[Dataset], limit: str) -> str:
    """`datasets` newest first; `limit` is the largest upload in words."""
    busy = any(not dataset.status.final for dataset in datasets)
    body = html(
        "<h1>Dataset profiles</h1>"
        '<p class="quiet">Upload a CSV, JSON-lines or Parquet file of up to $limit. '
        '<a href="/docs">API</a> · <a href="/readyz">status</a></p>'
        '<form class="card" method="post" action="/datasets" enctype="multipart/form-data">'
        '<input type="file" name="file" required aria-label="file">'
        '<button class="main">Upload</button><progress max="1" value="0" hidden></progress>'
        '<span id="said" role="status"></span></form>'
        '<h2>Datasets</h2><div class="card" id="list" data-busy="$busy">$list</div>'
        "<script>$script</script>",
        limit=limit,
        busy="yes" if busy else "no",
        list=_table(datasets),
        script=Safe(SCRIPT),
    )
    return page("Dataset profiles", body, head=REFRESH if busy else None)


def _table(datasets: list[Dataset]) -> Safe:
    if not datasets:
        return Safe('<p class="quiet" style="padding: 8px 18px">Nothing here yet.</p>')
    return html(
        '<table><thead><tr><th>Name</th><th>Status</th><th class="number">Size</th>'
        '<th class="number">Rows</th><th class="number">Columns</th><th>Uploaded</th>'
        "<th>Artifacts</th><th></th></tr></thead><tbody>$rows</tbody></table>",
        rows=join(_row(dataset) for dataset in datasets),
    )


def _row(dataset: Dataset) -> Safe:
    ready = dataset.status is Status.READY
    name = html("<b>$name</b>", name=dataset.name)
    if ready:
        name = html(
            '<a href="$page"><b>$name</b></a>',
            page=dataset.artifacts["profile.html"],
            name=dataset.name,
        )
    links = (
        html('<a href="$address">$name</a> ', address=address, name=artifact)
        for artifact, address in dataset.artifacts.items()
    )
    return html(
        '<tr><td class="value">$name</td><td><span class="$status">$status</span>$reason</td>'
        '<td class="number">$size</td><td class="number">$rows</td><td class="number">$columns</td>'
        '<td class="small quiet">$created</td><td class="small">$links</td>'
        '<td><button class="small" data-delete="$id" aria-label="delete $file">Delete</button>'
        "</td></tr>",
        name=name,
        status=dataset.status.value,
        reason=html('<div class="small quiet">$why</div>', why=dataset.reason or ""),
        size=show_size(dataset.bytes),
        rows="" if dataset.rows is None else f"{dataset.rows:,}",
        columns="" if dataset.columns is None else f"{dataset.columns:,}",
        created=dataset.created.replace("T", " ").partition(".")[0] + " UTC",
        links=join(links),
        id=dataset.id,
        file=dataset.name,
    )

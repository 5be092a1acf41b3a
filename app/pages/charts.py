"""Small inline SVG charts: a histogram, a bar of the commonest values, a bar of nulls."""

from typing import Any

from app.pages.markup import Safe, html, join

WIDTH = 200
HEIGHT = 44
GAP = 1


def histogram(bins: list[dict[str, Any]]) -> Safe:
    """One bar a bin; each says its range and count when pointed at."""
    if not bins:
        return Safe("")
    tallest = max(part["count"] for part in bins) or 1
    width = WIDTH / len(bins)
    bars = []
    for number, part in enumerate(bins):
        # A bin with few values still shows: one pixel at least.
        height = max(1.0, HEIGHT * part["count"] / tallest) if part["count"] else 0.0
        bars.append(
            html(
                "<g><title>$start to $end: $count</title>"
                '<rect x="$x" y="0" width="$w" height="$full" fill="transparent"/>'
                '<rect class="bar" x="$x" y="$y" width="$w" height="$h" rx="1"/></g>',
                start=part["from"],
                end=part["to"],
                count=f"{part['count']:,}",
                x=f"{number * width:.1f}",
                y=f"{HEIGHT - height:.1f}",
                w=f"{max(width - GAP, 1):.1f}",
                h=f"{height:.1f}",
                full=HEIGHT,
            )
        )
    return html(
        '<svg role="img" aria-label="histogram from $least to $most" width="$width" '
        'height="$height" viewBox="0 0 $width $height">$bars</svg>'
        '<div class="small quiet">$least … $most</div>',
        least=bins[0]["from"],
        most=bins[-1]["to"],
        width=WIDTH,
        height=HEIGHT,
        bars=join(bars),
    )


def share(part: float, width: int = 80, height: int = 8) -> Safe:
    """A bar filled to `part`, which lies between 0 and 1."""
    return html(
        '<svg width="$width" height="$height" aria-hidden="true">'
        '<rect class="ground" width="$width" height="$height" rx="3"/>'
        '<rect class="bar" width="$filled" height="$height" rx="3"/></svg>',
        width=width,
        height=height,
        filled=f"{max(0.0, min(1.0, part)) * width:.1f}",
    )


def commonest(values: list[dict[str, Any]], present: int) -> Safe:
    """The commonest values with their shares of all that are not null."""
    if not values or not present:
        return Safe("")
    rows = join(
        html(
            '<span title="$value">$value</span>$bar<span class="quiet">$count</span>',
            value=entry["value"] if entry["value"] != "" else "(empty)",
            bar=share(entry["count"] / present),
            count=f"{entry['count']:,}",
        )
        for entry in values
    )
    return html('<div class="commonest">$rows</div>', rows=rows)

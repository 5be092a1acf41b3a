"""HTML from parts: text is escaped unless it is `Safe`."""

from collections.abc import Iterable
from html import escape
from importlib.resources import files
from string import Template


class Safe(str):
    """Markup already; everything else is text."""

    __slots__ = ()


def html(template: str, **parts: object) -> Safe:
    """Fill `$name` places; each part is escaped unless it is Safe."""
    escaped = {
        name: part if isinstance(part, Safe) else Safe(escape(clean(str(part))))
        for name, part in parts.items()
    }
    return Safe(Template(template).substitute(escaped))


def join(parts: Iterable[Safe]) -> Safe:
    return Safe("".join(parts))


def clean(text: str) -> str:
    """Without characters that HTML cannot hold; lone surrogates would not encode."""
    kept = "".join(
        mark if mark.isprintable() or mark in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for mark in text
    )
    return kept.encode("utf-8", "replace").decode()


def asset(name: str) -> str:
    """A file that lies beside this one."""
    return (files(__package__) / name).read_text("utf-8")


def page(title: str, body: Safe, *, head: Safe | None = None) -> str:
    return html(
        asset("page.html"),
        title=title,
        style=Safe(asset("style.css")),
        head=head or Safe(""),
        body=body,
    )

"""The page for people: its first contents, with and without scripts, and what it lets in."""

import json
import re
from typing import Any

from sidecar.web import page
from tests.unit.web.sample import Sidecar, source, status

EVIL = "</script><img src=x onerror=alert(1)>&\"'@PLAIN@\\1"


def test_the_page_carries_the_first_status(sidecar: Sidecar) -> None:
    """Nobody waits for the first poll to see something."""
    sidecar.board.publish(status(source("a.log", 5)))
    reply = sidecar.ask("/")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert first_status(reply.text)["sources"][0]["stream"] == "a.log"


def test_the_page_can_be_read_without_scripts() -> None:
    """A plain table, and a refresh, for a browser that runs none."""
    text = page.render(status(source("a.log", 5), degraded=("denied: ask",))).decode()
    plain = text.partition("<body>")[2].partition("<noscript>")[2].partition("</noscript>")[0]
    assert "<td>/mnt/efs/logs/a.log</td>" in plain
    assert "<li>denied: ask</li>" in plain
    assert '<noscript><meta http-equiv="refresh"' in text


def test_a_file_name_cannot_become_markup() -> None:
    """Whoever names files writes no part of this page, not in the script's element either."""
    text = page.render(status(source(EVIL, 5), degraded=(EVIL,))).decode()
    assert "<img" not in text
    assert text.count("</script>") == 2
    assert first_status(text)["sources"][0]["stream"] == EVIL


def test_only_the_pages_own_script_may_run(sidecar: Sidecar) -> None:
    """The policy names the hash of the script that is served, and loads nothing from elsewhere."""
    reply = sidecar.ask("/")
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "'sha256-" in policy
    assert "'unsafe-inline'" not in policy.partition("script-src")[2]
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", reply.text)


def test_a_large_volume_makes_no_large_page() -> None:
    """Only the sources furthest behind are in it, and how many there are in all."""
    many = [source(f"{number}.log", number) for number in range(1000)]
    first = first_status(page.render(status(*many)).decode())
    assert len(first["sources"]) == page.SOURCES_SHOWN
    assert first["sources"][0]["stream"] == "999.log"
    assert first["sources_total"] == 1000


def first_status(text: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="first">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    loaded: dict[str, Any] = json.loads(found[1])
    return loaded

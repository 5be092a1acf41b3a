"""What the rules refuse, and what they say about it."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.model.assembly_rules import AssemblyRules, RuleError


@pytest.mark.parametrize(
    ("key", "plain"),
    [
        ("encoding", {"encoding": "klingon"}),
        ("encoding", {"encoding": "base64"}),
        ("encoding", {"encoding": "unicode_escape"}),
        ("encoding", {"encoding": "iso2022_jp"}),
        ("encoding", {"encoding": "utf-7"}),
        ("timestamp", {"timestamp": "always"}),
        ("timestamp", {"timestamp": {"pattern": "x"}}),
        ("timestamp.pattern", {"timestamp": {"pattern": "(", "format": "%Y"}}),
        ("timestamp.format", {"timestamp": {"pattern": "x", "format": "%Q"}}),
        ("timestamp.format", {"timestamp": {"pattern": "x", "format": "%"}}),
        ("multiline.start", {"multiline": {"start": "["}}),
        ("multiline.max_lines", {"multiline": {"start": "x", "max_lines": 0}}),
        ("empty_lines", {"empty_lines": "keep"}),
        ("max_event_bytes", {"max_event_bytes": 255}),
        ("keep", {"keep": ["("]}),
        ("drop", {"drop": ["(?P<"]}),
        ("redact.pattern", {"redact": [{"pattern": "*", "replace": ""}]}),
        ("redact.replace", {"redact": [{"pattern": "(a)", "replace": r"\2"}]}),
    ],
)
def test_a_rule_that_cannot_be_used_is_named(key: str, plain: dict[str, Any]) -> None:
    """The error names the setting in which it lies."""
    with pytest.raises(RuleError) as caught:
        AssemblyRules.of(**plain)
    assert caught.value.key == key
    assert caught.value.problem


def test_the_window_grows_with_what_may_be_configured() -> None:
    """Progress needs an event's bytes in the widest encoding, and what redaction looks ahead."""
    plain = AssemblyRules.of(max_event_bytes=1000).window
    assert plain >= 2 * 1000
    assert AssemblyRules.of(max_event_bytes=1000, encoding="utf-32").window >= 4 * 1000
    redacted = AssemblyRules.of(max_event_bytes=1000, redact=[{"pattern": "a", "replace": ""}])
    assert redacted.window == plain + redacted.lookahead

"""Names of groups and streams."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.stream_names import (
    StreamTemplate,
    Surroundings,
    clean,
    stem,
    wrong_with_group,
)

HERE = Surroundings(
    task="0a1b", family="reports", revision="7", az="eu-west-1a", hostname="ip-10-0-0-1"
)


def test_every_placeholder_is_filled() -> None:
    """Each placeholder stands for what its name says."""
    template = StreamTemplate("{family}/{revision}/{az}/{hostname}/{task}/{stem}/{path}")

    name = template.expand("web/app.log", HERE)

    assert name == "reports/7/eu-west-1a/ip-10-0-0-1/0a1b/app/web/app.log"


def test_what_is_not_known_is_said() -> None:
    """Outside ECS a family is unknown, and the name's parts stay in their places."""
    assert StreamTemplate("{family}/{path}").expand("a.log", Surroundings()) == "unknown/a.log"


def test_values_are_not_templates() -> None:
    """A path that looks like a placeholder is taken as it is."""
    assert StreamTemplate("{path}").expand("{task}.log", HERE) == "{task}.log"


@pytest.mark.parametrize(
    "text", ["", "{}", "{pathx}", "{path", "path}", "a:b", "a*", "{{path}}", "\n"]
)
def test_bad_templates_are_refused(text: str) -> None:
    """An unknown placeholder, a stray brace or a forbidden character is a ValueError."""
    with pytest.raises(ValueError, match=r"\w"):
        StreamTemplate(text)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a:b*c.log", "a_b_c.log"),
        ("a\tb\x7f\x00.log", "a_b__.log"),
        ("bad\udcff.log", "bad_.log"),
        ("naïve/日本.log", "naïve/日本.log"),
        ("x" * 512, "x" * 512),
    ],
)
def test_forbidden_characters_become_underscores(path: str, name: str) -> None:
    """`:`, `*`, control characters and bytes that are no UTF-8 become `_`, nothing else does."""
    assert clean(path) == name


def test_long_names_keep_their_end_and_a_hash() -> None:
    """Two long paths with one end stay two streams of at most 512 characters."""
    end = "/" + "e" * 480 + "/app.log"

    first, second = clean("a" * 100 + end), clean("b" * 100 + end)

    assert first != second
    assert len(first) == len(second) == 512
    assert first.endswith(end)
    assert re.match(r"[0-9a-f]{8}-", first)


@given(st.text(min_size=1, max_size=1200))
def test_any_path_gives_a_lawful_name(path: str) -> None:
    """Whatever a writer names its file, CloudWatch takes the stream's name."""
    name = clean(path)

    assert re.fullmatch(r"[^:*]{1,512}", name)
    assert not re.search(r"[\x00-\x1f\x7f]", name)
    name.encode("utf-8")
    assert clean(name) == name


def test_stem_is_the_name_without_its_last_extension() -> None:
    """Directories and the last extension go."""
    assert [stem(path) for path in ("logs/app.log", "a/app.log.1", ".profile", "x")] == [
        "app",
        "app.log",
        ".profile",
        "x",
    ]


@pytest.mark.parametrize("name", ["/ecs/reports", "a", "A.b-c_d/e#f", "g" * 512, "my-aws/x"])
def test_lawful_groups(name: str) -> None:
    """Names of CloudWatch's own pattern are taken."""
    assert wrong_with_group(name) is None


@pytest.mark.parametrize("name", ["", "g" * 513, "a b", "a:b", "a*", "aws/lambda", "é", "a\n"])
def test_unlawful_groups(name: str) -> None:
    """Anything else is refused with a reason."""
    assert wrong_with_group(name)

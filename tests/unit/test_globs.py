"""Globs, against examples and against a slow reference."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.globs import Glob


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/v/*.log", "/v/a.log", True),
        ("/v/*.log", "/v/d/a.log", False),
        ("/v/*.log", "/v/.log", True),
        ("/v/*.log", "/v/.hidden.log", True),
        ("/v/*.log", "/w/a.log", False),
        ("/v/**/*.log", "/v/a.log", True),
        ("/v/**/*.log", "/v/d/e/.f/a.log", True),
        ("/v/**/*.log", "/va.log", False),
        ("/v/**/*.log", "/v/a.log/b", False),
        ("/v/**", "/v/d/a", True),
        ("/v/**", "/v", False),
        ("/v/**/**/a", "/v/a", True),
        ("/**/a", "/a", True),
        ("/v/a?.log", "/v/ab.log", True),
        ("/v/a?b", "/v/a/b", False),
        ("/v/[a-c].log", "/v/b.log", True),
        ("/v/[!a-c].log", "/v/b.log", False),
        ("/v/[^a-c].log", "/v/d.log", True),
        ("/v/a[!b]c", "/v/a/c", False),
        ("/v/a[+-0]c", "/v/a/c", False),
        ("/v/[]a]", "/v/]", True),
        ("/v/[!]a]", "/v/b", True),
        ("/v/{a,b}.log", "/v/b.log", True),
        ("/v/{a,b{c,d}}/x", "/v/bd/x", True),
        ("/v/{a/b,c}/x", "/v/a/b/x", True),
        ("/v/a{,.1}", "/v/a", True),
        ("/v/{a,b}.log", "/v/c.log", False),
        (r"/v/\*.log", "/v/*.log", True),
        (r"/v/\*.log", "/v/a.log", False),
        (r"/v/\{a,b\}", "/v/{a,b}", True),
        ("/v/[{]x", "/v/{x", True),
        ("/v//a/./b", "/v/a/b", True),
        ("/v/a.log", "/v/axlog", False),
        ("/v/a\nb*", "/v/a\nb\nc", True),
        ("/v/a.log", "/v/a.log\n", False),
        ("/v/A", "/v/a", False),
        ("/v/é*", "/v/e", False),
        ("/v/\udcff*", "/v/\udcffa", True),
    ],
)
def test_examples(pattern: str, path: str, matches: bool) -> None:
    """What each sign of a pattern means."""
    assert Glob(pattern).matches(path) is matches


@pytest.mark.parametrize(
    ("pattern", "fixed"),
    [
        ("/v/logs/**/*.log", "/v/logs"),
        ("/v/logs/app.log", "/v/logs"),
        ("/v/lo*/x/y", "/v"),
        ("/*", "/"),
        ("/v/{a,b}/x/*", "/v"),
        ("/v/{a/x,a/y}/*", "/v/a"),
        (r"/v/\[x\]/*", "/v/[x]"),
    ],
)
def test_fixed_part_is_where_a_scan_starts(pattern: str, fixed: str) -> None:
    """The deepest directory that no wildcard touches; without a root it is the root."""
    glob = Glob(pattern)

    assert (glob.fixed, glob.root) == (fixed, fixed)


def test_root_is_kept_and_relative_patterns_start_there() -> None:
    """A pattern without a leading slash is relative to the root, whose signs are plain."""
    glob = Glob("**/*.log", root="/v/[x]/")

    assert glob.root == "/v/[x]"
    assert glob.fixed == "/v/[x]"
    assert glob.matches("/v/[x]/a/b.log")
    assert not glob.matches("/v/x/b.log")


@pytest.mark.parametrize(
    ("pattern", "root"),
    [
        ("*.log", None),
        ("", None),
        ("/", None),
        ("/v/../w", None),
        ("/v/[a", None),
        ("/v/{a", None),
        ("/v/a}", None),
        ("/v/[z-a]", None),
        ("/v/[[:digit:]]", None),
        ("/v/[a/b]", None),
        ("/v/a\\", None),
        ("/v/a**", None),
        ("/v/*.log", "/w"),
        ("/v/*.log", "/v/logs"),
        ("/vv/*.log", "/v"),
        ("*.log", "v"),
        ("*.log", "/v/../w"),
        ("/v/" + "{a,b}" * 11, None),
    ],
)
def test_malformed_patterns_are_refused(pattern: str, root: str | None) -> None:
    """A pattern that cannot be what was meant is a ValueError with words."""
    with pytest.raises(ValueError, match=r"\w+"):
        Glob(pattern, root)


def test_many_alternatives_are_a_limit_not_a_hang() -> None:
    """Braces multiply; more than the limit is refused before memory is spent."""
    with pytest.raises(ValueError, match="alternatives"):
        Glob("/v/" + "{a,b}" * 40)


@pytest.mark.parametrize(
    ("pattern", "directory", "descends"),
    [
        ("/v/logs/*.log", "/v", True),
        ("/v/logs/*.log", "/", True),
        ("/v/logs/*.log", "/v/logs", True),
        ("/v/logs/*.log", "/v/logs/a", False),
        ("/v/logs/*.log", "/w", False),
        ("/v/**/*.log", "/v/a/b/c", True),
        ("/v/**", "/v/a", True),
        ("/v/*/x/*.log", "/v/a/x", True),
        ("/v/*/x/*.log", "/v/a/y", False),
        ("/v/{a,b/c}/*", "/v/b", True),
        ("/v/{a,b/c}/*", "/v/a/c", False),
    ],
)
def test_descends_only_where_something_could_match(
    pattern: str, directory: str, descends: bool
) -> None:
    """A directory below which nothing can match is not listed."""
    assert Glob(pattern).descends(directory) is descends


# The reference works on parts and characters, tries everything, and shares no code.

names = st.text(alphabet="ab.[", min_size=1, max_size=3)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
literals = st.sampled_from(["a", "b", ".", "ab"])
signs = st.sampled_from(["*", "?", "[ab]", "[!a]", "{a,b}", "{a,.b,}", r"\[", "[.-b]"])
parts = st.one_of(
    st.just("**"),
    st.lists(st.one_of(literals, signs), min_size=1, max_size=3)
    .map("".join)
    .filter(lambda part: "**" not in part and part not in (".", "..")),
)
patterns = st.lists(parts, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


def tokens(part: str) -> Iterator[list[str]]:
    """The part as signs and characters, once for each way to choose from its braces."""
    opening = part.find("{")
    if opening >= 0:
        closing = part.index("}")
        for choice in part[opening + 1 : closing].split(","):
            yield from tokens(part[:opening] + choice + part[closing + 1 :])
        return
    found: list[str] = []
    while part:
        length = part.index("]") + 1 if part[0] == "[" else 2 if part[0] == "\\" else 1
        found.append(part[:length])
        part = part[length:]
    yield found


def fits(found: list[str], name: str) -> bool:
    """Whether the signs can be the name."""
    if not found:
        return not name
    sign, rest = found[0], found[1:]
    if sign == "*":
        return any(fits(rest, name[taken:]) for taken in range(len(name) + 1))
    if not name:
        return False
    accepted = {
        "?": True,
        "[ab]": name[0] in "ab",
        "[!a]": name[0] != "a",
        "[.-b]": "." <= name[0] <= "b" and name[0] != "/",
        r"\[": name[0] == "[",
    }.get(sign, name[0] == sign)
    return accepted and fits(rest, name[1:])


def reaches(pattern: list[str], path: list[str]) -> bool:
    """Whether the parts of the pattern can be the names of the path."""
    if not pattern:
        return not path
    if pattern == ["**"]:
        return len(path) > 0
    if pattern[0] == "**":
        return any(reaches(pattern[1:], path[taken:]) for taken in range(len(path) + 1))
    return (
        bool(path)
        and any(fits(found, path[0]) for found in tokens(pattern[0]))
        and reaches(pattern[1:], path[1:])
    )


def expands_to_nothing(part: str) -> bool:
    """Whether some choice from the braces leaves a part that is no name at all."""
    return part != "**" and any(
        "".join(found) in ("", ".", "..") or "**" in "".join(found) for found in tokens(part)
    )


@given(patterns, st.data())
def test_agrees_with_the_reference(pattern: str, data: st.DataObject) -> None:
    """Any pattern matches just the paths that trying everything matches."""
    split = pattern[1:].split("/")
    if any(expands_to_nothing(part) for part in split):
        return
    glob = Glob(pattern)
    path = data.draw(paths)

    assert glob.matches(path) is reaches(split, path[1:].split("/"))


@given(patterns, paths)
def test_a_match_is_reached_by_descending(pattern: str, path: str) -> None:
    """What matches lies below directories that `descends` lets a scan enter, from `fixed` on."""
    if any(expands_to_nothing(part) for part in pattern[1:].split("/")):
        return
    glob = Glob(pattern)
    if not glob.matches(path):
        return

    above = path
    while above != "/":
        above = above.rpartition("/")[0] or "/"
        assert glob.descends(above)
    assert path.startswith(glob.fixed.rstrip("/") + "/")

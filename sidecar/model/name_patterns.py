"""One part of a glob as a regular expression, and the patterns that braces stand for."""

import itertools
import re
from collections.abc import Iterator
from typing import Final

# Braces multiply; a pattern that names more alternatives than this is a mistake.
MOST_ALTERNATIVES: Final = 1000


def name_regex(part: str) -> str:
    """The regular expression of one part of a pattern, braces already expanded."""
    expression: list[str] = []
    at = 0
    while at < len(part):
        char = part[at]
        if char == "\\":
            if at + 1 == len(part):
                raise ValueError(f"{part!r} ends in a backslash")
            expression.append(re.escape(part[at + 1]))
            at += 2
        elif char == "[":
            end = _class_end(part, at)
            expression.append(_class(part[at:end]))
            at = end
        else:
            expression.append({"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char))
            at += 1
    return "".join(expression)


def _class_end(part: str, start: int) -> int:
    """The index after the `]` that closes the class; a `]` that comes first is a member."""
    at = start + 1
    if part[at : at + 1] in ("!", "^"):
        at += 1
    at = part.find("]", at + 1)
    if at < 0:
        raise ValueError(f"in {part!r} a [ is not closed")
    return at + 1


def _class(text: str) -> str:
    members = text[1:-1]
    if members.startswith("[:"):
        raise ValueError(f"{text!r} is a POSIX class, which is not known here: write [0-9] or so")
    negated = members[:1] in ("!", "^")
    members = members[1:] if negated else members
    chosen = []
    while members:
        is_range = members[1:2] == "-" and len(members) > 2
        first, last = members[0], members[2] if is_range else members[0]
        if last < first:
            raise ValueError(f"in {text!r} the range {first}-{last} is empty")
        chosen.append(f"{re.escape(first)}-{re.escape(last)}")
        members = members[3:] if is_range else members[1:]
    # A name has no slash, but a negated class or a range would take one for a character of it.
    return f"(?!/)[{'^' if negated else ''}{''.join(chosen)}]"


def alternatives(pattern: str) -> list[str]:
    """The patterns that the braces stand for."""
    found: list[str] = []
    for text in _expanded(pattern):
        found.append(text)
        if len(found) > MOST_ALTERNATIVES:
            raise ValueError(f"{pattern!r} names more than {MOST_ALTERNATIVES} alternatives")
    return found


def _expanded(pattern: str) -> Iterator[str]:
    opening, commas, closing = _first_braces(pattern)
    if opening is None:
        yield pattern
        return
    bounds = [opening, *commas, closing]
    for left, right in itertools.pairwise(bounds):
        yield from _expanded(pattern[:opening] + pattern[left + 1 : right] + pattern[closing + 1 :])


def _first_braces(pattern: str) -> tuple[int | None, list[int], int]:
    """Where the first braces open, part and close, looking past escapes and classes."""
    depth = 0
    opening: int | None = None
    commas: list[int] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            at += 1
        elif char == "[":
            at = _class_end(pattern, at) - 1
        elif char == "{":
            opening = at if opening is None else opening
            depth += 1
        elif char == "," and depth == 1:
            commas.append(at)
        elif char == "}":
            depth -= 1
            if depth < 0:
                raise ValueError(f"in {pattern!r} a }} has no {{ before it")
            if depth == 0 and opening is not None:
                return opening, commas, at
        at += 1
    if depth:
        raise ValueError(f"in {pattern!r} a {{ is not closed")
    return None, [], 0

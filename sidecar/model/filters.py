"""What the user's rules say about a message: keep, drop, then redact."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sidecar.model.assembly_rules import Redaction

FAR = 4
"""Cuts nearer to the natural one than this many characters are not tried separately."""


@dataclass(frozen=True)
class Filters:
    """The compiled rules of one kind of source."""

    keep: tuple[re.Pattern[str], ...]
    drop: tuple[re.Pattern[str], ...]
    redactions: tuple[Redaction, ...]

    def refusals(self, messages: Sequence[str]) -> dict[int, str]:
        """By index, the rule that stops a message: no keep finds anything in it, or a drop does."""
        refused: dict[int, str] = {}
        for rule in self.drop:
            search = rule.search
            refused.update((i, "drop") for i, text in enumerate(messages) if search(text))
        if self.keep:
            unkept = list(range(len(messages)))
            for rule in self.keep:
                search = rule.search
                unkept = [i for i in unkept if not search(messages[i])]
            refused.update((i, "keep") for i in unkept)
        return refused

    def redact(self, text: str) -> str:
        """``text`` with every redaction applied, in order."""
        for rule in self.redactions:
            text = rule.pattern.sub(rule.replace, text)
        return text

    def redact_within(self, text: str, room: int) -> str:
        """``redact(text)``, in at most ``room`` bytes of UTF-8.

        A replacement that makes the text too long is left out, found text and all: to cut the
        message off would lose what nobody asked to hide.
        """
        redacted = self.redact(text)
        if len(redacted.encode()) <= room:
            return redacted
        redacted = text
        for rule in self.redactions:
            redacted = rule.pattern.sub("", redacted)
        return redacted

    def seam(self, text: str, least: int) -> int | None:
        """Where to cut ``text``, at ``least`` characters or before, so that nothing leaks.

        At such a place both halves, each redacted by itself, make up the redacted whole: no
        finding straddles it and none needs what lies on the other side. None if none is found.
        """
        whole = self.redact(text)
        for at in self._candidates(text, least):
            if self.redact(text[:at]) + self.redact(text[at:]) == whole:
                return at
        return None

    def _candidates(self, text: str, most: int) -> Iterator[int]:
        yield most
        for rule in self.redactions:
            for found in rule.pattern.finditer(text):
                if found.start() >= most:
                    break
                if found.end() > most and found.start() > 0:
                    yield found.start()
        back = FAR
        while back < most:
            yield most - back
            space = text.rfind(" ", 0, most - back)
            if space > 0:
                yield space
            back *= 2

"""What a rule says, and how rules are asked without one strange file ending the check."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

Problems = Iterator[str]
Rule = Callable[[Any], Problems]


@dataclass(frozen=True)
class Finding:
    """One line for a person: where, what is wrong, what to do; and the rule's name to ignore."""

    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.text} [{self.rule}]"


def ask(
    rules: Iterable[Rule], subject: Any, where: str = "", *, sound: bool = True
) -> list[Finding]:
    """What the rules find in the subject.

    A rule may trust the form of a sound subject. Where the form itself was found wrong before, a
    rule that cannot read it stays silent: the form is the finding.
    """
    found = []
    prefix = f"{where}: " if where else ""
    for rule in rules:
        try:
            found += [Finding(rule.__name__, prefix + text) for text in rule(subject)]
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            if sound:
                text = f"{prefix}has a form that cannot be checked ({error!r}); write it plainly"
                found.append(Finding(rule.__name__, text))
    return found

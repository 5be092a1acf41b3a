"""What a check found."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Result: TypeAlias = Literal["ok", "warning", "unproven", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `unproven`: nothing speaks against it, and only doing it would prove it. `remedy` is what to do,
    "" when there is nothing to do.
    """

    item: str
    result: Result
    detail: str
    remedy: str = ""

    @property
    def advice(self) -> str:
        return f"{self.detail}; {self.remedy}" if self.remedy else self.detail

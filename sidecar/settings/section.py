"""What every part of the configuration has in common, and how a check says what is wrong."""

from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

WRONG = "wrong_setting"


def wrong(problem: str, remedy: str, below: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """The error of a check: what is wrong, and what to do.

    `below` leads from the checked value to the key at fault, where a section checks several keys
    together.
    """
    return PydanticCustomError(
        WRONG, "{problem}; {remedy}", {"problem": problem, "remedy": remedy, "below": below}
    )


class Section(BaseModel):
    """A mapping of the file. Frozen, and an unknown key is an error.

    A key that is left empty or null has its default, unless null has a meaning of its own there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_means_default(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        null_has_meaning = {
            field.alias or name
            for name, field in cls.model_fields.items()
            if type(None) in get_args(field.annotation)
        }
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {
            key: value
            for key, value in values.items()
            if value is not None or key in null_has_meaning or key not in known
        }

"""What pydantic found, in words for the person who wrote the file."""

import difflib
from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from sidecar.settings.quantities import shown
from sidecar.settings.section import WRONG
from sidecar.settings.yaml_file import Key


class Explanation(NamedTuple):
    """The key at fault, what is wrong with it, and what to do."""

    key: Key
    problem: str
    remedy: str


_SHAPES: Final = {
    "string_type": ("text", "write one value, in quotes if need be"),
    "int_type": ("a whole number", "write digits"),
    "int_parsing": ("a whole number", "write digits"),
    "int_from_float": ("a whole number", "write digits"),
    "float_type": ("a number", "write digits"),
    "float_parsing": ("a number", "write digits"),
    "finite_number": ("a number", "write digits"),
    "bool_type": ("true or false", "write one of them"),
    "bool_parsing": ("true or false", "write one of them"),
    "list_type": ("a list", "write it as [one, two], or one value a line behind a dash"),
    "tuple_type": ("a list", "write it as [one, two], or one value a line behind a dash"),
    "dict_type": ("a mapping", "write KEY: VALUE lines below it"),
    "model_type": ("a mapping", "write KEY: VALUE lines below it"),
    "path_type": ("a path", "write one that starts with /"),
}
_BOUNDS: Final = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}


def explained(error: ValidationError, model: type[BaseModel]) -> Explanation:
    """The first fault, an unknown key before all others: it is often their cause."""
    faults = error.errors()
    unknown = [fault for fault in faults if fault["type"] == "extra_forbidden"]
    fault = (unknown or faults)[0]
    key = fault["loc"]
    context = fault.get("ctx", {})
    if fault["type"] == WRONG:
        return Explanation(key + tuple(context["below"]), context["problem"], context["remedy"])
    if fault["type"] == "extra_forbidden":
        return _unknown_key(key, model)
    return Explanation(key, *_words(fault, key, context))


def _words(fault: ErrorDetails, key: Key, context: dict[str, Any]) -> tuple[str, str]:
    kind, value = fault["type"], fault["input"]
    if kind == "missing":
        if key[-1:] == ("log_group",):
            return (
                "this entry has no log group",
                "set log_group here or at the top, or SIDECAR_LOG_GROUP",
            )
        return "this key is missing", "add it"
    if kind == "literal_error":
        expected = context["expected"].replace("'", "")
        return f"{shown(value)} is not known here", f"use {expected}"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"must be {words} {context[name]}, this is {shown(value)}", "change the number"
    if kind in _SHAPES:
        shape, remedy = _SHAPES[kind]
        return f"must be {shape}, not {shown(value)}", remedy
    if kind in ("too_short", "string_too_short"):
        return "must not be empty", "write at least one value"
    return f"{fault['msg']}, this is {shown(value)}", "correct it"


def _unknown_key(key: Key, model: type[BaseModel]) -> Explanation:
    name = str(key[-1])
    section = _model_at(model, key[:-1])
    known = _keys(section)
    elsewhere = [path for path in _all_keys(model) if path.split(".")[-1] == name]
    near = difflib.get_close_matches(name, known, n=1)
    if not near and elsewhere:
        near = elsewhere[:1]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return Explanation(
        key, "unknown key", f"did you mean {near[0]}? known here: {', '.join(known)}"
    )


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _all_keys(model: type[BaseModel], before: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = before + (field.alias or name)
        yield path
        for inner in _models_in(field.annotation):
            yield from _all_keys(inner, path + ".")


def _model_at(model: type[BaseModel], key: Key) -> type[BaseModel]:
    for step in key:
        if isinstance(step, int):
            continue
        for name, field in model.model_fields.items():
            if step == (field.alias or name):
                inner = list(_models_in(field.annotation))
                model = inner[0] if inner else model
    return model


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, BaseModel):
            yield annotation
    elif get_origin(annotation) in (tuple, Union, UnionType):
        for inner in get_args(annotation):
            yield from _models_in(inner)

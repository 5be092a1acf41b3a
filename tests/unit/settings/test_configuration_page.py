"""CONFIGURATION.md and the models hold together."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest
import yaml
from pydantic import BaseModel

import sidecar
from sidecar.settings import Settings, load
from sidecar.settings.environment import VARIABLES

PAGE = (Path(sidecar.__file__).parent / "CONFIGURATION.md").read_text(encoding="utf-8")
MINIMAL = {"log_group": "/g", "logs": [{"include": ["/mnt/efs/logs/*"]}]}


class Row(NamedTuple):
    """One line of a table of settings; `default` and `example` are as in the file."""

    key: str
    default: str
    meaning: str
    example: str


def rows() -> dict[str, Row]:
    """Every line that describes a setting, by its key."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 5 and cells[0].startswith("`"):
            key, _, default, meaning, example = (cell.replace(r"\|", "|") for cell in cells)
            found[key.strip("`")] = Row(key.strip("`"), default, meaning, example)
    return found


def keys(model: type[BaseModel], before: str = "") -> Iterator[str]:
    """Every key of the models that holds a value, as the page writes it."""
    for name, field in model.model_fields.items():
        key = before + (field.alias or name)
        inner = list(models(field.annotation))
        is_list = "tuple" in str(field.annotation)
        for each in inner:
            yield from keys(each, key + ("[]." if is_list else "."))
        if not inner or not before or before.endswith("[]."):
            yield key


def models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models inside an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models(inner)


SECTIONS = {"create", "logs", "artifacts", "poll", "delivery", "drain", "http"}
KEYS = sorted(set(keys(Settings)) - SECTIONS)


@pytest.mark.parametrize("key", KEYS)
def test_each_setting_has_its_line(key: str) -> None:
    """A setting of the models has a line on the page, with a meaning and an example."""
    row = rows().get(key)

    assert row is not None, f"add a line for `{key}` to CONFIGURATION.md"
    assert row.meaning
    assert row.example.startswith("`")


def test_each_line_has_its_setting() -> None:
    """The page describes nothing that does not exist, and each section has a heading."""
    assert set(rows()) == set(KEYS)
    for section in SECTIONS:
        assert re.search(rf"^### `{section}(\[\])?`", PAGE, re.MULTILINE)


ABSENT = object()


def nested(key: str, value: Any) -> dict[str, Any]:
    """A minimal document with the value at the key, and what the key needs beside it."""
    document: dict[str, Any] = yaml.safe_load(yaml.safe_dump(MINIMAL))
    document["artifacts"] = [{"include": ["/mnt/efs/artifacts/*"]}]
    at: Any = document
    steps = key.split(".")
    for step in steps[:-1]:
        name = step.removesuffix("[]")
        at = at.setdefault(name, [{}])[0] if step.endswith("[]") else at.setdefault(name, {})
        at.update(COMPANIONS.get(name, {}))
    if key == "log_group":
        document["logs"][0]["log_group"] = document["artifacts"][0]["log_group"] = "/g"
    at[steps[-1]] = value
    if value is ABSENT:
        del at[steps[-1]]
    if steps[-1] == "key":
        at.pop("pattern")
        at.pop("format")
    return document


COMPANIONS = {
    "timestamp": {"pattern": "x", "format": "%Y"},
    "multiline": {"start": "x"},
    "redact": {"pattern": "(x)"},
}


@pytest.mark.parametrize("key", KEYS)
def test_each_example_is_sound(key: str) -> None:
    """The example of each line can be written as it stands."""
    example = rows()[key].example.strip("`")

    Settings.model_validate(nested(key, yaml.safe_load(example)))


@pytest.mark.parametrize("key", [key for key in KEYS if rows()[key].default != "required"])
def test_each_default_is_the_real_one(key: str) -> None:
    """Writing the default of a line changes nothing."""
    default = yaml.safe_load(rows()[key].default.strip("`"))
    written, silent = nested(key, default), nested(key, ABSENT)

    assert Settings.model_validate(written) == Settings.model_validate(silent)


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_has_its_line(variable: str) -> None:
    """The page names each variable and the key it stands for."""
    key = ".".join(VARIABLES[variable])

    assert f"| `{variable}` | `{key}` |" in PAGE


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_each_file_on_the_page_loads(block: str, tmp_path: Path) -> None:
    """A file shown on the page is sound."""
    file = tmp_path / "shown.yaml"
    file.write_text(block, encoding="utf-8")

    assert load(file, {}).logs

"""The way in: a file and the environment become Settings, or one clear error."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sidecar.errors import ConfigurationError
from sidecar.settings.environment import CONFIG_VARIABLE, overlaid, variable_for
from sidecar.settings.expansion import dotted, expand
from sidecar.settings.explanation import explained
from sidecar.settings.models import Settings
from sidecar.settings.yaml_file import Document, Key, read


def load(path: Path | None, environ: Mapping[str, str]) -> Settings:
    """The settings of the file at `path`, or that SIDECAR_CONFIG names, and of the environment.

    A variable of the environment wins over the file's key of the same meaning. Raises
    ConfigurationError for the first setting that cannot be used.
    """
    document = _document(path, environ)
    values: dict[str, Any] = {} if document is None else expand(document, environ)
    values = overlaid(values, environ)
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = explained(error, Settings)
    variable = variable_for(first.key, environ)
    if variable:
        raise ConfigurationError(variable, first.problem, first.remedy)
    place = _place(document, first.key)
    raise ConfigurationError(dotted(first.key), first.problem, first.remedy, place)


def _document(path: Path | None, environ: Mapping[str, str]) -> Document | None:
    if path is not None:
        return read(path)
    named = environ.get(CONFIG_VARIABLE, "").strip()
    return read(Path(named)) if named else None


def _place(document: Document | None, key: Key) -> str | None:
    return None if document is None else document.place(key)

"""The environment, checked: every setting is `APP_` and the field's name in capitals."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.errors import SettingsError
from app.task import task_id
from app.units import parse_duration, parse_size

Size = Annotated[int, BeforeValidator(parse_size)]
Duration = Annotated[float, BeforeValidator(parse_duration)]
# What a stop may take beyond `stop_grace`: profiles let go, the log written and fsynced.
STOP_MARGIN = 8.0
COMPONENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")


class Settings(BaseSettings):
    """Sizes are bytes and durations seconds; an empty variable counts as unset."""

    model_config = SettingsConfigDict(env_prefix="APP_", env_ignore_empty=True, frozen=True)

    volume: Path = Field(
        default=Path("/mnt/efs"), description="where datasets, artifacts and logs go"
    )
    task: str = Field(
        default="", description="names the log directory; default: the ECS task id or host"
    )
    host: str = Field(default="0.0.0.0", description="the address to listen on")  # noqa: S104 - a container's port is published from outside
    port: int = Field(default=8000, ge=0, le=65535, description="0 takes a free one and prints it")
    workers: int = Field(default=1, ge=1, le=64, description="processes that answer requests")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least level written"
    )
    log_max_bytes: Size = Field(
        default=32 << 20, ge=1024, description="a log file is rotated at this size"
    )
    log_keep: int = Field(
        default=10, ge=1, le=1000, description="rotated log files kept; the sidecar reads them"
    )
    max_upload: Size = Field(default=256 << 20, ge=1, description="the largest file taken")
    upload_idle: Duration = Field(
        default=60.0, gt=0, description="an upload that sends nothing for this long ends with 408"
    )
    profilers: int = Field(default=1, ge=1, le=16, description="profiles at once in one process")
    profile_memory: Size = Field(
        default=256 << 20, ge=64 << 20, description="DuckDB's memory limit for one profile"
    )
    profile_timeout: Duration = Field(
        default=600.0, gt=0, description="the longest a profile may take"
    )
    queue_poll: Duration = Field(
        default=5.0, gt=0, description="how often work left by other processes is looked for"
    )
    stop_grace: Duration = Field(
        default=20.0, ge=0, description="how long requests may finish after SIGTERM"
    )

    @property
    def stop_deadline(self) -> float:
        """Seconds after SIGTERM at which the process ends by force."""
        return self.stop_grace + STOP_MARGIN

    @field_validator("volume")
    @classmethod
    def _absolute(cls, volume: Path) -> Path:
        return volume.expanduser().absolute()

    @field_validator("task")
    @classmethod
    def _one_component(cls, task: str) -> str:
        if task and not COMPONENT.fullmatch(task):
            raise ValueError(
                f"{task!r} cannot name a directory: letters, digits, '.', '_' and '-', at most 128"
            )
        return task


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from the environment, with the task resolved; raises SettingsError."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise _first(error) from None
    if settings.task:
        return settings
    return settings.model_copy(update={"task": task_id(environ or os.environ)})


def _first(error: ValidationError) -> SettingsError:
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else ""
    described = Settings.model_fields[field].description if field in Settings.model_fields else ""
    problem = first["msg"].removeprefix("Value error, ")
    given = str(first.get("input"))[:80]
    if repr(given) not in problem:
        problem = f"{given!r}: {problem[:1].lower()}{problem[1:]}"
    return SettingsError(f"APP_{field.upper()}", problem, f"set it right or unset it ({described})")

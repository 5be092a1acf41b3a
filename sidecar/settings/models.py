"""The settings of a whole sidecar."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from sidecar.settings.entries import ArtifactEntry, LogEntry
from sidecar.settings.quantities import Duration, Number, Size, Text, Whole
from sidecar.settings.rules import Directory, Group, Key, Retention, Role, Tags, Task
from sidecar.settings.section import Section, wrong

# CloudWatch Logs, PutLogEvents: "The maximum batch size is 1,048,576 bytes".
LARGEST_BATCH: Final = 1_048_576
# More threads than this only wait for one another.
MOST_IN_FLIGHT: Final = 256
# A pump that polls faster does nothing else; files that nobody looks at for a day are not tailed.
SHORTEST_POLL: Final = 0.01
HOUR: Final = 3600.0
DAY: Final = 86400.0
# Below the first nothing is found in time, above the second nothing is bounded.
LEAST_BUDGET: Final = 0.1
MOST_BUDGET: Final = 1_000_000.0
ARTIFACTS_SUFFIX: Final = "/artifacts"


class Create(Section):
    """What may be created in CloudWatch where it is missing, and how."""

    groups: bool = True
    retention_days: Annotated[int | None, Retention] = 30
    class_: Literal["STANDARD", "INFREQUENT_ACCESS"] = Field(default="STANDARD", alias="class")
    tags: Tags = Field(default_factory=dict)
    kms_key: Key | None = None


def _cold(poll: dict[str, Any]) -> float:
    hot: float = poll.get("hot", 0.0)
    return max(60.0, hot)


class Poll(Section):
    """How often files are looked at."""

    mode: Literal["auto", "watch", "revalidate"] = "auto"
    hot: Annotated[Duration, Field(ge=SHORTEST_POLL, le=HOUR)] = 1.0
    cold: Duration = Field(ge=SHORTEST_POLL, le=DAY, default_factory=_cold)
    budget: Annotated[Number, Field(ge=LEAST_BUDGET, le=MOST_BUDGET)] = 50.0

    @model_validator(mode="after")
    def _cold_is_not_hotter(self) -> "Poll":
        if self.cold < self.hot:
            raise wrong(
                f"{self.cold:g}s is shorter than poll.hot, {self.hot:g}s",
                "make it at least as long",
                ("cold",),
            )
        return self


class Delivery(Section):
    """How batches travel."""

    in_flight: Annotated[Whole, Field(ge=1, le=MOST_IN_FLIGHT)] = 8
    linger: Duration = 0.05
    compression: Literal["none", "gzip"] = "none"
    reconcile: bool = True
    reconcile_wait: Duration = 30.0
    memory: Annotated[Size, Field(ge=LARGEST_BATCH)] = 32 * 1024 * 1024


def _quiet(drain: dict[str, Any]) -> float:
    deadline: float = drain.get("deadline", 4.0)
    return min(2.0, deadline / 2)


class Drain(Section):
    """How a stop ends."""

    deadline: Annotated[Duration, Field(gt=0, le=DAY)] = 110.0
    quiet: Duration = Field(default_factory=_quiet)

    @model_validator(mode="after")
    def _quiet_fits(self) -> "Drain":
        if self.quiet >= self.deadline:
            raise wrong(
                f"{self.quiet:g}s does not end before drain.deadline, {self.deadline:g}s",
                "make it shorter",
                ("quiet",),
            )
        return self


class Http(Section):
    """Where health, metrics and status are served; port 0 takes a free one."""

    host: Annotated[Text, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[Whole, Field(ge=0, le=65535)] = 9464


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


class Settings(Section):
    """Everything a person configures; every group is resolved, every quantity in s or bytes."""

    state_dir: Annotated[Path, Directory] = Path("/mnt/efs/.sidecar")
    log_group: Group | None = None
    role_arn: Role | None = None
    create: Create = Create()
    logs: tuple[LogEntry, ...] = ()
    artifacts: tuple[ArtifactEntry, ...] = ()
    poll: Poll = Poll()
    delivery: Delivery = Delivery()
    drain: Drain = Drain()
    http: Http = Http()
    task: Task | None = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = (
        "info"
    )

    @model_validator(mode="before")
    @classmethod
    def _entries_inherit_the_group(cls, values: Any) -> Any:
        if not isinstance(values, dict) or not isinstance(values.get("log_group"), str):
            return values
        group = values["log_group"]
        defaults = {"logs": group, "artifacts": group + ARTIFACTS_SUFFIX}
        return values | {
            kind: [_with_group(entry, default) for entry in values[kind]]
            for kind, default in defaults.items()
            if isinstance(values.get(kind), list)
        }

    @model_validator(mode="after")
    def _something_to_ship(self) -> "Settings":
        if not self.logs and not self.artifacts:
            raise wrong(
                "nothing to ship: there are neither logs nor artifacts",
                "name files under logs: or artifacts:, or set SIDECAR_LOGS",
                ("logs",),
            )
        return self


def _with_group(entry: Any, default: str) -> Any:
    if isinstance(entry, dict) and entry.get("log_group") is None:
        return entry | {"log_group": default}
    return entry

"""`sidecar check` on real directories and against the strict CloudWatch; nothing is left behind."""

import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from sidecar.commands.check_volume import check_entries, check_state_dir
from sidecar.settings import Settings
from tests.integration.commands.shell import sidecar
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.s3 import StrictS3


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume with one log file and a configuration beside it."""
    logs = tmp_path / "volume" / "logs"
    logs.mkdir(parents=True)
    (logs / "a.log").write_text("line\n", encoding="utf-8")
    return tmp_path / "volume"


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch."""
    with StrictCloudWatch() as double:
        yield double


def configured(volume: Path, **more: Any) -> str:
    """The path of a configuration for the volume."""
    settings = {
        "state_dir": str(volume / ".sidecar" / "state"),
        "log_group": "/ecs/reports",
        "logs": [{"include": [f"{volume}/logs/**/*.log"]}],
        "http": {"port": 0},
        **more,
    }
    file = volume.parent / "sidecar.yaml"
    file.write_text(json.dumps(settings), encoding="utf-8")
    return str(file)


def findings(
    *arguments: str, environ: Mapping[str, str] | None = None, status: int = 0
) -> dict[str, dict[str, str]]:
    """What `check --json` found, by item."""
    result = sidecar("check", "--json", *arguments, environ=environ)
    assert result.returncode == status, result.stdout + result.stderr
    assert result.stderr == ""
    document = json.loads(result.stdout)
    assert document["ok"] is (status == 0)
    return {finding["item"]: finding for finding in document["findings"]}


def tree(top: Path) -> list[tuple[str, int, int]]:
    """Everything below a directory, with sizes and modification times of files."""
    return sorted(
        (str(path.relative_to(top)), path.stat().st_size, path.stat().st_mtime_ns)
        for path in top.rglob("*")
        if path.is_file()
    ) + sorted((str(path.relative_to(top)), 0, 0) for path in top.rglob("*") if path.is_dir())


def test_sound_volume_passes_and_is_left_as_it_was(volume: Path) -> None:
    """State directory, lock, file, link and logs are tried; the volume is then as before."""
    before = tree(volume)

    found = findings("--config", configured(volume))

    assert tree(volume) == before
    assert found[f"state_dir {volume}/.sidecar/state"]["result"] == "ok"
    assert found["state_dir lock"]["result"] == "ok"
    assert found["state_dir write, fsync, rename"]["result"] == "ok"
    assert found["state_dir hard link"]["result"] == "ok"
    logs = found[f"logs[0] {volume}/logs/**/*.log"]
    assert (logs["result"], logs["detail"].split(",")[0]) == ("ok", "1 files match")


def test_existing_state_is_not_touched(volume: Path) -> None:
    """A state directory in use keeps all its files."""
    state = volume / ".sidecar" / "state" / "members"
    state.mkdir(parents=True)
    (state / "journal").write_bytes(b"x")
    before = tree(volume)

    findings("--config", configured(volume))

    assert tree(volume) == before


def test_table_is_for_people(volume: Path) -> None:
    """Without --json there is a table of item, result and advice."""
    result = sidecar("check", "--config", configured(volume))

    assert result.returncode == 0
    lines = result.stdout.splitlines()
    assert lines[0].split()[:2] == ["ITEM", "RESULT"]
    assert any(line.startswith("state_dir lock") and " ok " in line for line in lines)


def test_missing_root_is_a_warning(volume: Path) -> None:
    """Files of a directory that is not there yet are found when it appears."""
    entry = {"include": [f"{volume}/later/*.log"]}
    found = findings("--config", configured(volume, logs=[entry]))

    finding = found[f"logs[0] {volume}/later/*.log"]
    assert finding["result"] == "warning"
    assert "when it appears" in finding["remedy"]


def test_state_dir_below_a_file_fails(volume: Path) -> None:
    """A state directory that cannot be made fails, with the user it was tried as."""
    found = findings(
        "--config", configured(volume, state_dir=f"{volume}/logs/a.log/state"), status=2
    )

    finding = found[f"state_dir {volume}/logs/a.log/state"]
    assert finding["result"] == "failed"
    assert f"uid {os.geteuid()}" in finding["detail"]
    assert "access point" in finding["remedy"]


@contextmanager
def without_privileges() -> Iterator[None]:
    """As an ordinary user, where the tests run as root; as whoever runs them elsewhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def closed() -> Iterator[Path]:
    """A directory anyone can reach and nobody but its owner can open."""
    with tempfile.TemporaryDirectory() as top:
        Path(top).chmod(0o755)
        directory = Path(top) / "closed"
        directory.mkdir()
        (directory / "a.log").touch()
        directory.chmod(0o000)
        yield directory
        directory.chmod(0o700)


def test_state_dir_that_may_not_be_written_fails(closed: Path) -> None:
    """A closed directory fails with the user's ids and what they must fit."""
    with without_privileges():
        found = list(check_state_dir(closed / "state"))

    assert [finding.result for finding in found] == ["failed"]
    assert "Permission denied" in found[0].detail
    assert f"uid {65534 if os.geteuid() == 0 else os.geteuid()}" in found[0].detail


def test_directory_that_may_not_be_listed_fails(closed: Path) -> None:
    """Logs in a closed directory would never be seen: a failure, not a missing directory."""
    settings = Settings.model_validate(
        {"log_group": "/g", "logs": [{"include": [f"{closed}/*.log"]}]}
    )
    with without_privileges():
        found = list(check_entries(settings))

    assert [finding.result for finding in found] == ["failed"]
    assert "cannot be listed" in found[0].detail


def test_file_that_may_not_be_read_fails(closed: Path) -> None:
    """A writer that keeps its files to itself is found out, by name."""
    closed.chmod(0o755)
    (closed / "a.log").chmod(0o000)
    settings = Settings.model_validate(
        {"log_group": "/g", "logs": [{"include": [f"{closed}/*.log"]}]}
    )
    with without_privileges():
        found = list(check_entries(settings))

    assert [finding.result for finding in found] == ["failed"]
    assert f"{closed}/a.log cannot be read" in found[0].detail


def test_port_in_use_is_a_warning(volume: Path) -> None:
    """Another sidecar may be running here: that is said, and is no failure."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        found = findings("--config", configured(volume, http={"port": port}))

    assert found[f"http 127.0.0.1:{port}"]["result"] == "warning"


def test_missing_region_and_credentials(volume: Path) -> None:
    """They are warnings offline, where a configuration is tried elsewhere, and failures online."""
    config = configured(volume)

    offline = findings("--config", config)
    online = findings("--config", config, "--online", status=2)

    assert {offline[f"AWS {what}"]["result"] for what in ("region", "credentials")} == {"warning"}
    assert {online[f"AWS {what}"]["result"] for what in ("region", "credentials")} == {"failed"}


def test_misspelt_variable_is_a_warning(volume: Path) -> None:
    """A variable that is nearly one of ours is named."""
    found = findings("--config", configured(volume), environ={"SIDECAR_LOGGROUP": "/x"})

    assert found["SIDECAR_LOGGROUP"]["remedy"] == "did you mean SIDECAR_LOG_GROUP?"


@pytest.mark.parametrize(
    ("groups", "stream_creation"),
    [({}, "ok"), ({"/ecs/reports": ()}, "unproven"), ({"/ecs/reports": ("a", "b")}, "ok")],
)
def test_online_leaves_nothing_behind(
    volume: Path,
    cloudwatch: StrictCloudWatch,
    groups: dict[str, tuple[str, ...]],
    stream_creation: str,
) -> None:
    """Whatever exists, every permission is asked about and CloudWatch is then as before."""
    for group, streams in groups.items():
        cloudwatch.create(group, *streams)
    before = (contents(cloudwatch), cloudwatch.all_events())

    found = findings("--config", configured(volume), "--online", environ=cloudwatch.environment())

    assert (contents(cloudwatch), cloudwatch.all_events()) == before
    assert found["logs:PutLogEvents /ecs/reports"]["result"] == "ok"
    assert found["logs:GetLogEvents /ecs/reports"]["result"] == "ok"
    assert found["logs:CreateLogStream /ecs/reports"]["result"] == stream_creation
    assert ("logs:CreateLogGroup /ecs/reports" in found) is (not groups)


def contents(cloudwatch: StrictCloudWatch) -> list[tuple[object, ...]]:
    """Every group with its retention and streams, as CloudWatch itself describes them."""
    client = cloudwatch.client()
    return [
        (
            group["logGroupName"],
            group.get("retentionInDays"),
            tuple(
                stream["logStreamName"]
                for stream in client.describe_log_streams(logGroupName=group["logGroupName"])[
                    "logStreams"
                ]
            ),
        )
        for group in client.describe_log_groups()["logGroups"]
    ]


@pytest.mark.parametrize(
    "action",
    ["PutLogEvents", "GetLogEvents", "CreateLogStream", "CreateLogGroup", "PutRetentionPolicy"],
)
def test_each_denied_permission_fails(
    volume: Path, cloudwatch: StrictCloudWatch, action: str
) -> None:
    """A denied action is named with what to allow, and the others are asked about all the same."""
    cloudwatch.faults.add("access_denied", operation=action)

    found = findings(
        "--config", configured(volume), "--online", environ=cloudwatch.environment(), status=2
    )

    results = {item: finding["result"] for item, finding in found.items() if "logs:" in item}
    failed = [item for item, result in results.items() if result == "failed"]
    assert failed == [f"logs:{action} /ecs/reports"]
    assert f"logs:{action}" in found[failed[0]]["remedy"]
    assert len(results) == 5


def test_permission_to_describe_is_not_needed(volume: Path, cloudwatch: StrictCloudWatch) -> None:
    """A task role without Describe passes; what cannot be proved without it is said to be so."""
    cloudwatch.create("/ecs/reports", "a")
    cloudwatch.faults.add("access_denied", operation="Describe*")

    found = findings("--config", configured(volume), "--online", environ=cloudwatch.environment())

    assert found["logs:CreateLogStream /ecs/reports"]["result"] == "unproven"
    assert cloudwatch.streams() == [("/ecs/reports", "a")]


def test_group_that_may_not_be_created_must_exist(
    volume: Path, cloudwatch: StrictCloudWatch
) -> None:
    """With create.groups off a missing group fails the check."""
    config = configured(volume, create={"groups": False})

    found = findings("--config", config, "--online", environ=cloudwatch.environment(), status=2)

    assert found["log group /ecs/reports"]["result"] == "failed"


@pytest.mark.parametrize("fault", ["expired_token", "unrecognized"])
def test_useless_credentials_are_told_once(
    volume: Path, cloudwatch: StrictCloudWatch, fault: str
) -> None:
    """Where no request can succeed there is one failure and not one for every permission."""
    cloudwatch.faults.add(fault)

    found = findings(
        "--config", configured(volume), "--online", environ=cloudwatch.environment(), status=2
    )

    assert found["AWS"]["result"] == "failed"
    assert not [item for item in found if item.startswith("logs:")]


def test_unreachable_is_told_once(volume: Path, cloudwatch: StrictCloudWatch) -> None:
    """An endpoint that refuses connections is one failure that says so."""
    cloudwatch.faults.add("down", mode="refuse")

    found = findings(
        "--config", configured(volume), "--online", environ=cloudwatch.environment(), status=2
    )

    assert "cannot be reached" in found["AWS"]["detail"]


def test_deletion_needs_a_writable_directory(volume: Path, tmp_path: Path) -> None:
    """With delete_after the logs' directory must be writable; nothing is removed to find out."""
    log = {"include": [f"{volume}/logs/**/*.log"], "delete_after": "7d"}
    file = configured(volume, logs=[log])
    item = f"logs[0].delete_after {volume}/logs"
    assert findings("--config", file)[item]["result"] == "ok"
    settings = Settings.model_validate({"log_group": "/g", "logs": [log]})
    with mock.patch("sidecar.commands.check_volume.os.access", return_value=False):
        found = {each.item: each for each in check_entries(settings)}
    assert found[item].result == "failed"
    assert "remove delete_after" in found[item].remedy


@pytest.mark.parametrize("denied", [None, "CreateMultipartUpload", "AbortMultipartUpload"])
def test_online_asks_each_bucket(
    volume: Path, cloudwatch: StrictCloudWatch, denied: str | None
) -> None:
    """With a bucket the permissions to store and to abort are proved, and no object is left."""
    artifacts = {"include": [f"{volume}/artifacts/*"], "bucket": "reports-artifacts"}
    with StrictS3("reports-artifacts") as s3:
        if denied is not None:
            s3.deny(denied)
        found = findings(
            "--online",
            "--config",
            configured(volume, artifacts=[artifacts]),
            environ={**cloudwatch.environment(), "AWS_ENDPOINT_URL_S3": s3.url},
            status=0 if denied is None else 2,
        )
        assert s3.buckets["reports-artifacts"].objects == {}
        left = s3.buckets["reports-artifacts"].uploads
    put, abort = (f"s3:{act} reports-artifacts" for act in ("PutObject", "AbortMultipartUpload"))
    if denied == "CreateMultipartUpload":
        assert found[put]["result"] == "failed"
        assert "allow s3:PutObject" in found[put]["remedy"]
        return
    assert found[put]["result"] == "ok"
    assert found[abort]["result"] == ("ok" if denied is None else "failed")
    assert len(left) == (denied is not None)

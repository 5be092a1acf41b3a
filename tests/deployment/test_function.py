"""The Lambda function, run as Lambda runs it, and shipped by a collector as ECS runs that."""

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.deployment.definitions import COLLECTOR, DEFINITIONS, container, filled
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.lambda_runtime import RunningFunction
from tests.support.running_sidecar import RunningSidecar, wait_for

CODE = DEFINITIONS / "function"
TABLE = "id,name,amount\n1,Ada,2.5\n2,Bob,\n3,Ada,7.5\n"
STREAMS = ("2026/11/27/[1]aaaa", "2026/11/27/[1]bbbb")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An access point's root directory."""
    made = tmp_path / "function1"
    made.mkdir()
    return made


@pytest.fixture
def function(root: Path) -> Iterator[RunningFunction]:
    with RunningFunction(CODE, {"FUNCTION_VOLUME": str(root)}, stream=STREAMS[0]) as running:
        yield running


def logged(root: Path) -> list[dict[str, Any]]:
    texts = [file.read_text() for file in sorted(root.glob("logs/*.log"))]
    return [json.loads(line) for text in texts for line in text.splitlines()]


def test_a_file_of_the_volume_is_profiled(function: RunningFunction, root: Path) -> None:
    """The answer names the artifact, which says what the file holds, column by column."""
    (root / "incoming").mkdir()
    (root / "incoming/orders.csv").write_text(TABLE)
    done = function.invoke({"file": "incoming/orders.csv"})
    assert done.error is None
    assert done.answer == {"artifact": "artifacts/orders/profile.json", "rows": 3, "columns": 3}
    profile = json.loads((root / done.answer["artifact"]).read_text())
    assert (profile["file"], profile["rows"]) == ("incoming/orders.csv", 3)
    name, amount = profile["columns"][1:]
    assert name == {"name": "name", "kind": "text", "empty": 0, "distinct": 2}
    assert (amount["empty"], amount["least"], amount["greatest"], amount["mean"]) == (
        1,
        2.5,
        7.5,
        5,
    )


def test_each_invocation_has_its_lines_on_the_volume_when_it_ends(
    function: RunningFunction, root: Path
) -> None:
    """In one file a writer, named as the environment; nothing half-written lies about.

    Would catch: `volume.settle()` left out of the function's end.
    """
    for number in range(3):
        done = function.invoke({"file": f"incoming/{number}.csv", "content": TABLE})
        lines = [line for line in logged(root) if line["request"] == done.id]
        assert [line["event"] for line in lines] == ["profile_started", "profile_finished"]
    assert [file.name for file in root.glob("logs/*")] == ["aaaa.log"]
    assert not list(root.rglob("*.part"))


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        [],
        {"file": 7},
        {"file": "/etc/passwd"},
        {"file": "incoming/../../function2/incoming/x.csv"},
        {"file": "logs/aaaa.log"},
        {"file": "incoming/.hidden"},
        {"file": "incoming/absent.csv"},
        {"file": "incoming/x.csv", "content": 7},
    ],
)
def test_a_wrong_event_is_refused_and_logged(
    function: RunningFunction, root: Path, event: Any
) -> None:
    """The caller is told what to send; the log says why; nothing was written beside it."""
    done = function.invoke(event)
    assert done.error is not None
    assert done.error["errorType"] == "InputError"
    assert "Traceback" not in done.error["errorMessage"]
    assert not (root / "artifacts").exists()


def test_two_environments_write_two_files(root: Path) -> None:
    """Two that append to one file over NFS would lose each other's lines."""
    volume = {"FUNCTION_VOLUME": str(root)}
    with (
        RunningFunction(CODE, volume, stream=STREAMS[0]) as one,
        RunningFunction(CODE, volume, stream=STREAMS[1]) as other,
    ):
        for function in (one, other):
            assert function.invoke({"file": "incoming/x.csv", "content": TABLE}).error is None
    assert {file.name for file in root.glob("logs/*")} == {"aaaa.log", "bbbb.log"}
    assert len(logged(root)) == 4


def test_a_line_that_was_cut_off_does_not_run_into_the_next(root: Path) -> None:
    """A process of this environment was killed while it wrote."""
    (root / "logs").mkdir()
    (root / "logs/aaaa.log").write_text('{"event": "cut')
    with RunningFunction(CODE, {"FUNCTION_VOLUME": str(root)}, stream=STREAMS[0]) as function:
        function.invoke({"file": "incoming/x.csv", "content": TABLE})
    cut, *whole = (root / "logs/aaaa.log").read_text().splitlines()
    assert cut == '{"event": "cut'
    assert [json.loads(line)["event"] for line in whole] == ["profile_started", "profile_finished"]


def test_importing_it_opens_nothing(tmp_path: Path) -> None:
    """The volume is connected to by the first invocation; without one an invocation says so.

    Would catch: `_volume = Volume(…)` at the module's level.
    """
    absent = tmp_path / "absent"
    with RunningFunction(CODE, {"FUNCTION_VOLUME": str(absent)}) as function:
        done = function.invoke({"file": "incoming/x.csv"})
        assert function.init_error is None
        assert done.error is not None
        assert f"{absent} is no directory" in done.error["errorMessage"]
        absent.mkdir()
        assert function.invoke({"file": "incoming/x.csv", "content": TABLE}).error is None


@pytest.mark.parametrize(("table", "rows"), [("", 0), ("a,b", 0), ("a\n\0\n", 1), ("a,b\n1\n", 1)])
def test_an_odd_table_is_profiled_all_the_same(
    function: RunningFunction, table: str, rows: int
) -> None:
    """Empty, without rows, with NULs, with rows of another length."""
    done = function.invoke({"file": "incoming/odd.csv", "content": table})
    assert done.error is None
    assert done.answer["rows"] == rows


@pytest.fixture
def volume() -> Iterator[Path]:
    """A directory that other users may enter."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextlib.contextmanager
def another_s(directory: Path) -> Iterator[None]:
    """The directory as one of another user, also where this one cannot be another."""
    if os.geteuid() != 0:
        directory.chmod(0)
    yield
    directory.chmod(0o700)


def test_functions_do_not_see_each_other_s_roots(volume: Path) -> None:
    """By uid, root and permissions, as their access points have them; a collector ships both.

    1. Each root is made as CreationInfo says: its owner's, mode 0700.
    2. Each function, being its own user, does its work and cannot enter the other's root.
    3. The collector, with the settings of its task definition, delivers every line and artifact.
    """
    is_root = os.geteuid() == 0
    # 1
    roots = {"function1": 10011, "function2": 10012}
    for name, uid in roots.items():
        (volume / name).mkdir(mode=0o700)
        if is_root:
            os.chown(volume / name, uid, uid)
    # 2
    written = []
    for name, uid in roots.items():
        (other,) = set(roots) - {name}

        def running(root: str, *, name: str = name, uid: int = uid) -> RunningFunction:
            environment = {"FUNCTION_VOLUME": str(volume / root)}
            return RunningFunction(CODE, environment, name=name, user=uid if is_root else None)

        with running(name) as function:
            done = function.invoke({"file": "incoming/x.csv", "content": TABLE})
            assert done.error is None, done.error
        with another_s(volume / other), running(other) as intruder:
            done = intruder.invoke({"file": "incoming/x.csv"})
            assert done.error is not None
            assert done.error["errorType"] == "PermissionError"
        written += [json.dumps(line) for line in logged(volume / name)]
    assert {json.loads(line)["function"] for line in written} == set(roots)
    # 3
    said = {e["name"]: e["value"] for e in container(filled(COLLECTOR), "sidecar")["environment"]}
    settings = {
        "state_dir": str(volume / "state"),
        "log_group": said["SIDECAR_LOG_GROUP"],
        "logs": [{"include": [said["SIDECAR_LOGS"].replace("/mnt/functions", str(volume))]}],
        "artifacts": [
            {"include": [said["SIDECAR_ARTIFACTS"].replace("/mnt/functions", str(volume))]}
        ],
    }
    group = said["SIDECAR_LOG_GROUP"]
    with StrictCloudWatch() as cloudwatch:
        with RunningSidecar(volume, settings, cloudwatch.environment()) as collector:
            wait_for(lambda: cloudwatch.count(group) >= len(written))
            wait_for(lambda: cloudwatch.count(f"{group}/artifacts") >= len(roots))
            assert collector.terminate() == 0
        streams = {stream for name, stream in cloudwatch.streams() if name == group}
        assert streams == {f"{name}/logs/0123456789abcdef.log" for name in roots}
        delivered = [m for stream in streams for m in cloudwatch.messages(group, stream)]
        assert sorted(delivered) == sorted(written)
        for name in roots:
            stream = f"{name}/artifacts/x/profile.json"
            (manifest,) = cloudwatch.messages(f"{group}/artifacts", stream)
            artifact = volume / name / "artifacts/x/profile.json"
            assert json.loads(manifest)["content"] == artifact.read_text()
        assert not cloudwatch.violations

"""`sidecar artifacts list` and `get`, from outside, against a CloudWatch and an S3."""

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sidecar.model.manifest import deletion, manifest
from sidecar.model.stored_object import StoredObject
from sidecar.model.stream_names import clean
from tests.integration.commands.shell import sidecar
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for
from tests.support.s3 import StrictS3
from tests.support.s3.store import StoredBytes

GROUP = "/ecs/reports/artifacts"
BUCKET = "reports-artifacts"


@pytest.fixture
def cloudwatch() -> Iterator[StrictCloudWatch]:
    """A strict CloudWatch with the group of the artifacts."""
    with StrictCloudWatch() as double:
        double.create(GROUP)
        yield double


@pytest.fixture
def s3() -> Iterator[StrictS3]:
    """A strict S3 with the bucket."""
    with StrictS3(BUCKET) as double:
        yield double


class Shell:
    """The command with a configuration, in a directory of its own."""

    def __init__(self, folder: Path, cloudwatch: StrictCloudWatch, s3: StrictS3) -> None:
        self.folder = folder
        self._cloudwatch = cloudwatch
        self._at = int(time.time() * 1000) - 60_000
        self.environment = {"AWS_ENDPOINT_URL_S3": s3.url, **cloudwatch.environment()}
        self.settings: dict[str, Any] = {
            "state_dir": f"{folder}/state",
            "log_group": "/ecs/reports",
            "artifacts": [
                {
                    "include": [f"{folder}/artifacts/**/*"],
                    "settle": "200ms",
                    "inline_limit": "4KiB",
                    "bucket": BUCKET,
                }
            ],
            "poll": {"hot": "100ms"},
            "drain": {"quiet": "100ms"},
        }

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        config = self.folder / "config.json"
        config.write_text(json.dumps(self.settings), encoding="utf-8")
        return sidecar("artifacts", *arguments, "--config", str(config), environ=self.environment)

    def listed(self, *arguments: str) -> list[dict[str, Any]]:
        result = self.run("list", "--json", *arguments)
        assert result.returncode == 0, result.stderr
        found: list[dict[str, Any]] = json.loads(result.stdout)
        return found

    def got(self, name: str, *arguments: str) -> bytes:
        output = self.folder / "restored"
        result = self.run("get", name, "--output", str(output), *arguments)
        assert result.returncode == 0, result.stderr
        return output.read_bytes()

    def refused(self, *arguments: str) -> str:
        """The one line that a `get` which restores nothing says."""
        before = sorted(self.folder.iterdir())
        result = self.run("get", *arguments)
        assert result.returncode == 1, result.stdout
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert [each for each in sorted(self.folder.iterdir()) if each not in before] in (
            [],
            [self.folder / "config.json"],
        )
        return line

    def ship(self, name: str, message: str) -> None:
        """Put an event where a sidecar would."""
        if (GROUP, clean(name)) not in self._cloudwatch.streams():
            self._cloudwatch.create(GROUP, clean(name))
        self._at += 1
        self._cloudwatch.client().put_log_events(
            logGroupName=GROUP,
            logStreamName=clean(name),
            logEvents=[{"timestamp": self._at, "message": message}],
        )


@pytest.fixture
def shell(tmp_path: Path, cloudwatch: StrictCloudWatch, s3: StrictS3) -> Shell:
    """The command, with both doubles."""
    return Shell(tmp_path, cloudwatch, s3)


def told(
    name: str, content: bytes, *, kept: bool = True, stored: StoredObject | None = None
) -> str:
    """A manifest as the sidecar makes it."""
    return manifest(
        name,
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
        modified_ns=1_700_000_000 * 10**9,
        content=content if kept else None,
        stored=stored,
    )


def test_a03_what_was_shipped_comes_back(shell: Shell, tmp_path: Path) -> None:
    """Text, binary and what is in the bucket is listed, and restored byte for byte.

    Catches: restoring text with other line ends; a `get` that knows one of the three ways.
    """
    contents = {
        "text.txt": "grüße\r\n".encode(),
        "deep/er/binary.bin": bytes(range(256)),
        "large.parquet": os.urandom(10_000),
        "empty": b"",
    }
    for name, content in contents.items():
        path = tmp_path / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    with RunningSidecar(tmp_path, shell.settings, shell.environment) as running:
        wait_for(lambda: running.status()["totals"]["artifacts_shipped"] == len(contents))
        assert running.terminate() == 0

    listed = {each["artifact"]: each for each in shell.listed()}

    assert sorted(listed) == sorted(contents)
    for name, content in contents.items():
        assert listed[name]["bytes"] == len(content)
        assert shell.got(name) == content
    assert listed["large.parquet"]["where"].startswith(f"s3://{BUCKET}/ecs/reports/artifacts/")
    assert listed["text.txt"]["where"] == "manifest"


def test_the_table_names_version_size_time_and_place(shell: Shell) -> None:
    """Without --json it is a table for people, one line an artifact."""
    shell.ship("a.txt", told("a.txt", b"one"))
    shell.ship("b.bin", told("b.bin", b"x" * 5000, kept=False))
    result = shell.run("list")
    heading, first, second = result.stdout.splitlines()
    assert heading.split() == ["ARTIFACT", "VERSION", "SIZE", "MODIFIED", "CONTENT", "DELETED"]
    assert first.split() == [
        "a.txt",
        "7692c3ad3540",
        "3",
        "B",
        "2023-11-14T22:13:20.000Z",
        "manifest",
    ]
    assert second.endswith("not kept")


def test_newest_version_and_every_version(shell: Shell, tmp_path: Path) -> None:
    """The newest is listed and restored unless another is asked for; a deleted one comes back.

    Catches: reading a stream from its head; taking a deletion for the end of an artifact.
    """
    for content in (b"one", b"two"):
        shell.ship("a.txt", told("a.txt", content))
    shell.ship("a.txt", deletion("a.txt", 1_700_000_001_000))
    (listed,) = shell.listed()
    assert listed["deleted"] == "2023-11-14T22:13:21.000Z"
    assert shell.got("a.txt") == b"two"
    versions = [each["version"] for each in shell.listed("--versions")]
    assert versions[0] == listed["version"]
    assert len(versions) == 2
    assert shell.got("a.txt", "--version", versions[1][:6]) == b"one"


def test_pages_without_events_are_not_the_end(shell: Shell, cloudwatch: StrictCloudWatch) -> None:
    """An empty page in between is read past.

    Catches: stopping at a page without events.
    """
    shell.ship("a.txt", told("a.txt", b"one"))
    cloudwatch.faults.add("empty_page", times=1)
    assert shell.got("a.txt") == b"one"


def test_two_names_in_one_stream(shell: Shell) -> None:
    """Names that are one when they are cleaned for a stream are told apart by their manifests.

    Catches: taking the stream's name for the artifact's.
    """
    for name in ("a:b", "a*b", "a_b"):
        shell.ship(name, told(name, name.encode()))
    assert sorted(each["artifact"] for each in shell.listed()) == ["a*b", "a:b", "a_b"]
    for name in ("a:b", "a*b", "a_b"):
        assert shell.got(name) == name.encode()


def test_default_output_is_the_name_here_and_replaces_nothing(shell: Shell, tmp_path: Path) -> None:
    """Without --output the file has the artifact's last name; one that is there is left alone."""
    shell.ship("deep/a.txt", told("deep/a.txt", b"one"))
    here = Path.cwd()
    os.chdir(tmp_path)
    try:
        result = shell.run("get", "deep/a.txt", "--json")
        assert result.returncode == 0, result.stderr
        assert json.loads(result.stdout)["output"] == "a.txt"
        assert (tmp_path / "a.txt").read_bytes() == b"one"
        assert "a.txt is there already" in shell.refused("deep/a.txt")
    finally:
        os.chdir(here)


def test_not_found_not_kept_and_not_as_shipped(shell: Shell, s3: StrictS3, tmp_path: Path) -> None:
    """Each is one line, status 1, and no file, not even half of one.

    Catches: checking the sha256 after the file is in its place; an exit status of 0.
    """
    output = ("--output", str(tmp_path / "out"))
    assert "no artifact 'b.txt'" in shell.refused("b.txt", *output)
    shell.ship("b.txt", told("b.txt", b"x" * 5000, kept=False))
    assert "artifacts[].bucket" in shell.refused("b.txt", *output)
    assert "version 0000" in shell.refused("b.txt", "--version", "0000", *output)

    stored = StoredObject(BUCKET, "k", None, "")
    shell.ship("c.bin", told("c.bin", b"right", kept=False, stored=stored))
    assert "does not exist any more" in shell.refused("c.bin", *output)
    s3.buckets[BUCKET].objects["k"] = StoredBytes(b"wrong", "", {}, "")
    assert "was shipped" in shell.refused("c.bin", *output)
    s3.deny("GetObject")
    assert "allow s3:GetObject" in shell.refused("c.bin", *output)
    shell.ship("d.txt", told("d.txt", b"right"))
    nowhere = str(tmp_path / "no" / "such")
    assert "cannot be written" in shell.refused("d.txt", "--output", nowhere)


def test_what_is_no_manifest_is_passed_over(shell: Shell) -> None:
    """Other events in the group, and manifests of another form, do no harm."""
    for message in ("text", "[1]", "{}", '{"artifact": "x"}', '{"artifact":1,"version":null}'):
        shell.ship("x", message)
    assert shell.listed() == []


def test_no_group_is_no_artifact(shell: Shell) -> None:
    """Where nothing was ever shipped the list is empty."""
    shell.settings["artifacts"][0]["log_group"] = "/never/made"
    assert shell.listed() == []


def test_a_refusal_of_cloudwatch_is_one_line(shell: Shell, cloudwatch: StrictCloudWatch) -> None:
    """Without permission the line names the one that is needed."""
    cloudwatch.faults.add("access_denied", times=20)
    result = shell.run("list")
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert "logs:DescribeLogStreams" in line


def test_an_answer_that_breaks_off_is_one_line(shell: Shell, cloudwatch: StrictCloudWatch) -> None:
    """An answer without its events proves nothing, and is no traceback."""
    shell.ship("a.txt", told("a.txt", b"one"))
    cloudwatch.faults.add("cut_reply", operation="GetLogEvents", times=20)
    assert "broke off" in shell.refused("a.txt", "--output", "out")


def test_without_artifacts_in_the_configuration(shell: Shell, tmp_path: Path) -> None:
    """That is a mistake in the configuration, named by its key."""
    shell.settings["artifacts"] = []
    shell.settings["logs"] = [{"include": [f"{tmp_path}/*.log"]}]
    result = shell.run("list")
    assert result.returncode == 2
    assert "artifacts: no artifacts are configured" in result.stderr

"""docker-compose.yml from `up` to the app's last line, with a kill in between."""

import base64
import hashlib
import json
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.containers.stack import ROOT, Stack, run, wait_until
from tests.containers.stored import Stored, lines, lost, twice

FILES = [ROOT / "docker-compose.yml", Path(__file__).with_name("docker-compose.test.yml")]
GROUP = "/ecs/reports"
# The sidecar's default inline_limit.
INLINE = 256 * 1024


class Traffic:
    """Real requests to the app: uploads of growing tables, looks at them, and mistakes."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=30)
        self.uploads: list[str] = []

    def __enter__(self) -> "Traffic":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def upload(self, rows: int) -> None:
        """One data set, of its own content."""
        number = len(self.uploads)
        table = "id,name,amount\n" + "".join(
            f"{row},upload {number} row {row},{row * 1.25}\n" for row in range(rows)
        )
        answer = self._client.post(
            "/datasets", files={"file": (f"table-{number}.csv", table, "text/csv")}
        )
        assert answer.status_code == 202, answer.text
        self.uploads.append(answer.json()["id"])

    def look(self, times: int) -> None:
        """Lists, single data sets, and ids that do not exist; each request is a log line."""
        for number in range(times):
            assert self._client.get("/datasets").status_code == 200
            assert self._client.get(f"/datasets/{self.uploads[-1]}").status_code == 200
            assert self._client.get(f"/datasets/nothing-{number}").status_code in (404, 422)

    def all_profiled(self) -> bool:
        """Whether every upload has its artifacts."""
        found = [self._client.get(f"/datasets/{one}").json()["status"] for one in self.uploads]
        return all(status == "ready" for status in found)


def written(stack: Stack) -> Counter[str]:
    """Every line in the app's log files, rotated ones too."""
    found = stack.files("app", "/mnt/efs/logs")
    logs = [content for path, content in found.items() if ".log" in path]
    return Counter(line for content in logs for line in lines(content))


def stored(cloudwatch: Stored) -> Counter[str]:
    """Every event in the group."""
    streams = cloudwatch.messages(GROUP)
    return Counter(message for messages in streams.values() for message in messages)


def status(stack: Stack) -> dict[str, Any]:
    """What the sidecar says of itself."""
    return dict(httpx.get(f"{stack.url('sidecar')}/status", timeout=10).json())


def test_nothing_is_lost_from_up_to_the_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Traffic, a killed sidecar, more traffic, a stop: each line and artifact is stored.

    1. `up`: the app starts after the sidecar is healthy; the logs rotate under traffic.
    2. All lines are stored, none twice.
    3. The sidecar is killed while requests go on, and brought back.
    4. All artifacts are stored with their content.
    5. `stop` ends the app first; its last line is stored, nothing is lost, and what may be there
       twice was counted as such before.
    """
    with (
        Stack("efs-sidecar-test", FILES) as stack,
        Stored(stack.url("cloudwatch")) as cloudwatch,
        Traffic(stack.url("app")) as traffic,
    ):

        def all_lines_stored() -> bool:
            return not lost(written(stack), stored(cloudwatch))

        # 1
        assert began(stack, "app") > began(stack, "sidecar") > began(stack, "cloudwatch")
        for rows in (10, 1_000, 20_000):
            traffic.upload(rows)
            traffic.look(times=60)
        wait_until("profiles", traffic.all_profiled, seconds=60)
        assert any(path.endswith(".1") for path in stack.files("app", "/mnt/efs/logs"))

        # 2
        wait_until("every line stored", all_lines_stored, seconds=60)
        assert not twice(written(stack), stored(cloudwatch))

        # 3
        going_on = threading.Thread(target=traffic.look, kwargs={"times": 150})
        going_on.start()
        run("docker", "kill", stack.container("sidecar"))
        traffic.upload(rows=5_000)
        going_on.join()
        assert not all_lines_stored(), "the kill came too late to matter"
        stack.compose("start", "sidecar")
        wait_until("every line stored", all_lines_stored, seconds=90)
        traffic.upload(rows=100)
        traffic.look(times=30)
        wait_until("profiles", traffic.all_profiled, seconds=60)

        # 4
        wait_until("every artifact stored", lambda: not unshipped(stack, cloudwatch), seconds=60)

        # 5
        traffic.look(times=30)
        counted = status(stack)["totals"]["possible_duplicates"]
        stack.compose("stop", "app", "sidecar")
        assert ended(stack, "app") < ended(stack, "sidecar")
        codes = [stack.inspect(name)["State"]["ExitCode"] for name in ("app", "sidecar")]
        assert codes == [0, 0]
        assert all_lines_stored()
        surplus = twice(written(stack), stored(cloudwatch)).total()
        assert surplus <= counted
        assert not unshipped(stack, cloudwatch)
        with capsys.disabled():
            print(
                f"\n{written(stack).total()} lines stored, {surplus} twice ({counted} counted),"
                f" {len(stack.files('app', '/mnt/efs/artifacts'))} artifacts; {stack.timings()}"
            )


def began(stack: Stack, service: str) -> str:
    """When, as text that sorts."""
    return str(stack.inspect(service)["State"]["StartedAt"])


def ended(stack: Stack, service: str) -> str:
    """When, as text that sorts."""
    return str(stack.inspect(service)["State"]["FinishedAt"])


def unshipped(stack: Stack, cloudwatch: Stored) -> set[str]:
    """Artifacts on the volume without a manifest that has their digest and, if small, content."""
    manifests = [
        json.loads(message)
        for messages in cloudwatch.messages(f"{GROUP}/artifacts").values()
        for message in messages
    ]
    shipped = {(m["artifact"], m["version"]): m for m in manifests if "version" in m}
    missing = set()
    for path, content in stack.files("app", "/mnt/efs/artifacts").items():
        manifest = shipped.get((path, hashlib.sha256(content).hexdigest()))
        if manifest is None or carried(manifest) != (None if len(content) > INLINE else content):
            missing.add(path)
    return missing


def carried(manifest: dict[str, Any]) -> bytes | None:
    """The content inside the manifest event."""
    if manifest["content"] is not None:
        return str(manifest["content"]).encode()
    encoded = manifest["content_base64"]
    return None if encoded is None else base64.b64decode(encoded)

"""M01, M02: what several tasks write as artifacts is shipped once, whoever dies meanwhile."""

from __future__ import annotations

import json
import signal
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.integration.members.fleet import GROUP, Fleet
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import wait_for
from tests.support.s3 import StrictS3

ARTIFACTS = GROUP + "/artifacts"
BUCKET = "reports"
INLINE_LIMIT = 1024


def content_of(name: str) -> bytes:
    """Another one for each name; every second one is too large to be inline."""
    number = int(name.rpartition("-")[2])
    return f"{name}\n".encode() * (1 if number % 2 else 200)


def put(volume: Path, names: list[str]) -> None:
    """Write these as their writers should: beside, and renamed into place."""
    for name in names:
        path = volume / "artifacts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(content_of(name))
        part.rename(path)


def manifests(cloudwatch: StrictCloudWatch, name: str) -> list[dict[str, Any]]:
    if (ARTIFACTS, name) not in cloudwatch.streams():
        return []
    return [json.loads(event.message) for event in cloudwatch.events(ARTIFACTS, name)]


def test_m02_each_artifact_is_shipped_once_whoever_dies(
    tmp_path: Path, cloudwatch: StrictCloudWatch
) -> None:
    """Three sidecars see the artifacts of three tasks; two are killed, one of them comes back.

    1. Ten artifacts of each task, every second one for the bucket; red is killed among them.
    2. Ten more; red starts again, and green is killed.
    3. Each has one manifest, with its own content or its stored object, whose digest is right;
       nothing is a possible duplicate, and a change is one more version, not two.
    Catches: an artifact that two members take for theirs; a take-over that ships what its dead
    owner had shipped; one that is left to the dead for good.
    """
    volume = tmp_path / "volume"
    tasks = ("red", "green", "blue")
    first = [f"{task}/first-{number}" for task in tasks for number in range(10)]
    then = [f"{task}/then-{number}" for task in tasks for number in range(10)]
    artifacts = [
        {
            "include": [f"{volume}/artifacts/**/*"],
            "settle": "200ms",
            "inline_limit": INLINE_LIMIT,
            "bucket": BUCKET,
        }
    ]
    with (
        StrictS3(BUCKET) as s3,
        Fleet(
            volume, cloudwatch, artifacts=artifacts, environment={"AWS_ENDPOINT_URL_S3": s3.url}
        ) as fleet,
    ):
        for task in tasks:
            fleet.start(task)
        put(volume, first)
        wait_for(lambda: any(manifests(cloudwatch, name) for name in first))
        fleet.signal("red", signal.SIGKILL)
        put(volume, then)
        fleet.start("red")
        fleet.signal("green", signal.SIGKILL)
        names = first + then
        wait_for(lambda: all(manifests(cloudwatch, name) for name in names))
        changed = volume / "artifacts" / first[0]
        changed.write_bytes(b"changed\n")
        wait_for(lambda: len(manifests(cloudwatch, first[0])) == 2)
        for task in ("red", "blue"):
            totals = fleet.members[task].status()["totals"]
            assert totals["possible_duplicates"] == 0
            assert fleet.members[task].terminate() == 0

        versions = {
            name: [each["version"] for each in manifests(cloudwatch, name)] for name in names
        }
        digests = {name: [sha256(content_of(name)).hexdigest()] for name in names}
        digests[first[0]].append(sha256(b"changed\n").hexdigest())
        assert versions == digests
        for name in names:
            manifest = manifests(cloudwatch, name)[0]
            content = content_of(name)
            if len(content) <= INLINE_LIMIT:
                assert manifest["content"].encode() == content
            else:
                assert s3.buckets[BUCKET].objects[manifest["s3"]["key"]].content == content
        large = {each for each in names if len(content_of(each)) > INLINE_LIMIT}
        assert len(s3.buckets[BUCKET].objects) == len(large)

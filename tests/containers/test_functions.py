"""The compose profile of the functions: events in, lines and artifacts in CloudWatch."""

import json
from pathlib import Path

import httpx

from tests.containers.stack import ROOT, Stack, run, wait_until
from tests.containers.stored import Stored

GROUP = "/ecs/reports-functions"
TABLE = "id,amount\n1,2.5\n2,7.5\n"
NAMES = ("function1", "function2")
OVERRIDE = Path(__file__).parent / "function" / "docker-compose.test.yml"


def test_what_functions_write_is_shipped_by_the_collector() -> None:
    """Each container sees its own root alone.

    1. An event for each function: it answers with its artifact.
    2. Its root holds one log file and the artifact, and nothing of the other's.
    3. Every line and both artifacts are in CloudWatch, in streams that name the function.
    """
    with (
        Stack(
            "efs-sidecar-test-functions", [ROOT / "docker-compose.yml", OVERRIDE], ["functions"]
        ) as stack,
        Stored(stack.url("cloudwatch")) as cloudwatch,
    ):
        # 1
        for name in NAMES:
            event = {"file": f"incoming/{name}.csv", "content": TABLE}
            answer = httpx.post(stack.url(name), json=event, timeout=60).json()
            assert answer == {"artifact": f"artifacts/{name}/profile.json", "rows": 2, "columns": 2}

        # 2
        written = {}
        for name in NAMES:
            files = stack.files(name, "/mnt/function")
            (log,) = [path for path in files if path.startswith("logs/")]
            assert set(files) == {
                log,
                f"incoming/{name}.csv",
                f"artifacts/{name}/profile.json",
            }
            written[f"{name}/{log}"] = files[log].decode().splitlines()
        seen = run("docker", "exec", stack.container("function1"), "ls", "/mnt")
        assert seen.decode().split() == ["function"]

        # 3
        wait_until("lines", lambda: cloudwatch.messages(GROUP) == written, seconds=90)
        wait_until(
            "artifacts",
            lambda: (
                set(cloudwatch.messages(f"{GROUP}/artifacts"))
                == {f"{name}/artifacts/{name}/profile.json" for name in NAMES}
            ),
            seconds=90,
        )
        for name in NAMES:
            (manifest,) = cloudwatch.messages(f"{GROUP}/artifacts")[
                f"{name}/artifacts/{name}/profile.json"
            ]
            assert json.loads(json.loads(manifest)["content"])["rows"] == 2

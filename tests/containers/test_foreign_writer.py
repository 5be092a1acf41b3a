"""The README's first example, as it stands there, around a writer that is not ours."""

import re
from collections import Counter
from pathlib import Path

import httpx

from tests.containers.stack import ROOT, Stack, run, wait_until
from tests.containers.stored import Stored, lines, lost, twice

OVERRIDE = Path(__file__).parent / "foreign" / "docker-compose.test.yml"
LOGS = "/var/log/nginx"


def first_example() -> str:
    """The README's first YAML block."""
    found = re.search(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M)
    assert found, "the README has no YAML example"
    return found[1]


def test_the_first_example_fits_on_twenty_lines() -> None:
    """It is what a newcomer copies."""
    assert len(first_example().splitlines()) <= 20


def test_nginx_loses_no_line_to_the_first_example(tmp_path: Path) -> None:
    """Debian's nginx, its logs rotated as logrotate does, stopped: every line is stored once.

    1. Requests that are found, that are not, and that are refused.
    2. A rotation: renamed, and reopened on USR1; the rotated name matches no glob.
    3. A stop: nginx first, then the sidecar, which ships what nginx wrote last.
    """
    example = tmp_path / "compose.yml"
    example.write_text(first_example())
    with (
        Stack("efs-sidecar-test-foreign", [example, OVERRIDE]) as stack,
        Stored(stack.url("cloudwatch")) as cloudwatch,
        httpx.Client(base_url=stack.url("web")) as web,
    ):
        wait_until("nginx", lambda: answers(web), seconds=30)

        # 1
        ask(web, times=200)
        wait_until("every line stored", lambda: not lost(written(stack), stored(cloudwatch)), 60)

        # 2
        rotate = f"mv {LOGS}/access.log {LOGS}/access.log.1 && kill -USR1 $(cat /run/nginx.pid)"
        run("docker", "exec", stack.container("web"), "sh", "-c", rotate)
        ask(web, times=200)

        # 3
        stack.compose("stop", "web", "sidecar")
        assert stack.inspect("sidecar")["State"]["ExitCode"] == 0
        assert {"access.log", "access.log.1", "error.log"} <= set(stack.files("web", LOGS))
        assert not lost(written(stack), stored(cloudwatch))
        assert not twice(written(stack), stored(cloudwatch))
        assert set(cloudwatch.messages("/ecs/web")) == {"access.log", "error.log"}


def answers(web: httpx.Client) -> bool:
    try:
        return web.get("/").status_code == 200
    except httpx.TransportError:
        return False


def ask(web: httpx.Client, times: int) -> None:
    """Each is a line of the access log, and the last of each three one of the error log too."""
    for number in range(times):
        assert web.get(f"/?{number}").status_code == 200
        assert web.get(f"/nothing-{number}").status_code == 404
        assert web.get(f"/closed/?{number}").status_code == 403


def written(stack: Stack) -> Counter[str]:
    """Every line of nginx's log files."""
    found = stack.files("web", LOGS).values()
    return Counter(line for content in found for line in lines(content))


def stored(cloudwatch: Stored) -> Counter[str]:
    """Every event in the group."""
    streams = cloudwatch.messages("/ecs/web")
    return Counter(message for messages in streams.values() for message in messages)

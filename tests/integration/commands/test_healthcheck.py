"""`sidecar healthcheck`, in a process of its own."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.commands.shell import sidecar
from tests.integration.commands.web import answering, free_port

WELL = (200, {"healthy": True, "reasons": [], "degraded": []})


def test_healthy_is_status_0() -> None:
    """A 200 from /healthz is healthy."""
    with answering({"/healthz": WELL}) as port:
        result = sidecar("healthcheck", "--url", f"http://127.0.0.1:{port}")

    assert (result.returncode, result.stdout, result.stderr) == (0, "healthy\n", "")


def test_degraded_is_healthy() -> None:
    """What a restart would not cure is told, and is no reason to replace the task."""
    body = {"healthy": True, "reasons": [], "degraded": ["outage: CloudWatch is down"]}
    with answering({"/healthz": (200, body)}) as port:
        result = sidecar("healthcheck", "--url", f"http://127.0.0.1:{port}/")

    assert result.returncode == 0
    assert "outage: CloudWatch is down" in result.stdout


def test_unhealthy_is_status_1_with_the_reason() -> None:
    """A 503 is unhealthy, and the line says why."""
    body = {"healthy": False, "reasons": ["the pump has not stepped for 40 s"]}
    with answering({"/healthz": (503, body)}) as port:
        result = sidecar("healthcheck", "--url", f"http://127.0.0.1:{port}")

    assert result.returncode == 1
    assert result.stderr == "sidecar: unhealthy: the pump has not stepped for 40 s\n"


def test_nothing_there_is_status_1() -> None:
    """A refused connection is one line that names the address."""
    port = free_port()
    result = sidecar("healthcheck", environ={"SIDECAR_HTTP_PORT": str(port)})

    assert result.returncode == 1
    assert result.stderr.startswith(f"sidecar: nothing answers at http://127.0.0.1:{port}: ")
    assert result.stderr.count("\n") == 1


def test_silence_is_status_1() -> None:
    """A server that accepts and never answers does not hold the check beyond its time."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        result = sidecar("healthcheck", "--url", f"127.0.0.1:{port}", seconds=30)

    assert result.returncode == 1
    assert "within 4 s" in result.stderr


@pytest.mark.parametrize(
    "url", ["ftp://x", "https://127.0.0.1", "http://", "http://a b", "x:99999"]
)
def test_bad_address_is_status_1(url: str) -> None:
    """An address that cannot be asked is one line, not a traceback."""
    result = sidecar("healthcheck", "--url", url)

    assert result.returncode == 1
    assert result.stderr.startswith("sidecar: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [b"not json", b"[]", b""])
def test_healthy_without_words_is_healthy(content: bytes) -> None:
    """The status decides; a body that is no JSON object adds nothing."""
    with answering({"/healthz": (200, content)}) as port:
        result = sidecar("healthcheck", "--url", f"http://localhost:{port}")

    assert result.returncode == 0


def test_address_comes_from_the_environment_with_a_listening_address() -> None:
    """A server that listens on every address is asked on the loopback one."""
    with answering({"/healthz": WELL}) as port:
        environ = {"SIDECAR_HTTP_HOST": "0.0.0.0", "SIDECAR_HTTP_PORT": str(port)}
        result = sidecar("healthcheck", environ=environ)

    assert result.returncode == 0


@pytest.mark.parametrize(
    "section",
    [
        "http:\n  host: 0.0.0.0\n  port: {port}\n",
        "http: {{port: {port}}}\n",
        "http: {{port: '${{P}}'}}\n",
    ],
)
def test_address_comes_from_the_configuration(section: str, tmp_path: Path) -> None:
    """The http section of the file that `run` uses is enough, in any form YAML has."""
    with answering({"/healthz": WELL}) as port:
        file = tmp_path / "sidecar.yaml"
        text = "log_group: /g\nlogs: [{include: ['/v/*']}]\n" + section.format(port=port)
        file.write_text(text, encoding="utf-8")
        environ = {"SIDECAR_CONFIG": str(file), "P": str(port)}
        by_variable = sidecar("healthcheck", environ=environ)
        by_option = sidecar("healthcheck", "--config", str(file), environ={"P": str(port)})

    assert (by_variable.returncode, by_option.returncode) == (0, 0)


@pytest.mark.parametrize("command", ["healthcheck", "status"])
def test_little_is_imported(command: str) -> None:
    """Nothing heavy is imported: on a quarter of a CPU each import counts fourfold."""
    code = (
        "import json, sys\n"
        "from sidecar.__main__ import main\n"
        f"main([{command!r}, '--url', 'http://127.0.0.1:{free_port()}'])\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    imported = set(json.loads(result.stdout))

    heavy = {
        "asyncio", "boto3", "botocore", "email", "fastapi", "http", "importlib_metadata", "logging",
        "orjson", "prometheus_client", "pydantic", "ssl", "structlog", "watchdog", "yaml",
    }  # fmt: skip
    assert imported & heavy == set()

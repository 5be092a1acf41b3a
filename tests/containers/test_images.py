"""The three images by themselves."""

import json

import pytest

from tests.containers.stack import ROOT, run

BASE = "python:3.13-slim"
# Megabytes on top of the base; what is measured stays a little below, so growth is noticed.
LIMITS = {"Dockerfile.app": 100, "Dockerfile.sidecar": 45}


def built(dockerfile: str) -> str:
    """The id of the image, built from the project as it is."""
    return run("docker", "build", "-q", "-f", ROOT / dockerfile, ROOT).decode().split()[-1]


def size(image: str) -> int:
    return int(run("docker", "image", "inspect", "-f", "{{.Size}}", image))


def inside(image: str, program: str) -> str:
    """What a Python program prints in a container as locked down as in production."""
    locked = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--network", "none"]
    command = ["docker", "run", "--rm", *locked, "--entrypoint", "python", image, "-c", program]
    return run(*command).decode().strip()


@pytest.mark.parametrize("dockerfile", LIMITS)
def test_an_image_stays_small(dockerfile: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The sizes are printed; a dependency that slips in shows here."""
    own = (size(built(dockerfile)) - size(BASE)) / 1e6
    with capsys.disabled():
        print(f"\n{dockerfile}: {own:.0f} MB on a base of {size(BASE) / 1e6:.0f} MB")
    assert own < LIMITS[dockerfile]


@pytest.mark.parametrize(
    ("dockerfile", "strangers"),
    [
        ("Dockerfile.sidecar", ["app", "duckdb", "fastapi", "uvicorn", "pip", "moto"]),
        ("Dockerfile.app", ["sidecar", "boto3", "watchdog", "prometheus_client", "pip", "moto"]),
    ],
)
def test_an_image_carries_nothing_of_the_other(dockerfile: str, strangers: list[str]) -> None:
    """Neither packages of the other side nor an installer in the environment."""
    program = (
        "import importlib.util, json, sys; sys.path = [p for p in sys.path if 'dist-packages' not"
        f" in p]; print(json.dumps([n for n in {strangers} if importlib.util.find_spec(n)]))"
    )
    assert json.loads(inside(built(dockerfile), program)) == []


def test_the_sidecar_image_has_the_services_it_calls() -> None:
    """The rest of botocore's descriptions was left out of the image."""
    program = (
        "import boto3; print([boto3.client(s, 'eu-central-1', aws_access_key_id='x',"
        " aws_secret_access_key='x').meta.service_model.service_name"
        " for s in ('logs', 's3', 'sts', 'sso', 'sso-oidc')])"
    )
    assert inside(built("Dockerfile.sidecar"), program).count("'") == 10

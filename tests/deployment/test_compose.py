"""What docker-compose.yml must be on compose 1.29 and 2.x alike, without an engine."""

import re
from typing import Any

import pytest
import yaml

from app.settings import Settings as AppSettings
from sidecar.settings import load as load_sidecar
from tests.deployment.definitions import DEFINITIONS, ROOT, compose

SERVICES = sorted(compose()["services"])
# Keys that compose 1.29 or an engine older than 25 refuses or ignores.
TOO_NEW = {"version", "name", "start_interval", "develop", "include", "secrets", "configs"}


def keys(value: Any) -> set[str]:
    """Every key at any depth."""
    if isinstance(value, dict):
        return set(value).union(*(keys(member) for member in value.values()))
    if isinstance(value, list):
        return set().union(*(keys(member) for member in value))
    return set()


def override() -> dict[str, Any]:
    return yaml.safe_load((DEFINITIONS / "docker-compose.aws.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", [compose(), override()], ids=["base", "override"])
def test_only_keys_that_every_supported_compose_knows(file: dict[str, Any]) -> None:
    """No version, no health check option of engine 25, no section of newer specifications."""
    assert not keys(file) & TOO_NEW


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_locked_down(name: str) -> None:
    """Read-only root, no capability, no new privileges, a number for a user, a memory limit."""
    service = compose()["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])
    assert service["mem_limit"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_port_is_open_to_this_machine_only(name: str) -> None:
    """Published on the loopback address, at a port the user can move."""
    for port in compose()["services"][name]["ports"]:
        assert re.fullmatch(r"127\.0\.0\.1:\$\{PORT_[A-Z0-9]+:-(\d+)\}:\1", port)


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_built_here(name: str) -> None:
    """Nothing but the base image is pulled."""
    service = compose()["services"][name]
    assert "image" not in service
    assert (ROOT / service["build"]["dockerfile"]).is_file()


def test_the_order_of_start_is_cloudwatch_sidecar_app() -> None:
    """Each waits for the health of the one before; they stop the other way round."""
    services = compose()["services"]
    healthy = {"condition": "service_healthy"}
    assert services["app"]["depends_on"] == {"sidecar": healthy}
    assert services["sidecar"]["depends_on"] == {"cloudwatch": healthy}
    assert all("healthcheck" in service for service in services.values())


def test_the_override_sends_the_sidecar_to_the_real_service() -> None:
    """The stand-in's address is emptied and its credentials replaced by the caller's."""
    (name, changes), *others = override()["services"].items()
    assert (name, others) == ("sidecar", [])
    environment, base = changes["environment"], compose()["services"]["sidecar"]["environment"]
    assert environment["AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"] == ""
    for key in ("AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SIDECAR_LOG_GROUP"):
        assert key in base
        assert environment[key].startswith(f"${{{key}:?")
    assert environment["AWS_SESSION_TOKEN"] is None


def test_the_sidecar_takes_its_environment() -> None:
    """Each variable is a setting and has the value that the contract's directories have."""
    settings = load_sidecar(None, compose()["services"]["sidecar"]["environment"])
    assert settings.logs[0].include == ("/mnt/efs/logs/**/*.log",)
    assert settings.artifacts[0].include == ("/mnt/efs/artifacts/**/*",)
    assert settings.artifacts[0].log_group == "/ecs/reports/artifacts"
    assert (str(settings.state_dir), settings.task) == ("/mnt/state", "local")
    assert (settings.http.host, settings.http.port) == ("0.0.0.0", 9464)


def test_the_app_takes_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable is a setting."""
    environment = compose()["services"]["app"]["environment"]
    for key, value in environment.items():
        assert key.removeprefix("APP_").lower() in AppSettings.model_fields
        monkeypatch.setenv(key, value)
    assert str(AppSettings().volume) == "/mnt/efs"


def test_the_grace_at_stop_covers_the_drain_and_the_app_s_own() -> None:
    """Killed in the middle is never how either ends."""
    services = compose()["services"]
    drain = load_sidecar(None, services["sidecar"]["environment"]).drain
    assert drain.deadline < int(services["sidecar"]["stop_grace_period"].removesuffix("s"))
    assert AppSettings().stop_grace < int(services["app"]["stop_grace_period"].removesuffix("s"))


@pytest.mark.parametrize("name", ["function1", "function2"])
def test_a_function_sees_only_its_own_root(name: str) -> None:
    """One volume, which no other function mounts; a user of its own; nothing of the app's."""
    services = compose()["services"]
    assert services[name]["volumes"] == [f"{name}:/mnt/function"]
    assert services["function1"]["user"] != services["function2"]["user"]
    mounting = [
        n
        for n, s in services.items()
        if any(v.startswith(f"{name}:") for v in s.get("volumes", ()))
    ]
    assert mounting == [name, "collector"]


def test_functions_and_their_collector_come_when_asked_for() -> None:
    """`docker compose up` is the app and its sidecar, as before."""
    services = compose()["services"]
    with_profile = {name for name, service in services.items() if "profiles" in service}
    assert with_profile == {"function1", "function2", "collector"}
    assert all(services[name]["profiles"] == ["functions"] for name in with_profile)

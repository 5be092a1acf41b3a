"""What the Dockerfiles must be to build everywhere, small and locked down."""

import json
import re
from pathlib import Path

import pytest

from tests.deployment.definitions import ROOT, compose

DOCKERFILES = {
    name: ROOT / service["build"]["dockerfile"]
    for name, service in compose()["services"].items()
    # The second function and the collector are of images that are there already.
    if name not in ("function2", "collector")
}
EVERY = pytest.mark.parametrize("path", DOCKERFILES.values(), ids=DOCKERFILES)
OURS = pytest.mark.parametrize("name", ["app", "sidecar"])


def instructions(path: Path) -> list[tuple[str, str]]:
    """(word, rest) of each instruction, comments gone and continued lines joined."""
    lines = [
        line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")
    ]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(None, 1)[1]) for line in joined.splitlines() if line]


def last(path: Path, word: str) -> str:
    """The rest of the last instruction of that word."""
    return [rest for found, rest in instructions(path) if found == word][-1]


@EVERY
def test_no_builder_is_required(path: Path) -> None:
    """Neither BuildKit's mounts, chmod, links and heredocs nor a syntax line."""
    text = path.read_text(encoding="utf-8")
    assert "syntax=" not in text
    assert not re.search(r"--(mount|chmod|link|network|security|parents|exclude)\b", text)
    assert "<<" not in text


@EVERY
def test_one_base_and_an_environment_copied_from_a_build_stage(path: Path) -> None:
    """Only the base is pulled, and what the build needs stays behind."""
    found = instructions(path)
    bases = [rest for word, rest in found if word == "FROM"]
    assert bases == ["python:3.13-slim AS build", "python:3.13-slim"]
    assert ("COPY", "--from=build /opt/venv /opt/venv") in found


@EVERY
def test_everything_is_installed_by_hash(path: Path) -> None:
    """Each pip that fetches checks hashes or fetches nothing."""
    installs = re.findall(r"pip [^&\n]*?install [^&]*", path.read_text(encoding="utf-8"))
    assert installs
    for command in (re.sub(r"\\\n", " ", text) for text in installs):
        locked = "--require-hashes" in command and "-r " in command
        itself = "--no-deps --no-index /wheels/" in command
        assert locked or itself or "uninstall" in command, command
        assert "uninstall" in command or "--no-cache-dir" in command


@EVERY
def test_the_user_is_a_number_and_not_root(path: Path) -> None:
    """The same number as compose and the task definition say."""
    (name,) = [n for n, p in DOCKERFILES.items() if p == path]
    assert last(path, "USER") == compose()["services"][name]["user"]


@EVERY
def test_the_program_is_process_one(path: Path) -> None:
    """Exec form: a shell in between would swallow SIGTERM."""
    for word in ("ENTRYPOINT", "CMD"):
        for found, rest in instructions(path):
            if found == word:
                assert isinstance(json.loads(rest), list)


@EVERY
def test_the_health_check_is_that_of_compose(path: Path) -> None:
    """For those who run the image by itself."""
    (name,) = [n for n, p in DOCKERFILES.items() if p == path]
    options, _, command = last(path, "HEALTHCHECK").partition(" CMD ")
    check = compose()["services"][name]["healthcheck"]
    assert ["CMD", *json.loads(command)] == check["test"]
    assert dict(re.findall(r"--([a-z-]+)=(\S+)", options)) == {
        "interval": check["interval"],
        "timeout": check["timeout"],
        "start-period": check["start_period"],
        "retries": str(check["retries"]),
    }


def test_the_volume_is_alike_in_both_images() -> None:
    """An empty named volume takes owner and mode from the image that mounts it first."""
    wanted = "install -d -o app -g volume -m 2770 /mnt/efs"
    ids = "useradd --uid 10001 --gid volume"
    for name in ("app", "sidecar"):
        text = DOCKERFILES[name].read_text(encoding="utf-8")
        assert wanted in text
        assert ids in text
        assert "groupadd --gid 10000 volume" in text


@OURS
def test_an_image_carries_its_own_package_only(name: str) -> None:
    """Neither the other's code nor the other's dependencies."""
    other = {"app": "sidecar", "sidecar": "app"}[name]
    copies = [rest for word, rest in instructions(DOCKERFILES[name]) if word == "COPY"]
    assert f"{name}/ {name}/" in copies
    assert not any(f"{other}/" in rest or f"{other}.txt" in rest for rest in copies)


def test_the_context_is_what_the_dockerfiles_copy() -> None:
    """Everything is ignored but the names that a COPY reads."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "**" in lines
    copied = {
        source.split("/")[0] if source.split("/")[0] == "requirements" else source.removesuffix("/")
        for path in DOCKERFILES.values()
        for word, rest in instructions(path)
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    assert copied == kept

"""What the package asks for, what the locks pin, and what the Makefile offers."""

import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([a-zA-Z0-9._-]+)==(\S+)(?: ; .*)? \\$")

# In parts, so that this file does not hold what it forbids.
HOSTS = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("deb", "debian", "org"),
        ("snapshot", "debian", "org"),
        ("deb", "nodesource", "com"),
        ("proxy", "golang", "org"),
        ("crates", "io"),
    )
]
FOLDERS = [
    "/".join(("", *parts))
    for parts in (
        ("work", "main"),
        ("work", "shared"),
        ("work", ".library"),
        ("work", ".mirror"),
        ("opt", "wheels"),
        ("opt", "pypi"),
        ("root", ""),
    )
]
FOREIGN = re.compile(
    r"(?<![\w.-])(?:[\w-]+\.)*(?:" + "|".join(map(re.escape, HOSTS)) + r")(?![\w-])"
    r"|(?<![\w./-])(?:file://)?(?:" + "|".join(map(re.escape, FOLDERS)) + ")",
    re.IGNORECASE,
)


def project() -> dict[str, Any]:
    """pyproject.toml's table."""
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


def pins(lock: str) -> dict[str, set[str]]:
    """The versions a lock names, by package; several where they differ by Python."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / f"{lock}.txt").read_text().splitlines():
        if matched := PINNED.match(line):
            found.setdefault(canonicalize_name(matched[1]), set()).add(matched[2])
    return found


def asked_for(extra: str) -> list[Requirement]:
    """What the package and one of its extras require directly."""
    table = project()
    texts = table["dependencies"] + table["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize(
    ("lock", "foreign"),
    [
        ("sidecar", {"fastapi", "starlette", "uvicorn", "duckdb", "python-multipart", "moto"}),
        ("app", {"boto3", "botocore", "watchdog", "prometheus-client", "moto"}),
    ],
)
def test_neither_image_carries_what_only_the_other_needs(lock: str, foreign: set[str]) -> None:
    """The extras `app` and `sidecar` bring their own dependencies, all the way down."""
    assert len(pins(lock)) > 10
    assert foreign.isdisjoint(pins(lock))
    assert foreign.isdisjoint(canonicalize_name(each.name) for each in asked_for(lock))


def test_the_extras_share_nothing_but_how_settings_are_read() -> None:
    """What one image asks for by name the other does not, pydantic for the settings apart."""
    extras = project()["optional-dependencies"]
    sidecar, app = (
        {canonicalize_name(Requirement(text).name) for text in extras[extra]}
        for extra in ("sidecar", "app")
    )
    assert sidecar
    assert app
    assert sidecar & app <= {"pydantic", "pydantic-settings"}


def test_the_only_command_is_sidecar() -> None:
    """Installing the package puts one command on the path, and it runs what `-m sidecar` runs."""
    assert project()["scripts"] == {"sidecar": "sidecar.__main__:main"}
    installed = metadata.distribution(project()["name"]).entry_points
    (command,) = installed.select(group="console_scripts")
    assert (command.name, command.value) == ("sidecar", "sidecar.__main__:main")
    assert callable(command.load())


@pytest.mark.parametrize("lock", ["app", "sidecar", "cloudwatch", "guest", "dev"])
def test_the_locks_hold_what_the_project_asks_for(lock: str) -> None:
    """A requirement that was added or raised without `make lock` is noticed."""
    pinned = pins(lock)
    for required in asked_for(lock):
        if required.name == project()["name"]:
            continue
        versions = pinned.get(canonicalize_name(required.name), set())
        assert versions, f"{required.name} is not in {lock}.txt: make lock"
        assert all(required.specifier.contains(version) for version in versions), required


@pytest.mark.parametrize("lock", ["app", "sidecar", "cloudwatch", "guest"])
def test_every_lock_agrees_with_the_largest(lock: str) -> None:
    """What is tested is what is shipped: a package has one version everywhere."""
    largest = pins("dev")
    assert {name: found for name, found in pins(lock).items() if found != largest.get(name)} == {}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_the_locks_name_no_place(lock: Path) -> None:
    """Every line is a pin, its hashes or a comment: no index, no path, no address."""
    for line in lock.read_text().splitlines():
        comment = line.lstrip().startswith("#")
        hashed = re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line)
        assert comment or hashed or PINNED.match(line), line
        assert "://" not in line
        assert not re.search(r"(^|[\s=])(/|~|[A-Za-z]:\\)", line), line


def test_every_pin_has_hashes() -> None:
    """Nothing is installed that is not, byte for byte, what was resolved."""
    for lock in LOCKS:
        blocks = re.split(r"^(?=[a-zA-Z0-9])", lock.read_text(), flags=re.MULTILINE)[1:]
        assert blocks
        for block in blocks:
            assert "--hash=sha256:" in block, block.splitlines()[0]


def test_no_tracked_file_names_where_it_was_made() -> None:
    """No registry's host and no folder of the build machine: the project is made anywhere."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing says which files are tracked")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    tracked = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert Path(__file__).resolve() in tracked
    # A file may be tracked and already removed: that is somebody's change under way.
    named = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in tracked
        if path.is_file()
        for found in FOREIGN.finditer(path.read_text(errors="replace"))
    ]
    assert named == []


@pytest.mark.parametrize("name", [*HOSTS, *FOLDERS])
def test_what_is_forbidden_is_recognised(name: str) -> None:
    """Each name is found in the forms in which a tool would write it, and not in longer words."""
    scheme = "file://" if name.startswith("/") else "https://"
    for text in (name, f"{scheme}{name}/x", f"--index={name}", f'"{name}"', f"at {name}, say"):
        assert FOREIGN.search(text), text
    assert not FOREIGN.search(f"x{name}")


def test_make_alone_lists_every_target() -> None:
    """`make` prints help, and each target that a person may call is in it."""
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    said = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^make (\S+) +\S", said, re.MULTILINE) == phony.split()

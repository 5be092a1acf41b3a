"""Resolves the lock files from pyproject.toml: what `make lock` runs.

One resolution serves Python 3.11 to 3.13 on every platform, and every file pins by hash. All sets
are resolved against the largest one, so that a package has one version everywhere. No index, no
path and no address is written: whoever installs decides where packages come from.
"""

import os
import subprocess
import tomllib
from pathlib import Path

LOCKS = Path(__file__).resolve().parent
PROJECT = LOCKS.parent / "pyproject.toml"
LARGEST = "dev"
SETS = (LARGEST, "app", "sidecar", "cloudwatch", "function", "guest")


def compile_lock(name: str, *arguments: str, requirements: str | None = None) -> None:
    """Write `requirements/<name>.txt`; what it pins already stays unless UPGRADE is set."""
    command = [os.environ.get("UV") or "uv", "pip", "compile", "--quiet", "--universal"]
    command += ["--python-version", "3.11", "--generate-hashes", "--no-emit-index-url"]
    command += ["--no-emit-find-links", "--custom-compile-command", "make lock"]
    if os.environ.get("UPGRADE") and name in (LARGEST, "build", "uv"):
        command.append("--upgrade")
    command += [*arguments, "--output-file", str((LOCKS / f"{name}.txt").relative_to(Path.cwd()))]
    subprocess.run(command, input=requirements, text=True, check=True)  # noqa: S603 - our own words


def main() -> None:
    os.chdir(PROJECT.parent)
    project = tomllib.loads(PROJECT.read_text())
    compile_lock("build", "-", requirements="\n".join(project["build-system"]["requires"]))
    compile_lock("uv", "-", requirements="uv")
    for name in SETS:
        against = () if name == LARGEST else ("--constraint", f"requirements/{LARGEST}.txt")
        compile_lock(name, "pyproject.toml", "--extra", name, *against)


if __name__ == "__main__":
    main()

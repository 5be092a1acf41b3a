"""Bad configuration through the real command: one line on stderr, status 2, no traceback."""

from pathlib import Path

import pytest

from tests.integration.commands.shell import sidecar

TOP = "log_group: /g\nlogs:\n  - include: ['/v/logs/**/*.log']\n"

BAD = {
    "unknown key": (TOP + "delivry: {}\n", "delivry: unknown key; did you mean delivery?"),
    "malformed YAML": ("logs: [\n", "not YAML"),
    "tab": ("\tlogs: 1\n", "use spaces"),
    "key twice": (TOP + "task: a\ntask: b\n", "task: this key stands twice"),
    "list for a mapping": ("- logs\n", "not a mapping"),
    "no group": ("logs: [{include: ['/v/*']}]\n", "logs[0].log_group: "),
    "nothing to ship": ("log_group: /g\n", "logs: nothing to ship"),
    "bad regex": (TOP + "    keep: ['a(']\n", "logs[0].keep[0]: "),
    "bad duration": (TOP + "poll: {hot: 5}\n", "poll.hot: "),
    "bad size": (TOP + "delivery: {memory: lots}\n", "delivery.memory: "),
    "bad retention": (TOP + "create: {retention_days: 2}\n", "create.retention_days: "),
    "bad port": (TOP + "http: {port: 70000}\n", "http.port: "),
    "bad placeholder": (TOP + "    log_stream: '{who}'\n", "logs[0].log_stream: "),
    "variable not set": (TOP + "task: '${NOT_SET}'\n", "NOT_SET"),
    "include outside root": (TOP + "    root: /elsewhere\n", "logs[0].include[0]: "),
}


CHECKED = ("unknown key", "tab", "bad port")


@pytest.mark.parametrize(
    ("command", "kind"), [("run", kind) for kind in BAD] + [("check", kind) for kind in CHECKED]
)
def test_bad_file_is_one_line_and_status_2(command: str, kind: str, tmp_path: Path) -> None:
    """Both commands that read the configuration refuse a bad one alike, before doing anything."""
    text, words = BAD[kind]
    path = tmp_path / "bad.yaml"
    path.write_text(text, encoding="utf-8")

    result = sidecar(command, "--config", str(path))

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"sidecar: {path}")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


@pytest.mark.parametrize(
    ("arguments", "environ", "words"),
    [
        (["run"], {}, "nothing to ship"),
        (["run", "--config", "/not/there"], {}, "no such configuration file"),
        (["run"], {"SIDECAR_CONFIG": "/"}, "this is a directory"),
        (["run"], {"SIDECAR_LOGS": "/v/*", "SIDECAR_HTTP_PORT": "x"}, "SIDECAR_LOG"),
        (["check", "--onlin", "--x"], {}, "--x"),
        (["run", "--config"], {}, "see sidecar run --help"),
        (["rum"], {}, "'rum'"),
        ([], {}, "COMMAND"),
    ],
)
def test_bad_use_is_one_line_and_status_2(
    arguments: list[str], environ: dict[str, str], words: str
) -> None:
    """A missing file, a bad variable or a misspelt argument is told in one line."""
    result = sidecar(*arguments, environ=environ)

    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("sidecar: ")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr


@pytest.mark.parametrize("command", ["", "run", "check", "status", "healthcheck"])
def test_help_helps(command: str) -> None:
    """Every command explains itself, its exit statuses included."""
    result = sidecar(*command.split(), "--help")

    assert result.returncode == 0
    assert "usage: sidecar" in result.stdout
    assert "Exit status" in result.stdout or command == ""


def test_version_is_printed() -> None:
    """`--version` names the program and a version."""
    result = sidecar("--version")

    assert result.returncode == 0
    assert result.stdout.startswith("sidecar 0.")

"""The command line: parse, call, exit status. Each command is imported when it is asked for."""

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from sidecar.errors import SidecarError, on_one_line

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130

_CONFIG = "YAML file with the settings (default: the one SIDECAR_CONFIG names, if any)"
_URL = (
    "base address of the sidecar (default: from SIDECAR_HTTP_HOST and SIDECAR_HTTP_PORT, the http "
    "section of the configuration, or http://127.0.0.1:9464)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status. What a person can mend is one line on stderr."""
    options = _parser().parse_args(arguments)
    _take_any_name()
    try:
        status = _call(options)
        sys.stdout.flush()
    except SidecarError as error:
        return _fail(str(error), error.exit_status)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "sidecar":
            raise
        return _fail(f"the package {error.name} is not installed; install the extra [sidecar]", 1)
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter's last flush must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail("interrupted", EXIT_INTERRUPTED)
    return status


def _take_any_name() -> None:
    """A file name that is not UTF-8 is printed with its bytes escaped, and ends no command."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _call(options: argparse.Namespace) -> int:
    if options.command == "run":
        from sidecar.commands.run import run

        return run(options.config, os.environ)
    if options.command == "check":
        from sidecar.commands.check import check

        return check(options.config, os.environ, online=options.online, as_json=options.json)
    if options.command == "plan":
        from sidecar.commands.plan import plan

        return plan(options.paths, options.config, os.environ, as_json=options.json)
    if options.command == "verify":
        from sidecar.commands.verify import verify

        return verify(options.since, options.config, os.environ, as_json=options.json)
    if options.command == "rejected":
        return _call_rejected(options)
    if options.command == "status":
        from sidecar.commands.status import status

        return status(options.url, options.config, os.environ, as_json=options.json)
    if options.command == "artifacts":
        return _artifacts(options)
    from sidecar.commands.healthcheck import healthcheck

    return healthcheck(options.url, options.config, os.environ)


def _artifacts(options: argparse.Namespace) -> int:
    from sidecar.commands.artifacts import get_artifact, list_artifacts

    if options.act == "list":
        return list_artifacts(
            options.config, os.environ, versions=options.versions, as_json=options.json
        )
    return get_artifact(
        options.name,
        options.config,
        os.environ,
        version=options.version,
        output=options.output,
        as_json=options.json,
    )


def _call_rejected(options: argparse.Namespace) -> int:
    if options.act == "list":
        from sidecar.commands.rejected import list_letters

        return list_letters(options.config, os.environ, limit=options.limit, as_json=options.json)
    from sidecar.commands.replay import replay

    return replay(options.config, os.environ, now=options.now, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sidecar",
        description="Ships the logs and artifacts of a shared volume to CloudWatch: no line lost, "
        "none twice.",
        epilog="Every setting is described in sidecar/CONFIGURATION.md.",
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(
        dest="command", required=True, metavar="COMMAND", parser_class=_Parser
    )
    run = commands.add_parser(
        "run",
        help="tail and ship until SIGTERM or SIGINT, then drain",
        description="Tail the files and ship them until SIGTERM or SIGINT, then drain.",
        epilog="Exit status: 0 drained; 3 the deadline came first and the next run resumes; "
        "2 bad configuration.",
    )
    check = commands.add_parser(
        "check",
        help="validate the configuration and permissions; leaves nothing behind",
        description="Validate the configuration, the volume's permissions (a test lock, a test "
        "file) and, with --online, the AWS permissions. Leaves nothing behind.",
        epilog="Exit status: 0 nothing failed; 2 something did.",
    )
    plan = commands.add_parser(
        "plan",
        help="a dry run: what each file is, where it goes, or why it is not shipped",
        description="Tell of each file what it is, whether, why and where it is shipped, and from "
        "which offset; of a PATH alone, which need not exist. Touches neither the volume nor AWS.",
        epilog="Exit status: 0; 2 bad configuration.",
    )
    plan.add_argument("paths", metavar="PATH", nargs="*", help="explain this one only")
    verify = commands.add_parser(
        "verify",
        help="compare the files on the volume with what CloudWatch holds",
        description="Compare the files on the volume with what CloudWatch holds: lost, "
        "duplicated, late, by stream. Reads only; may run beside the sidecar.",
        epilog="Exit status: 0 nothing lost or duplicated; 1 otherwise; 2 bad configuration.",
    )
    verify.add_argument(
        "--since", metavar="WHEN", help="only events since: a duration (2h, 7d) or an ISO time"
    )
    rejected_list, replay = _add_rejected(commands)
    status = commands.add_parser(
        "status",
        help="show what a running sidecar is doing",
        description="Show what a running sidecar is doing.",
        epilog="Exit status: 0 it answered; 1 nothing answers.",
    )
    health = commands.add_parser(
        "healthcheck",
        help="for a container's health check",
        description="Ask a running sidecar whether a restart would help.",
        epilog="Exit status: 0 healthy; 1 not.",
    )
    artifact_list, artifact_get = _artifact_parsers(commands)
    asking = (check, plan, verify, rejected_list, replay, status, artifact_list, artifact_get)
    for command in (run, health, *asking):
        command.add_argument("--config", metavar="FILE", type=Path, help=_CONFIG)
    check.add_argument(
        "--online", action="store_true", help="ask AWS about every permission needed"
    )
    for command in asking:
        command.add_argument("--json", action="store_true", help="print JSON, not a table")
    for command in (status, health):
        command.add_argument("--url", metavar="URL", help=_URL)
    return parser


def _artifact_parsers(commands: Any) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    artifacts = commands.add_parser(
        "artifacts",
        help="list the artifacts that were shipped, or get one back",
        description="List the artifacts that were shipped, or get one back.",
    )
    acts = artifacts.add_subparsers(
        dest="act", required=True, metavar="list|get", parser_class=_Parser
    )
    listing = acts.add_parser(
        "list",
        help="what was shipped, and where its content is",
        description="List the newest version of every artifact in the artifacts' log groups, and "
        "where its content is.",
        epilog="Exit status: 0 listed; 1 CloudWatch Logs does not give them.",
    )
    listing.add_argument("--versions", action="store_true", help="every version, the newest first")
    get = acts.add_parser(
        "get",
        help="restore one and check its sha256",
        description="Restore an artifact from its manifest or from S3, check its sha256, and only "
        "then put it in its place.",
        epilog="Exit status: 0 restored; 1 not found, not kept, or not what was shipped.",
    )
    get.add_argument("name", metavar="NAME", help="its name as `list` shows it")
    get.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="where to (default: its last name in this directory, unless that is there)",
    )
    get.add_argument(
        "--version", metavar="SHA256", help="the version that begins so, not the newest"
    )
    return listing, get


def _add_rejected(
    commands: "argparse._SubParsersAction[_Parser]",
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    rejected = commands.add_parser(
        "rejected",
        help="the dead letters: list them, or send them again",
        description="The dead letters: events that CloudWatch refused for good.",
    )
    acts = rejected.add_subparsers(dest="act", required=True, metavar="ACT", parser_class=_Parser)
    letters = acts.add_parser(
        "list",
        help="show them",
        description="Show the dead letters, the oldest first.",
        epilog="Exit status: 0; 1 they cannot be read; 2 bad configuration.",
    )
    letters.add_argument("--limit", metavar="N", type=int, help="the latest N only")
    replay = acts.add_parser(
        "replay",
        help="send them again, once each, after the cause is gone",
        description="Send again what was refused, once each. What is refused again is kept.",
        epilog="Exit status: 0 all of them are in CloudWatch; 1 some are not; 2 bad configuration.",
    )
    replay.add_argument(
        "--now", action="store_true", help="with the time of now, where their own is out of range"
    )
    return letters, replay


class _Parser(argparse.ArgumentParser):
    """A parser whose complaint is one line."""

    def error(self, message: str) -> NoReturn:
        raise SystemExit(_fail(f"{message}; see {self.prog} --help", EXIT_USAGE))


class _Version(argparse.Action):
    """Prints the installed version. Looking it up costs more than all else here, so it is late."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version and exit")

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version

        sys.stdout.write(f"sidecar {version('efs-cloudwatch-sidecar')}\n")
        parser.exit()


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"sidecar: {on_one_line(message)}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())

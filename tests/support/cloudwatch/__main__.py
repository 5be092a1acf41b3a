"""The double from the shell: starts, prints one line, ends on SIGTERM, Ctrl-C or --seconds."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from typing import Any

import orjson

from . import __doc__ as guide
from .control import __doc__ as control_guide
from .double import StrictCloudWatch
from .faults import KINDS
from .quotas import ACCOUNT_QUOTAS


def fault(text: str) -> tuple[str, dict[str, Any]]:
    """Reads KIND[:OPTION=VALUE,…]; values are JSON where they are, else text."""
    kind, _, rest = text.partition(":")
    options: dict[str, Any] = {}
    for pair in filter(None, rest.split(",")):
        key, separator, value = pair.partition("=")
        if not separator:
            raise argparse.ArgumentTypeError(f"'{pair}' is not OPTION=VALUE")
        try:
            options[key] = orjson.loads(value)
        except orjson.JSONDecodeError:
            options[key] = value
    return kind, options


def parser() -> argparse.ArgumentParser:
    """The command line."""
    kinds = "\n".join(f"  {kind:14} {text}" for kind, text in KINDS.items())
    arguments = argparse.ArgumentParser(
        prog="python -m tests.support.cloudwatch",
        description=guide,
        epilog=f"faults:\n{kinds}\n\n{control_guide}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    arguments.add_argument("--host", default="127.0.0.1", help="address to listen on")
    arguments.add_argument("--port", type=int, default=0, help="0 (default) takes a free one")
    arguments.add_argument(
        "--fault",
        type=fault,
        action="append",
        default=[],
        metavar="KIND[:OPTION=VALUE,…]",
        help="a fault in force from the start; may be repeated",
    )
    arguments.add_argument(
        "--group", action="append", default=[], help="a log group that exists from the start"
    )
    arguments.add_argument("--seconds", type=float, help="end by itself after so long")
    arguments.add_argument("--quotas", action="store_true", help="apply an account's quotas")
    arguments.add_argument(
        "--any-signature", action="store_true", help="accept unsigned and wrongly signed requests"
    )
    return arguments


def announcement(double: StrictCloudWatch) -> str:
    """The one line on stdout."""
    pairs = " ".join(f"{k}={shlex.quote(v)}" for k, v in double.environment().items())
    return f"export {pairs} # strict CloudWatch Logs at {double.url}"


def main(arguments: list[str] | None = None) -> int:
    """Runs until told to end; 2 when the port is busy or a fault is unknown, 1 on violations."""
    line = parser()
    options = line.parse_args(arguments)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    try:
        double = StrictCloudWatch(
            options.port,
            host=options.host,
            verify_signatures=not options.any_signature,
            quotas=ACCOUNT_QUOTAS if options.quotas else None,
        )
    except OSError as error:
        line.error(f"cannot listen on {options.host}:{options.port}: {error.strerror}")
    with double:
        for name in options.group:
            double.create(name)
        for kind, settings in options.fault:
            try:
                double.faults.add(kind, **settings)
            except ValueError as error:
                line.error(str(error))
        print(announcement(double), flush=True)
        ended.wait(options.seconds)
    for violation in double.violations[:20]:
        print(f"violation: {violation.operation}: {violation.message}", file=sys.stderr)
    return 1 if double.violations else 0


if __name__ == "__main__":
    sys.exit(main())

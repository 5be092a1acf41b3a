"""`sidecar rejected replay`: sends dead letters again, each once, after the cause is gone."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from sidecar import telemetry
from sidecar.commands.table import table
from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from sidecar.delivery.resending import Resending, Tally
from sidecar.errors import StateError
from sidecar.registry.letters import kept_letters
from sidecar.registry.replays import Replays, marks
from sidecar.settings import Settings, load


def replay(config: Path | None, environ: Mapping[str, str], *, now: bool, as_json: bool) -> int:
    """0 when every letter is in CloudWatch, 1 when some are not. ConfigurationError passes through.

    A running sidecar is not disturbed: it appends to its letters, and what becomes of them stands
    in a file of its own.
    """
    settings = load(config, environ)
    telemetry.configure("critical")
    try:
        tally = _replay(settings, now=now)
    except StateError as error:
        sys.stderr.write(f"sidecar: {error}\n")
        return 1
    if as_json:
        sys.stdout.write(json.dumps(asdict(tally), indent=2) + "\n")
    else:
        sys.stdout.write(_shown(tally))
    if tally.problem:
        sys.stderr.write(f"sidecar: {tally.problem}\n")
    return 1 if tally.left or tally.problem else 0


def _replay(settings: Settings, *, now: bool) -> Tally:
    tally = Tally()
    first = next(kept_letters(settings.state_dir), None)
    if first is None:
        return tally
    replays = Replays(settings.state_dir)
    destination = CloudWatchDestination(
        Client(role_arn=settings.role_arn),
        create=settings.create,
        compression=settings.delivery.compression,
    )
    try:
        # Read under the lock: another replay may just have ended.
        marked = marks(settings.state_dir)
        resending = Resending(destination, replays.mark, tally, with_time_of_now=now)
        for kept in kept_letters(settings.state_dir):
            tally.letters += 1
            mark, _ = marked.get(kept.key, ("waiting", ""))
            if mark == "replayed":
                tally.replayed_before += 1
                continue
            in_doubt = mark == "under way"
            tally.in_doubt += in_doubt
            resending.add(kept.key, kept.letter, int(time.time() * 1000), in_doubt=in_doubt)
            if tally.problem:
                break
        resending.finish()
    finally:
        replays.close()
        destination.close()
    return tally


def _shown(tally: Tally) -> str:
    if not tally.letters:
        return "no dead letters\n"
    rows = [
        ("dead letters", f"{tally.letters:,}"),
        ("replayed before", f"{tally.replayed_before:,}"),
        ("replayed now", f"{tally.replayed:,}"),
        ("refused again, and kept", f"{tally.refused:,}"),
        ("out of range, not sent", f"{tally.out_of_range:,}"),
        ("possible duplicates", f"{tally.possible_duplicates:,}"),
    ]
    notes = []
    if tally.in_doubt:
        notes.append(
            f"{tally.in_doubt} letters were under way when an earlier replay ended; they were sent "
            "again, and may be in CloudWatch twice\n"
        )
    if tally.out_of_range:
        notes.append(
            f"{tally.out_of_range} letters are more than 14 days old or 2 hours ahead; --now sends "
            "them with the time of now\n"
        )
    return table(("REJECTED", ""), rows) + "".join(notes)

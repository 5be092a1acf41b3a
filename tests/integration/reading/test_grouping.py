"""G01 to G05 through the whole pipeline: groups, times and filters as CloudWatch shows them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.shipping import GROUP, Shipping, append

GROUPED = {"multiline": {"start": r"^\S", "wait": "2s", "max_lines": 4}, "timestamp": "arrival"}
TRACE = ["Traceback", "  File one", "  File two"]


def test_g01_a_group_is_closed_by_the_next_start_or_the_wait(tmp_path: Path, log: Path) -> None:
    """A stack trace is one event; the next start closes it, the last one closes when no line came
    for the wait; what is over `max_lines` is the next event.

    Catches: never closing the last group; a group without a bound.
    """
    append(log, [*TRACE, "next", "  of it"])
    with Shipping(tmp_path, entry=GROUPED) as sidecar:
        sidecar.step()
        sidecar.step()
        assert sidecar.messages("app.log") == ["\n".join(TRACE)]
        sidecar.pass_time(3)
        assert sidecar.messages("app.log")[1:] == ["next\n  of it"]
        append(log, ["long", *["  more"] * 5])
        sidecar.pass_time(3)
        assert sidecar.messages("app.log")[2:] == ["long\n  more\n  more\n  more", "  more\n  more"]


@pytest.mark.parametrize("clean", [True, False])
def test_g02_a_group_across_a_poll_and_a_restart(tmp_path: Path, log: Path, clean: bool) -> None:
    """A group that is still open at the stop is one event afterwards: the checkpoint stands at its
    start; so is one that came in several writes. A rotation closes the last one.

    Catches: a checkpoint inside an open group; an open group that outlives its file.
    """
    append(log, ["before", *TRACE[:2]])
    with Shipping(tmp_path, entry=GROUPED | {"partial": "1s"}) as sidecar:
        sidecar.step()
        while not sidecar.messages("app.log"):
            sidecar.step()
        assert sidecar.messages("app.log") == ["before"]
        if clean:
            sidecar.stop()
            # A drain waits for the group's wait: nothing complete stays behind.
            assert sidecar.messages("app.log") == ["before", "\n".join(TRACE[:2])]
            sidecar.start()
            append(log, TRACE)
        else:
            sidecar.restart(clean=False)
            append(log, TRACE[2:])
        sidecar.step()
        append(log, ["last", "  of it"])
        sidecar.step()
        log.rename(log.with_name("app.log.1"))
        append(log, ["new"])
        sidecar.pass_time(5)
        assert sidecar.messages("app.log")[-3:] == ["\n".join(TRACE), "last\n  of it", "new"]


def test_g03_each_form_of_time_and_the_time_before(tmp_path: Path, log: Path) -> None:
    """Every form is the event's time, to the millisecond; an event without one takes the one
    before it.

    Catches: taking the arrival time where a line tells its own; forgetting the time before.
    """
    when = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    seconds = int(when.timestamp())
    forms = [
        f"{when:%Y-%m-%dT%H:%M:%S}.250Z text",
        f'{{"ts": {seconds}.25}}',
        f'{{"time": {seconds * 1000 + 250}}}',
        f'{{"timestamp": {(seconds * 1000 + 250) * 1000}}}',
        f'{{"@timestamp": {(seconds * 1000 + 250) * 1_000_000}}}',
    ]
    with Shipping(tmp_path) as sidecar:
        for number, line in enumerate(forms):
            append(log.parent / f"{number}.log", [line, "no time of its own"])
        append(log.parent / "apache.log", [f"[{when:%d/%b/%Y:%H:%M:%S} +0000] GET /"])
        sidecar.settle()
        for number in range(len(forms)):
            events = sidecar.fake.events(GROUP, f"{number}.log")
            assert [each.timestamp for each in events] == [seconds * 1000 + 250] * 2
        [apache] = sidecar.fake.events(GROUP, "apache.log")
        assert apache.timestamp == seconds * 1000


def test_g04_json_as_it_is(tmp_path: Path, log: Path) -> None:
    """JSON lines are shipped byte for byte; a broken one as text, counted.

    Catches: writing JSON anew; dropping what does not parse.
    """
    text = ['{"b": 1,  "a": "\\u00e4"}', '{"broken": ', "[1]"]
    append(log, text)
    with Shipping(tmp_path) as sidecar:
        sidecar.settle()
        assert sidecar.messages("app.log") == text
        assert sidecar.totals.broken_json == 1


def test_g05_keep_drop_and_redact(tmp_path: Path, log: Path) -> None:
    """`keep`, then `drop`, then `redact`, each counted on its own; what is dropped is settled as
    filtered, and the bytes add up.

    Catches: redacting before dropping; counting a dropped line as delivered.
    """
    rules = {"keep": ["GET"], "drop": ["health"], "redact": [{"pattern": "health|pw=\\w+"}]}
    text = ["GET /a pw=secret", "POST /b", "GET /health", "GET /c"]
    append(log, text)
    with Shipping(tmp_path, entry=rules) as sidecar:
        sidecar.settle()
        assert sidecar.messages("app.log") == ["GET /a ", "GET /c"]
        status = sidecar.status()
        assert status["totals"]["events_filtered"] == 2
        assert len(status["filtered"]) == 2
        assert sidecar.totals.redacted == 1
        totals = status["totals"]
        assert totals["bytes_filtered"] == len("POST /b\nGET /health\n")
        assert totals["bytes_acknowledged"] == len("GET /a pw=secret\nGET /c\n")

"""M01: several sidecars on one volume share the work, and each line is shipped once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.integration.delivering.stepped import append
from tests.integration.delivering.test_restarts import numbered, text
from tests.integration.members.fleet import GROUP, Fleet, are_settled, owners, shown
from tests.support.cloudwatch import StrictCloudWatch
from tests.support.running_sidecar import RunningSidecar, wait_for

TASKS = ["red", "green", "blue"]


def knows(member: RunningSidecar, ids: set[str], sources: int) -> bool:
    """Does it say that exactly these live, and how many sources they have together?"""
    known = member.status()["members"]
    alive = {each["id"] for each in known if each["alive"]}
    return alive == ids and sum(each["sources"] for each in known) == sources


@pytest.mark.parametrize("stream", ["{path}", "{task}/{path}"])
def test_m01_each_line_is_shipped_once_whoever_wrote_it(
    tmp_path: Path, cloudwatch: StrictCloudWatch, stream: str
) -> None:
    """Three sidecars ship the files of three tasks and twelve that belong to none.

    1. Every line arrives once, every stream in its file's order.
    2. Each file has one owner; a task's own files have that task's sidecar.
    3. All three know of each other.
    Catches: a claim that is not asked for; a stream's name that each member computes for itself.
    """
    volume = tmp_path / "volume"
    lines = numbered(0, 400)
    shared = [volume / "logs" / "shared" / f"{number}.log" for number in range(12)]
    for path in shared[:6]:
        append(path, text(lines[:200]))
    with Fleet(volume, cloudwatch, entry={"log_stream": stream}) as fleet:
        for task in TASKS:
            fleet.start(task)
        members = [fleet.members[task] for task in TASKS]
        own = {task: volume / "logs" / task / "app.log" for task in TASKS}
        for path in own.values():
            append(path, text(lines))
        for path in shared[:6]:
            append(path, text(lines[200:]))
        for path in shared[6:]:
            append(path, text(lines))
        wait_for(lambda: are_settled([*shared, *own.values()], *members))

        found = owners(*members)
        assert all(len(who) == 1 for who in found.values()), found
        for task, path in own.items():
            assert found[str(path)] == [fleet.members[task].status()["member"]]
        ids = {member.status()["member"] for member in members}
        for member in members:
            wait_for(partial(knows, member, ids, len(found)))
        for member in members:
            assert member.terminate() == 0
            assert member.log()[-1]["event"] == "drained"

    streams = {name for group, name in cloudwatch.streams() if group == GROUP}
    for path in [*shared, *own.values()]:
        relative = str(path.relative_to(volume / "logs"))
        (name,) = [name for name in streams if name.endswith(relative)]
        assert shown(cloudwatch, name) == lines

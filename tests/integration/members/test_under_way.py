"""M02: an artifact whose manifest was under way when its owner died is shipped by one member, once.

Three members in this process, stepped in the one order that matters: whoever takes the owner over
has left the artifact to the task of its directory, and that task's own sidecar comes upon it
before CloudWatch has told what became of the manifest.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from sidecar.delivery.destination import Failure, Page, Throttled
from sidecar.settings import Settings
from tests.integration.delivering.asking import Asked
from tests.integration.delivering.stepped import GROUP, Stepped, settings_for
from tests.support.running_sidecar import wait_for

ARTIFACTS = f"{GROUP}/artifacts"


class Left(NamedTuple):
    """The two that live after the owner's death, and what it was about."""

    taker: Stepped
    task: Stepped
    destination: Asked
    path: Path

    def versions(self) -> list[str]:
        """What the manifests of the artifact hold, in their order."""
        events = self.destination.events(ARTIFACTS, "red/report")
        return [json.loads(event.message)["content"] for event in events]

    def step(self, times: int) -> None:
        """Both in turn, the task's own sidecar first."""
        for _ in range(times):
            self.task.pass_time(1.0)
            self.taker.pass_time(1.0)

    def until(self, condition: Callable[[], object]) -> None:
        def comes_true() -> object:
            self.step(1)
            return condition()

        wait_for(comes_true)


def shipping_artifacts(volume: Path) -> Settings:
    artifacts = [{"include": [f"{volume}/artifacts/**/*"], "settle": "100ms"}]
    return settings_for(volume, logs=[], artifacts=artifacts)


@contextmanager
def blue_and_red(settings: Settings, destination: Asked) -> Iterator[tuple[Stepped, Stepped]]:
    """The sidecars of two tasks; neither has looked at anything yet."""
    with ExitStack() as living:
        blue, red = (Stepped(settings, destination, task=task) for task in ("blue", "red"))
        living.callback(blue.die)
        living.callback(red.die)
        yield blue, red


@contextmanager
def died_with_a_manifest_under_way(volume: Path, lost: str) -> Iterator[Left]:
    """`lost` is what did not arrive: the "request", or its "reply"."""
    path = volume / "artifacts" / "red" / "report"
    path.parent.mkdir(parents=True)
    path.write_text("first\n")
    settings = shipping_artifacts(volume)
    destination = Asked()
    destination.make(ARTIFACTS, "red/report")
    destination.lose(lost)
    destination.reading = lambda _: Throttled("later")
    owner = Stepped(settings, destination, task="green")
    owner.until(lambda: destination.reads)
    with blue_and_red(settings, destination) as (taker, task):
        owner.die()
        taker.until(lambda: not owner.member.directory.exists())
        yield Left(taker, task, destination, path)


def usual(answer: Page | Failure) -> Page | Failure:
    return answer


def test_m02_nobody_ships_what_a_taker_is_yet_to_find_out_about(tmp_path: Path) -> None:
    """The manifest is stored: it stays the only one, and the next version is shipped as well.

    Catches: taking artifacts that were acknowledged for all that a member has.
    """
    with died_with_a_manifest_under_way(tmp_path / "volume", "reply") as left:
        left.step(20)
        assert left.versions() == ["first\n"]
        left.destination.reading = usual
        left.step(20)
        assert left.versions() == ["first\n"]
        left.path.write_text("second\n")
        left.until(lambda: len(left.versions()) > 1)
        left.step(20)
        assert left.versions() == ["first\n", "second\n"]


def test_m02_what_turns_out_not_to_be_stored_is_shipped_by_whoever_may(tmp_path: Path) -> None:
    """The manifest is not stored: who found that out has left the file to its task's sidecar,
    which notices within seconds, though it took half a minute to find out.

    Catches: holding that an artifact is a member's although its request came to nothing; asking
    ever more seldom whether it is.
    """
    with died_with_a_manifest_under_way(tmp_path / "volume", "request") as left:
        left.step(20)
        assert left.versions() == []
        left.destination.reading = usual
        left.until(lambda: left.taker.totals.outcomes_resolved)
        left.step(5)
        assert left.versions() == ["first\n"]
        left.step(20)
        assert left.versions() == ["first\n"]


def test_m02_what_another_has_shipped_is_asked_for_together(tmp_path: Path) -> None:
    """A hundred artifacts in a directory that is everybody's: who comes second reads the ledger of
    the first once, and asks for no claim.

    Catches: a listing, a claim and a reading of each member's ledger for each artifact.
    """
    volume = tmp_path / "volume"
    settings = shipping_artifacts(volume)
    destination = Asked()
    with blue_and_red(settings, destination) as (first, second):
        first.pass_time(2.0)
        second.pass_time(2.0)
        names = [f"report-{number}" for number in range(100)]
        shared = volume / "artifacts" / "shared"
        shared.mkdir(parents=True)
        for name in names:
            (shared / name).write_text(name)
            os.utime(shared / name, (1_000_000_000, 1_000_000_000))  # settled long ago
        first.until(lambda: first.totals.artifacts_shipped == len(names))
        spent = second.shipper._budget.spent
        second.pass_time(3.0)
        assert second.shipper.intake.artifacts.known == 0
        # One look at each, which opens and closes it.
        assert second.shipper._budget.spent - spent < 3 * len(names)
    assert all(len(destination.events(ARTIFACTS, f"shared/{name}")) == 1 for name in names)

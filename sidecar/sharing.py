"""The work shared with other members: whose files to take in, and what to look at again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sidecar.delivery.delivery import Delivery
from sidecar.health import Degradation
from sidecar.registry.checkpoints import Checkpoints
from sidecar.registry.heartbeat import Fence
from sidecar.registry.members import MembershipLostError
from sidecar.registry.membership import Membership
from sidecar.registry.ownership import SharedOwnership
from sidecar.sources.intake import Intake

REFRESH_SECONDS = 5.0
"""Between readings of the others' ledgers for the sake of whoever asks for the status."""


class Sharing:
    """One step of it at each of the pump's. Owned by the pump."""

    def __init__(
        self,
        *,
        membership: Membership,
        ownership: SharedOwnership,
        fence: Fence,
        checkpoints: Checkpoints,
        intake: Intake,
        delivery: Delivery,
        spend: Callable[[int], None],
    ) -> None:
        self.fence = fence
        self._membership = membership
        self._ownership = ownership
        self._checkpoints = checkpoints
        self._intake = intake
        self._delivery = delivery
        self._spend = spend
        self._beats = 0
        self._changes = 0
        self._refreshed_at = float("-inf")

    def step(self, now: float, now_ms: int) -> None:
        """Take over who died, and look again at what has no owner any more.

        Raises MembershipLostError when this member is none any more.
        """
        if self.fence.lost is not None:
            raise MembershipLostError(self.fence.lost)
        if not self.fence.is_open:
            return
        beats = self.fence.beats
        self._spend(2 * (beats - self._beats))
        self._beats = beats
        dead = self._membership.step(now)
        if dead:
            artifacts = set(self._checkpoints.ledger.artifacts)
            living = self._intake.catalogue.sources
            number = self._delivery.number()
            records, unknown = self._checkpoints.take_over(dead, living, number, now_ms)
            came = [path for path in self._checkpoints.ledger.artifacts if path not in artifacts]
            self._intake.adopt(records, came, unknown, now)
            self._delivery.take_over(unknown, now, now_ms)
        if self.fence.is_open:
            for member in self._checkpoints.finish_take_over(now):
                self._membership.gone(member)
        if self._changes != self._membership.changes:
            self._changes = self._membership.changes
            self._intake.note_tasks(now)
        self._intake.look_again(self._ownership.step(now), now)

    def make_durable(self, now: float, now_ms: int) -> None:
        """What became ours is durable before anything of it is delivered: the others go by it."""
        if self._ownership.is_undurable:
            self._ownership.is_undurable = False
            self._checkpoints.sync(now, now_ms, at_once=True)

    def end(self, now: float) -> None:
        """The claims of what is done with are not left to the next one."""
        self._ownership.remove_claims(now)

    def degradations(self) -> list[Degradation]:
        """What stands in the way of sharing, in words for a person."""
        found = []
        if self.fence.problem:
            text = f"{self.fence.problem}: nothing is sent until one does"
            found.append(Degradation("fenced", text))
        problems = (self._membership.problem, self._ownership.problem)
        return found + [Degradation("state_dir", each) for each in problems if each is not None]

    def members(self, now: float) -> list[dict[str, Any]]:
        """The members in the contract's form, ourselves first."""
        if now - self._refreshed_at >= REFRESH_SECONDS:
            self._refreshed_at = now
            self._ownership.refresh()
        own = len(self._intake.catalogue.sources)
        found: list[dict[str, Any]] = [
            {"id": self._membership.own.id, "alive": True, "sources": own}
        ]
        for other in self._membership.others.values():
            sources = self._ownership.sources_of(other.id)
            found.append({"id": other.id, "alive": other.is_alive, "sources": sources})
        return found

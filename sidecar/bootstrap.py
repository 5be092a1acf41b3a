"""The composition root: settings in, a wired Shipper out, and its life from start to exit."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable

import structlog

from sidecar import compiled, telemetry
from sidecar.delivery.client import Client
from sidecar.delivery.cloudwatch import CloudWatchDestination
from sidecar.delivery.delivery import Delivery
from sidecar.delivery.destination import Destination
from sidecar.delivery.object_store import ObjectStore
from sidecar.delivery.reconcile import Reconciler
from sidecar.delivery.s3 import S3
from sidecar.delivery.sender import Senders
from sidecar.delivery.uploads import Uploads
from sidecar.errors import SidecarError, StateError
from sidecar.health import Degradation, Vitals
from sidecar.model.stream_names import Surroundings
from sidecar.registry.checkpoints import Checkpoints
from sidecar.registry.claims import Claims
from sidecar.registry.heartbeat import Fence, Heartbeat
from sidecar.registry.members import Member, MembershipLostError
from sidecar.registry.membership import Membership
from sidecar.registry.others import Others
from sidecar.registry.ownership import SharedOwnership
from sidecar.registry.state_directory import MEMBERS, is_unused, state_created
from sidecar.settings import Settings
from sidecar.sharing import Sharing
from sidecar.shipper import BACKLOG_LEFT, Shipper
from sidecar.signals import Signals
from sidecar.sources.artifact_reader import ArtifactReader
from sidecar.sources.artifacts import Artifacts
from sidecar.sources.descriptors import Descriptors
from sidecar.sources.discovery import Discovery
from sidecar.sources.identity.catalogue import Catalogue
from sidecar.sources.intake import Intake
from sidecar.sources.looks import Looks
from sidecar.sources.mounts import Mounts, mount_mode
from sidecar.sources.poll import Budget, Pace
from sidecar.sources.pruning import Pruning
from sidecar.sources.reach import Reach
from sidecar.sources.removal import Removal
from sidecar.sources.storing import Storing
from sidecar.sources.tailer import Tailer
from sidecar.sources.watch import Watch
from sidecar.surroundings import surroundings
from sidecar.telemetry import Totals
from sidecar.wake import Wake
from sidecar.web.server import Server
from sidecar.web.status_board import StatusBoard

log = structlog.get_logger(__name__)

REJOIN_SECONDS = 1.0
"""Between attempts at becoming a member again."""

DEADLINE_GRACE_SECONDS = 2.0
"""After the drain deadline, until a process that hangs in the file system is ended by force."""

MOST_DESCRIPTORS = 512
OTHER_DESCRIPTORS = 128
"""Left for connections, the journal, the watch and the like."""


def run(settings: Settings, load: Callable[[], Settings], signals: Signals) -> int:
    """Run until a signal, then drain; gives the exit status. Raises what a person can mend.

    `load` gives the settings anew, for a reload.
    """
    telemetry.configure(settings.log_level)
    process = _Process(settings, load, signals)
    try:
        return process.run()
    finally:
        telemetry.flush()


class _Process:
    """The life of one `sidecar run`."""

    def __init__(self, settings: Settings, load: Callable[[], Settings], signals: Signals) -> None:
        self._settings = settings
        self._load = load
        self._signals = signals
        self._wake = Wake()
        self._stopping = Wake()
        self._totals = Totals()
        self._vitals = Vitals(time.monotonic())

    def run(self) -> int:
        settings = self._settings
        threading.Thread(target=self._guard_deadline, name="deadline", daemon=True).start()
        self._signals.listen(self._wake.set, self._stopping.set)
        where = surroundings(settings.task, os.environ)
        member = Member.join(settings.state_dir, where.task)
        telemetry.identify(member.id)
        self._board = StatusBoard(self._wake.set, member=member.id)
        server = Server(
            settings.http.host,
            settings.http.port,
            self._board,
            self._totals,
            self._vitals,
            self._signals.ask_reload,
        )
        server.start()
        log.info("sidecar_started", http_port=server.port, state_dir=str(settings.state_dir))
        try:
            return self._live(member, where)
        except MembershipLostError as error:
            return self._live_again(error, where)
        finally:
            server.stop()

    def _live_again(self, lost: SidecarError, where: Surroundings) -> int:
        """Join anew, as often as it takes; gives the exit status.

        What was in memory is dropped: it may be another's by now. What is on the volume of it is
        taken over like anybody's. The volume may be away for a while yet.
        """
        log.error("membership_lost", problem=str(lost))
        while not self._signals.stop_asked:
            now = time.monotonic()
            self._vitals.beat(now)
            self._vitals.degrade((Degradation("fenced", str(lost)),))
            try:
                member = Member.join(self._settings.state_dir, where.task)
                telemetry.identify(member.id)
                log.info("member_joined", member=member.id, again=True)
                return self._live(member, where)
            except MembershipLostError as error:
                log.error("membership_lost", problem=str(error))
                lost = error
            except StateError as error:
                if str(error) != str(lost):
                    log.error("member_cannot_join", problem=str(error))
                lost = error
                self._wake.wait(REJOIN_SECONDS)
        return BACKLOG_LEFT

    def _live(self, member: Member, where: Surroundings) -> int:
        """Ship as this member until the end, or until it is none any more (MembershipLostError)."""
        fence = Fence()
        heartbeat = Heartbeat(member, fence, self._wake.set)
        heartbeat.start()
        try:
            return self._ship(member, where, fence)
        finally:
            lost = fence.lost is not None
            # What waits for a sender is not sent any more.
            fence.lose(fence.lost or "this member has ended")
            if heartbeat.stop():
                if lost:
                    member.leave()
                else:
                    member.hand_over()

    def _ship(self, member: Member, where: Surroundings, fence: Fence) -> int:
        settings = self._settings
        destination = CloudWatchDestination(
            Client(role_arn=settings.role_arn, connections=settings.delivery.in_flight + 1),
            create=settings.create,
            compression=settings.delivery.compression,
        )
        shipper = build(
            settings,
            member=member,
            where=where,
            destination=destination,
            board=self._board,
            vitals=self._vitals,
            totals=self._totals,
            wake=self._wake,
            fence=fence,
        )
        try:
            return shipper.run(
                should_stop=lambda: self._signals.stop_asked,
                reload=lambda: self._take_in(shipper),
            )
        finally:
            shipper.close()

    def _take_in(self, shipper: Shipper) -> None:
        """A new configuration, where one was asked for: offsets and streams stay."""
        if not self._signals.reload_asked:
            return
        self._signals.reload_asked = False
        try:
            settings = self._load()
        except SidecarError as error:
            log.error("reload_refused", problem=str(error))
            return
        fixed = ("state_dir", "http", "delivery", "drain", "role_arn", "create", "poll", "task")
        changed = [key for key in fixed if getattr(settings, key) != getattr(self._settings, key)]
        if changed:
            log.warning("reload_needs_restart", keys=changed)
        shipper.intake.reload(compiled.log_rules(settings), compiled.artifact_rules(settings))
        log.info("reloaded")

    def _guard_deadline(self) -> None:
        """See to it that a drain ends, though the pump hang in the file system.

        Waits from the start, on a thread of its own: a signal handler must not start one.
        """
        while not self._stopping.wait(3600.0):
            pass
        time.sleep(self._settings.drain.deadline + DEADLINE_GRACE_SECONDS)
        log.error("drain_deadline_forced")
        telemetry.flush()
        os._exit(BACKLOG_LEFT)


def build(
    settings: Settings,
    *,
    member: Member,
    where: Surroundings,
    destination: Destination,
    board: StatusBoard,
    vitals: Vitals,
    totals: Totals,
    wake: Wake,
    store: ObjectStore | None = None,
    fence: Fence | None = None,
) -> Shipper:
    """Wire a Shipper. Reads the journals of dead members; raises StateError.

    `store` keeps large artifacts, in place of S3. Without a fence, and so without heartbeats, it
    is taken for proved that the member is one.
    """
    now, wall = time.monotonic(), time.time()
    state_dir = settings.state_dir
    fence = Fence(lambda: 0.0) if fence is None else fence
    first_start = is_unused(state_dir)
    created = state_created(state_dir, wall)
    checkpoints = Checkpoints(
        state_dir,
        member,
        totals,
        outlives_host=mount_mode(str(state_dir)).revalidates,
        now=now,
        now_ms=int(wall * 1000),
    )
    log_rules = compiled.log_rules(settings)
    artifact_rules = compiled.artifact_rules(settings)
    budget = Budget(settings.poll.budget, now, alive=lambda: vitals.beat(time.monotonic()))
    descriptors = Descriptors(_most_descriptors(), totals, budget)
    pace = Pace(settings.poll.hot, settings.poll.cold, budget)
    mounts = Mounts(settings.poll.mode)
    looks = Looks(mounts, budget)
    membership = Membership(settings.state_dir, member, spend=budget.spend)
    ownership = SharedOwnership(
        task=where.task,
        membership=membership,
        others=Others(settings.state_dir / MEMBERS, spend=budget.spend),
        claims=Claims(settings.state_dir, member, spend=budget.spend),
        fence=fence,
        ledger=checkpoints.ledger,
        make_durable=checkpoints.make_durable,
    )
    membership.look()
    discovery = Discovery(
        [rule.match for rule in log_rules] + [rule.match for rule in artifact_rules],
        never=[str(settings.state_dir)],
        budget=budget,
        looks=looks,
        pace=pace,
        ownership=ownership,
    )
    catalogue = Catalogue(
        rules=log_rules,
        ledger=checkpoints.ledger,
        record=checkpoints.record,
        descriptors=descriptors,
        looks=looks,
        budget=budget,
        totals=totals,
        surroundings=where,
        ownership=ownership,
        state_created=created,
        first_start=first_start,
    )
    artifacts = Artifacts(
        rules=artifact_rules,
        ledger=checkpoints.ledger,
        record=checkpoints.record,
        reader=ArtifactReader(wake.set),
        storing=Storing(Uploads(store or S3(role_arn=settings.role_arn), wake.set)),
        ownership=ownership,
        budget=budget,
        pace=pace,
        totals=totals,
    )
    removal = Removal(
        rules=log_rules,
        catalogue=catalogue,
        ledger=checkpoints.ledger,
        record=checkpoints.record,
        pruning=Pruning(
            rules=log_rules,
            discovery=discovery,
            budget=budget,
            is_dead=lambda task: task in ownership.tasks and not ownership.lives(task),
        ),
        budget=budget,
        totals=totals,
    )
    intake = Intake(
        discovery=discovery,
        watch=Watch(discovery.roots, wake.set),
        catalogue=catalogue,
        artifacts=artifacts,
        removal=removal,
        tailer=Tailer(descriptors, looks, totals),
        mounts=mounts,
        reach=Reach(mounts, budget, str(state_dir), wake.set),
        budget=budget,
        pace=pace,
        totals=totals,
        record=checkpoints.record,
        now=now,
    )
    senders = Senders(
        destination,
        settings.delivery.in_flight,
        vitals,
        wake.set,
        may_send=lambda: fence.is_open,
    )
    reconciler = Reconciler(
        senders=senders,
        history=checkpoints.ledger.history,
        totals=totals,
        # Nothing can be read back from the other classes.
        enabled=settings.delivery.reconcile and settings.create.class_ == "STANDARD",
        wait=settings.delivery.reconcile_wait,
        retention_days=settings.create.retention_days,
    )
    delivery = Delivery(
        senders=senders,
        reconciler=reconciler,
        ledger=checkpoints.ledger,
        record=checkpoints.record,
        refuse=checkpoints.reject,
        shipped=artifacts.shipped,
        release=intake.release,
        totals=totals,
        in_flight=settings.delivery.in_flight,
        linger=settings.delivery.linger,
        memory=settings.delivery.memory,
    )
    for intent in checkpoints.ledger.intents.values():
        if intent.artifact is not None:
            artifacts.hold(intent.artifact.path)
    delivery.take_over(checkpoints.ledger.intents.values(), now, int(wall * 1000))
    sharing = Sharing(
        membership=membership,
        ownership=ownership,
        fence=fence,
        checkpoints=checkpoints,
        intake=intake,
        delivery=delivery,
        spend=budget.spend,
    )
    return Shipper(
        member=member.id,
        intake=intake,
        delivery=delivery,
        checkpoints=checkpoints,
        sharing=sharing,
        board=board,
        vitals=vitals,
        totals=totals,
        budget=budget,
        wake=wake,
        memory=settings.delivery.memory,
        drain_deadline=settings.drain.deadline,
        drain_quiet=settings.drain.quiet,
    )


def _most_descriptors() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(16, min(MOST_DESCRIPTORS, soft - OTHER_DESCRIPTORS))

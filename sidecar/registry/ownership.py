"""Decides between members: what is ours, what is another's, and what we may claim.

The ledgers on the volume say who has what. A claim decides who is first where nobody has it yet.
So a claim that names a member which is gone is not free by that: whoever took that member over
has its streams in the ledger. Only where no ledger has it, it may be replaced, under one lock.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import structlog

from sidecar.model.globs import lies_within
from sidecar.model.ledger import Ledger
from sidecar.model.ownership import Wanted
from sidecar.registry.claims import Claim, Claims
from sidecar.registry.heartbeat import Fence
from sidecar.registry.membership import Membership
from sidecar.registry.others import Holdings, Others

log = structlog.get_logger(__name__)

FIRST_CHECK_SECONDS, LAST_CHECK_SECONDS = 1.0, 600.0
"""How soon, and at the longest, what was left to another member is compared with its ledger."""

LONGEST_RETRY_SECONDS = 5.0
"""Between attempts at what could not be claimed, at most."""

UNSURE_SECONDS = 10.0
"""For which a stream's other files wait where it is not known yet whose one of them is."""

FORGET_SECONDS = 600.0
"""After which it is forgotten that a stream's files waited, where nobody asked for one again."""

GIVE_UP_SECONDS = 10.0
"""Between removals of claims that nobody needs any more: each time costs an fsync first."""


_NOBODY = ""
"""The holder of what is not known to be anybody's: to be tried again."""


@dataclass(slots=True)
class _Attempt:
    """The claims that one file or artifact takes, and whose it turns out to be."""

    claims: list[Claim]
    is_covered: Callable[[Holdings], bool]
    holder: str = _NOBODY
    made: list[Claim] = field(default_factory=list)

    def is_stale(self, of: Holdings | None) -> bool:
        """Is the file claimed by a member that means an earlier file of this inode number?"""
        claim = self.claims[-1]
        if of is None or claim.kind != "file" or len(self.made) < len(self.claims) - 1:
            return False
        held = of.holds(claim.place, int(claim.name))
        return bool(held) and not any(_is_at(each.path, each.inode) for each in held)


@dataclass(slots=True)
class _Left:
    """What is left to one member, and when to see whether it really has it."""

    files: dict[str, Wanted] = field(default_factory=dict)
    due: float = 0.0
    wait: float = FIRST_CHECK_SECONDS


class _Tasks:
    """Every task whose id a sidecar of this state directory has or had."""

    def __init__(self, *known: Container[str]) -> None:
        self._known = known

    def __contains__(self, task: object) -> bool:
        return any(task in known for known in self._known)


class SharedOwnership:
    """The `Ownership` of a member among others. Owned by the pump."""

    def __init__(
        self,
        *,
        task: str,
        membership: Membership,
        others: Others,
        claims: Claims,
        fence: Fence,
        ledger: Ledger,
        make_durable: Callable[[float], bool],
    ) -> None:
        self.problem: str | None = None
        """Why the volume takes no claims; None while it does."""
        self.is_undurable = False
        """Something became ours that is not durable yet: nothing of it may be delivered."""
        self._own = membership.own.id
        self._task = task
        self._membership = membership
        self._others = others
        self._claims = claims
        self._fence = fence
        self._ledger = ledger
        self._make_durable = make_durable
        self._left: dict[str, _Left] = {}
        self._seen_changes = -1
        self._tasks: set[str] = set()
        self._inhabited: dict[str, bool] = {}
        self._inhabited_of = (-1, -1)
        self._unsure: dict[tuple[str, str], tuple[float, float]] = {}
        """By stream, since when it is not known whose one of its files is, and when another one
        was asked for last."""
        self._given_up: set[Claim] = set()
        self._gave_up_at = 0.0

    @property
    def tasks(self) -> Container[str]:
        return _Tasks((self._task,), self._ledger.tasks, self._tasks)

    def lives(self, task: str) -> bool:
        """Has the task a sidecar that is not known to be dead? In doubt it has."""
        others = self._membership.others.values()
        return task == self._task or any(each.task in (task, None) for each in others)

    def is_abandoned(self, path: str, root: str) -> bool:
        task = _first_directory(path, root)
        return (
            task is not None
            and task != self._task
            and task not in self._membership.tasks
            and task in self.tasks
        )

    def leaves(self, directory: str, root: str) -> bool:
        task = _first_directory(f"{directory}/", root)
        if task is None or task == self._task or task not in self._membership.tasks:
            return False
        return not self._has_sources_in(f"{root.rstrip('/')}/{task}/")

    def is_left(self, path: str, name: str, root: str, inode: int, now: float) -> bool:
        if self._membership.is_alone:
            return False
        if self.leaves(path.rpartition("/")[0], root):
            return True
        self._read_the_unread()
        self._others.keep(self._membership.others)
        for member, holdings in self._others.holdings.items():
            if (
                holdings.has_artifact(path)
                or (name != path and name in holdings.paths)
                or any(held.path == path for held in holdings.holds(root, inode))
            ):
                self._leave_to(member, Wanted(path, name, root, inode, b"", "", ""), now)
                return True
        return False

    def grant(self, wanted: Sequence[Wanted], now: float) -> list[bool]:
        if not wanted:
            return []
        attempt = [_Attempt(self._claims_for(each), partial(_covers, each)) for each in wanted]
        if self._membership.look():
            # Whose task's sidecar has joined a moment ago sees to its own files.
            mine = [
                each
                for each, want in zip(attempt, wanted, strict=True)
                if not self.leaves(want.path.rpartition("/")[0], want.root)
            ]
            self._claim_all(mine)
        self._keep_together(wanted, attempt, now)
        for each, made in zip(wanted, attempt, strict=True):
            if made.holder != self._own:
                log.debug("stream_claimed_by_other", path=each.path, owner=made.holder)
                self._leave_to(made.holder, each._replace(head=b""), now)
        granted = [made.holder == self._own for made in attempt]
        self.is_undurable = self.is_undurable or any(granted)
        return granted

    def grant_artifacts(self, paths: Sequence[str], now: float) -> list[bool]:
        wanted = [path for path in paths if path not in self._ledger.artifacts]
        lost = self._lost_artifacts(wanted) if wanted else {}
        for path, holder in lost.items():
            log.debug("artifact_claimed_by_other", path=path, owner=holder)
            self._leave_to(holder, Wanted(path, path, "", 0, b"", "", ""), now)
        return [path not in lost for path in paths]

    def _lost_artifacts(self, paths: Sequence[str]) -> dict[str, str]:
        """Whose these are, of those that do not become ours."""
        attempts = {
            path: _Attempt([Claim("artifact", path)], partial(Holdings.has_artifact, path=path))
            for path in paths
        }
        if self._membership.look():
            if len(paths) > len(self._membership.others):
                # Their ledgers say whose most of them are, for less than asking for each claim.
                self.refresh()
            for attempt in attempts.values():
                attempt.holder = self._owner(attempt) or _NOBODY
            unknown = [each for each in attempts.values() if each.holder == _NOBODY]
            self._claim_all(unknown, unclaimed_is_free=True)
        return {path: of.holder for path, of in attempts.items() if of.holder != self._own}

    def give_up(self, root: str, inode: int, group: str, stream: str) -> None:
        self._given_up |= {Claim("file", root, str(inode)), Claim("stream", group, stream)}

    def give_up_artifact(self, path: str) -> None:
        self._given_up.add(Claim("artifact", path))

    def step(self, now: float) -> list[str]:
        """The paths to look at again, since they may have no owner any more."""
        if now - self._gave_up_at >= GIVE_UP_SECONDS:
            self._gave_up_at = now
            self.remove_claims(now)
            self._unsure = {
                stream: times
                for stream, times in self._unsure.items()
                if now - times[1] < FORGET_SECONDS
            }
        if self._seen_changes != self._membership.changes:
            self._seen_changes = self._membership.changes
            self._tasks |= self._membership.tasks
        again: list[str] = []
        for member, left in list(self._left.items()):
            if member == _NOBODY:
                if left.due <= now:
                    again += left.files
                    left.files.clear()
                    left.wait = min(left.wait * 2.0, LONGEST_RETRY_SECONDS)
                    left.due = now + left.wait
            elif member not in self._membership.others:
                again += self._left.pop(member).files
            elif left.due <= now:
                again += self._check(member, left, now)
        return again

    def remove_claims(self, now: float) -> None:
        """Remove the claims of what is done with, after that itself is durable."""
        if not self._given_up or not self._fence.is_open or not self._make_durable(now):
            return
        ledger = self._ledger
        files = {(each.claim.root, str(each.claim.inode)) for each in ledger.sources.values()}
        try:
            for kind, place, name in self._given_up:
                needed = {
                    "stream": ledger.feeds(place, name),
                    "file": (place, name) in files,
                    "artifact": place in ledger.artifacts,
                }
                claim = Claim(kind, place, name)
                # Nobody's by our ledger any more, so it may have been replaced meanwhile.
                if not needed[kind] and self._claims.holder(claim) not in self._membership.others:
                    self._claims.remove(claim)
        except OSError as error:
            self._refused(error)
            return
        self._given_up.clear()

    def sources_of(self, member: str) -> int:
        """How many sources another member has, as of the last reading of its ledger."""
        holdings = self._others.holdings.get(member)
        return len(holdings.sources) if holdings is not None else 0

    def refresh(self) -> bool:
        """Read on in every other member's ledger; False when one of them could not be read."""
        self._others.keep(self._membership.others)
        whole = True
        for other in list(self._membership.others.values()):
            whole = self._others.refresh(other.id, other.folder) and whole
        for holdings in self._others.holdings.values():
            self._tasks |= holdings.tasks
        return whole

    def _claims_for(self, wanted: Wanted) -> list[Claim]:
        """The stream first: that is where others who want the same file meet us."""
        of_file = Claim("file", wanted.root, str(wanted.inode))
        if self._ledger.feeds(wanted.group, wanted.stream):
            return [of_file]
        return [Claim("stream", wanted.group, wanted.stream), of_file]

    def _claim_all(self, attempts: Sequence[_Attempt], *, unclaimed_is_free: bool = False) -> None:
        """Find out whose each is; where nobody has it, make it ours. The listing is fresh.

        `unclaimed_is_free`: what has no claim is in no ledger, as artifacts are known by one name.
        """
        if not self._fence.is_open:
            return
        try:
            for each in attempts:
                self._claim_one(each)
            self.problem = None
        except OSError as error:
            self._refused(error)
            # Alone, shipping goes on; with others about, nobody knows who else wants it.
            for each in attempts:
                if each.holder == _NOBODY and self._membership.is_alone:
                    each.holder = self._own
        free = unclaimed_is_free or self._membership.is_alone
        if free and all(each.holder == self._own for each in attempts):
            return
        whole = self.refresh()
        for each in attempts:
            self._settle(each, whole=whole)

    def _claim_one(self, attempt: _Attempt) -> None:
        for claim in attempt.claims:
            attempt.holder = self._claims.make(claim)
            if attempt.holder != self._own:
                return
            attempt.made.append(claim)

    def _keep_together(
        self, wanted: Sequence[Wanted], attempts: Sequence[_Attempt], now: float
    ) -> None:
        """Where it is not known yet whose one file of a stream is, the others of it wait as well:
        it may be the oldest, and is to be read first. For a while: it may never be known."""
        waiting = self._left.get(_NOBODY, _Left()).files.values()
        unsure = {(each.group, each.stream) for each in waiting}
        streams = [(each.group, each.stream) for each in wanted]
        unsure.update(
            stream for stream, made in zip(streams, attempts, strict=True) if made.holder == _NOBODY
        )
        for stream, made in zip(streams, attempts, strict=True):
            if stream not in unsure:
                self._unsure.pop(stream, None)
            elif made.holder == self._own:
                since, _ = self._unsure.get(stream, (now, now))
                self._unsure[stream] = since, now
                if now - since < UNSURE_SECONDS:
                    made.holder = _NOBODY
                    self._given_up.update(made.made)

    def _settle(self, attempt: _Attempt, *, whole: bool) -> None:
        """Compare what the claims say with the ledgers, which were all read if `whole`."""
        owner = self._owner(attempt)
        if owner is not None:
            # It was moved from that member's stream, or that member took its claimer over.
            attempt.holder = owner
        elif attempt.holder in self._membership.others:
            if attempt.is_stale(self._others.holdings.get(attempt.holder)):
                attempt.holder = self._replace(attempt)
        elif not whole:
            attempt.holder = _NOBODY
        elif attempt.holder not in (self._own, _NOBODY):
            attempt.holder = self._replace(attempt)
        if attempt.holder != self._own:
            self._given_up.update(attempt.made)

    def _owner(self, attempt: _Attempt) -> str | None:
        holdings = self._others.holdings
        return next((name for name, of in holdings.items() if attempt.is_covered(of)), None)

    def _replace(self, attempt: _Attempt) -> str:
        """Take a claim over whose member is gone, and which is in no ledger; gives whose it is."""
        before = attempt.holder
        try:
            with self._claims.replacing() as alone:
                if not (alone and self._membership.look() and self.refresh()):
                    return _NOBODY
                owner = self._owner(attempt)
                if owner is not None:
                    return owner
                if before in self._membership.others and not attempt.is_stale(
                    self._others.holdings.get(before)
                ):
                    return before
                for claim in attempt.claims:
                    holder = self._claims.make(claim)
                    if holder == self._own:
                        continue
                    if holder != before and holder in self._membership.others:
                        return holder
                    if not self._claims.replace(claim, holder):
                        return _NOBODY
        except OSError as error:
            self._refused(error)
            return _NOBODY
        log.info("claim_replaced", of=before)
        return self._own

    def _leave_to(self, member: str, wanted: Wanted, now: float) -> None:
        left = self._left.get(member)
        if left is None:
            left = self._left[member] = _Left(due=now + FIRST_CHECK_SECONDS)
        elif wanted.path not in left.files and member != _NOBODY:
            left.wait = FIRST_CHECK_SECONDS
            left.due = min(left.due, now + left.wait)
        left.files[wanted.path] = wanted

    def _check(self, member: str, left: _Left, now: float) -> list[str]:
        """What a member that lives turns out not to have is looked at again."""
        other = self._membership.others.get(member)
        again = list(left.files)
        left.wait = min(left.wait * 2.0, LAST_CHECK_SECONDS)
        if other is not None and self._others.refresh(other.id, other.folder):
            of = self._others.holdings[member]
            again = [path for path, each in left.files.items() if not _may_cover(each, of)]
            if not left.files.keys().isdisjoint(of.manifests.values()):
                # It may be nobody's as soon as their outcome is known.
                left.wait = FIRST_CHECK_SECONDS
        for path in again:
            del left.files[path]
        left.due = now + left.wait
        if not left.files and not again:
            del self._left[member]
        return again

    def _read_the_unread(self) -> None:
        for other in list(self._membership.others.values()):
            if other.id not in self._others.holdings:
                self._others.refresh(other.id, other.folder)

    def _has_sources_in(self, directory: str) -> bool:
        state = (self._membership.changes, self._ledger.next_source)
        if state != self._inhabited_of:
            self._inhabited.clear()
            self._inhabited_of = state
        known = self._inhabited.get(directory)
        if known is None:
            paths = (record.path for record in self._ledger.sources.values())
            known = any(path.startswith(directory) for path in paths)
            self._inhabited[directory] = known
        return known

    def _refused(self, error: OSError) -> None:
        problem = f"cannot claim streams in the state directory: {error.strerror or error}"
        if self.problem is None:
            log.error("claims_not_written", problem=problem)
        self.problem = problem


def _covers(wanted: Wanted, of: Holdings) -> bool:
    """Has this member the file, or the stream it feeds?"""
    if any(each.may_be(wanted.head) for each in of.holds(wanted.root, wanted.inode)):
        return True
    return wanted.name in of.paths or (wanted.group, wanted.stream) in of.streams


def _may_cover(wanted: Wanted, of: Holdings) -> bool:
    """The same, or the artifact, where the file's content is not at hand."""
    if of.holds(wanted.root, wanted.inode) or of.has_artifact(wanted.path):
        return True
    return wanted.name in of.paths or (wanted.group, wanted.stream) in of.streams


def _is_at(path: str, inode: int) -> bool:
    try:
        return Path(path).stat().st_ino == inode
    except OSError:
        return False


def _first_directory(path: str, root: str) -> str | None:
    """The first component of a path below a root, where that is a directory."""
    if not lies_within(path, root):
        return None
    first, slash, _ = path[len(root) :].lstrip("/").partition("/")
    return first if slash and first else None

"""Profiles in the background: a few threads a process take turns from the queue.

A turn ends in an outcome, or goes back to the queue when the process stops. The turns of a process
that died are adopted by whoever finds it dead.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from app.dataset import Outcome, Status
from app.datasets import Datasets
from app.errors import DatasetGoneError, ProfileError, ProfileStoppedError, is_full
from app.log_lines import now
from app.presence import Presence, dead
from app.profile_job import Limits, ProfileJob
from app.profile_queue import ProfileQueue, Turn
from app.settings import Settings

# How often dead processes are looked for, in rounds of `queue_poll`.
ADOPT_ROUNDS = 4
RETRY_SECONDS = 5.0
STOPPED = "stopped"
DELETED = "deleted"

T = TypeVar("T")

log = structlog.get_logger()


class Profiling:
    """Started and stopped on the event loop; everything that blocks runs in its threads."""

    def __init__(
        self,
        datasets: Datasets,
        queue: ProfileQueue,
        presence: Presence,
        workers: Path,
        settings: Settings,
    ) -> None:
        self._datasets = datasets
        self._queue = queue
        self._presence = presence
        self._workers = workers
        self._count = settings.profilers
        self._poll = settings.queue_poll
        self._limits = Limits(
            memory=settings.profile_memory, seconds=settings.profile_timeout, spill=presence.spill
        )
        self._pool = ThreadPoolExecutor(settings.profilers + 1, thread_name_prefix="profile")
        self._wake = asyncio.Event()
        self._stopping = False
        self._running: dict[str, ProfileJob] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ended = {Status.READY: 0, Status.FAILED: 0}

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._adopt_for_ever())]
        self._tasks += [asyncio.create_task(self._profile_for_ever()) for _ in range(self._count)]

    def wake(self) -> None:
        """There may be a turn to take."""
        self._wake.set()

    def drop(self, dataset: str) -> None:
        """The dataset was deleted: stop its profile if it is ours."""
        job = self._running.get(dataset)
        if job is not None:
            job.stop(DELETED)

    def counts(self) -> dict[str, int]:
        return {
            "running": len(self._running),
            "ready": self._ended[Status.READY],
            "failed": self._ended[Status.FAILED],
        }

    async def stop(self) -> None:
        """Interrupt what runs; its turns are offered to others."""
        self._stopping = True
        self._wake.set()
        for job in list(self._running.values()):
            job.stop(STOPPED)
        self._tasks[0].cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._pool.shutdown(wait=False)

    async def _profile_for_ever(self) -> None:
        while not self._stopping:
            self._wake.clear()
            try:
                turn = await self._in_thread(self._queue.take)
                if turn is not None:
                    await self._profile(turn)
                    continue
            except Exception as error:
                log.error("profiling_failed", exc_info=error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if not self._stopping:
                await self._sleep(self._poll)

    async def _adopt_for_ever(self) -> None:
        while True:
            try:
                if await self._in_thread(self._adopt):
                    self._wake.set()
            except Exception as error:
                log.error("adoption_failed", exc_info=error)
            await asyncio.sleep(self._poll * ADOPT_ROUNDS)

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)

    async def _profile(self, turn: Turn) -> None:
        if self._stopping:
            await self._in_thread(lambda: self._queue.offer(turn))
            return
        job = ProfileJob(self._datasets, turn.dataset, self._limits)
        self._running[turn.dataset] = job
        try:
            await self._in_thread(lambda: self._run(turn, job))
        finally:
            del self._running[turn.dataset]

    def _run(self, turn: Turn, job: ProfileJob) -> None:
        started = time.monotonic()
        told = log.bind(dataset=turn.dataset)
        try:
            told = told.bind(request_id=self._datasets.record(turn.dataset).request_id)
            told.info("profile_started", deaths=turn.deaths)
            outcome = job.run()
        except DatasetGoneError:
            outcome = None
        except ProfileStoppedError as stopped:
            outcome = None
            if stopped.reason == STOPPED:
                self._datasets.artifacts.delete(turn.dataset)
                self._queue.offer(turn)
                told.info("profile_put_back")
                return
        except ProfileError as failed:
            outcome = self._failure(failed.reason, started)
        except OSError as error:
            told.error("profile_not_stored", exc_info=error)
            room = (
                "the volume is full" if is_full(error) else f"the volume failed: {error.strerror}"
            )
            outcome = self._failure(room, started)
        except Exception as error:  # noqa: BLE001 - a surprise is one dataset's end, not the process's
            told.error("profile_crashed", exc_info=error)
            outcome = self._failure("something went wrong here; the log says what", started)
        self._conclude(turn, outcome, told)

    def _conclude(
        self, turn: Turn, outcome: Outcome | None, told: structlog.typing.FilteringBoundLogger
    ) -> None:
        try:
            if outcome is None:
                raise DatasetGoneError(turn.dataset)
            if outcome.status is Status.FAILED:
                self._datasets.artifacts.delete(turn.dataset)
            self._datasets.conclude(turn.dataset, outcome)
            self._ended[outcome.status] += 1
            told.info(
                "profile_finished",
                status=outcome.status.value,
                reason=outcome.reason,
                rows=outcome.rows,
                columns=outcome.columns,
                duration_ms=round(outcome.seconds * 1000, 3),
            )
        except DatasetGoneError:
            self._datasets.artifacts.delete(turn.dataset)
            told.info("profile_dropped")
        self._queue.done(turn)

    @staticmethod
    def _failure(reason: str, started: float) -> Outcome:
        seconds = round(time.monotonic() - started, 3)
        return Outcome(status=Status.FAILED, finished=now(), seconds=seconds, reason=reason)

    def _adopt(self) -> int:
        """Take over from every process found dead; how many turns that brought."""
        count = 0
        for directory in dead(self._workers, self._presence.name):
            turns = self._queue.adopt(directory)
            log.warning("worker_adopted", worker=directory.name, turns=len(turns))
            for turn in turns:
                count += 1
                self._datasets.artifacts.sweep(turn.dataset)
                if self._datasets.find(turn.dataset) is None:
                    # It died before the upload was complete, or the dataset was deleted since.
                    self._datasets.artifacts.delete(turn.dataset)
                    self._queue.done(turn)
                elif self._datasets.finished(turn.dataset):
                    self._queue.done(turn)
                elif turn.hopeless:
                    reason = f"{turn.deaths} processes ended while they profiled it"
                    self._conclude(
                        turn,
                        self._failure(reason, time.monotonic()),
                        log.bind(dataset=turn.dataset),
                    )
                else:
                    self._queue.offer(turn)
        return count

"""What one process is made of: built once, from the settings, before it serves."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import structlog
from anyio import CapacityLimiter

from app.datasets import Datasets
from app.log_writer import LogWriter
from app.presence import Presence
from app.profile_queue import ProfileQueue
from app.profiling import Profiling
from app.readiness import VolumeProbe
from app.settings import Settings
from app.uploads import Uploads
from app.volume import Volume

log = structlog.get_logger()


@dataclass(frozen=True)
class Service:
    """What the routes reach through `request.app.state.service`."""

    settings: Settings
    datasets: Datasets
    uploads: Uploads
    profiling: Profiling
    probe: VolumeProbe
    writer: LogWriter
    # Threads kept apart for `/readyz`: the others may all hang on the volume.
    aside: CapacityLimiter


@contextlib.asynccontextmanager
async def running(settings: Settings, writer: LogWriter) -> AsyncIterator[Service]:
    """The service with its profilers at work; on leaving, what they had goes back to the queue."""
    volume = Volume(settings.volume)
    presence = await asyncio.to_thread(Presence, volume.workers, settings.task)
    queue = ProfileQueue(volume.queue, presence.running)
    datasets = Datasets(volume, presence, queue)
    profiling = Profiling(datasets, queue, presence, volume.workers, settings)
    service = Service(
        settings=settings,
        datasets=datasets,
        uploads=Uploads(datasets, limit=settings.max_upload, idle=settings.upload_idle),
        profiling=profiling,
        probe=VolumeProbe(presence.directory),
        writer=writer,
        aside=CapacityLimiter(4),
    )
    log.info("service_started", worker=presence.name, volume=str(settings.volume))
    profiling.start()
    try:
        yield service
    finally:
        await profiling.stop()
        await asyncio.to_thread(presence.leave)
        log.info("service_stopped", worker=presence.name)

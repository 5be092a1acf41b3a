"""The log of one process: its slot, its file, its writer, and structlog pointed at them."""

import contextlib
from collections.abc import Iterator

from app.log_files import LogFile, LogSlot, drop_beyond
from app.log_lines import configure, render
from app.log_overflow import Overflow
from app.log_writer import LogWriter
from app.settings import Settings
from app.volume import Volume


@contextlib.contextmanager
def logging_to_volume(settings: Settings) -> Iterator[LogWriter]:
    """All logging of this process goes to its own file; on leaving it is written and fsynced."""
    slot = LogSlot(Volume(settings.volume).logs / settings.task)
    drop_beyond(slot.path, settings.log_keep)
    file = LogFile(slot.path, max_bytes=settings.log_max_bytes, keep=settings.log_keep)
    writer = LogWriter(file, Overflow(), render)
    writer.start()
    configure(settings.log_level, writer.append)
    try:
        yield writer
    finally:
        writer.close()
        slot.close()

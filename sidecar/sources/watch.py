"""Hears of changes made through the same mount, through watchdog's inotify.

It only wakes: what it names is looked at sooner than its poll is due, and nothing is concluded from
an event or from its absence. Other hosts' writes never show here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

log = structlog.get_logger(__name__)

EVENTS: list[type[FileSystemEvent]] = [
    FileModifiedEvent,
    FileCreatedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]


class _Notes(FileSystemEventHandler):
    """Runs on watchdog's thread: one dictionary store an event, and a wake."""

    def __init__(self, wake: Callable[[], None]) -> None:
        # Plain dictionaries: setting and popping one item are atomic, a swap would race with a set.
        self.modified: dict[str, None] = {}
        self.directories: dict[str, None] = {}
        self.moved_in: dict[str, None] = {}
        self._wake = wake

    def dispatch(self, event: FileSystemEvent) -> None:
        path = os.fsdecode(event.src_path)
        if isinstance(event, FileModifiedEvent):
            if path in self.modified:
                return
            self.modified[path] = None
        else:
            self.directories[os.path.dirname(path)] = None
            if event.dest_path:
                moved_to = os.fsdecode(event.dest_path)
                self.directories[os.path.dirname(moved_to)] = None
                self.moved_in[moved_to] = None
            if event.is_directory:
                self.directories[path] = None
        self._wake()


class Watch:
    """Watches every root that exists; roots that appear later are added by `cover`."""

    def __init__(self, roots: Iterable[str], wake: Callable[[], None]) -> None:
        self._notes = _Notes(wake)
        self._uncovered = dict.fromkeys(roots)
        self._observer: BaseObserver | None = None
        self.problem: str | None = None

    @property
    def covers_all(self) -> bool:
        return not self._uncovered

    def cover(self, roots: Iterable[str] = ()) -> None:
        """Watch the roots that exist by now, and `roots` beside them."""
        self._uncovered.update(dict.fromkeys(roots))
        for root in [root for root in self._uncovered if Path(root).is_dir()]:
            try:
                if self._observer is None:
                    observer = Observer()
                    observer.start()
                    self._observer = observer
                self._observer.schedule(self._notes, root, recursive=True, event_filter=EVENTS)
            except OSError as error:
                # No inotify watches or instances left: polling alone is slower, not wrong.
                if self.problem is None:
                    log.warning(
                        "watch_unavailable",
                        root=root,
                        error=str(error),
                        remedy="raise fs.inotify.max_user_watches or _instances; polling goes on",
                    )
                self.problem = str(error)
            del self._uncovered[root]

    def lost(self, root: str) -> None:
        """The root went away (unmounted, deleted): watch it anew when it is back."""
        self._uncovered[root] = None

    def modified(self) -> list[str]:
        return _drain(self._notes.modified)

    def directories(self) -> list[str]:
        return _drain(self._notes.directories)

    def moved_in(self) -> list[str]:
        return _drain(self._notes.moved_in)

    def close(self) -> None:
        if self._observer is not None:
            self._observer.stop()
            self._observer.join(timeout=2.0)


def _drain(notes: dict[str, None]) -> list[str]:
    """Empty the notes, in the order they came, while another thread may add to them."""
    paths = []
    for _ in range(len(notes)):
        try:
            path = next(iter(notes))
        except (StopIteration, RuntimeError):
            break
        notes.pop(path, None)
        paths.append(path)
    return paths

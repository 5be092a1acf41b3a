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
from watchdog.observers.api import (
    DEFAULT_EMITTER_TIMEOUT,
    BaseObserver,
    EventQueue,
    ObservedWatch,
)
from watchdog.observers.inotify import InotifyEmitter
from watchdog.observers.inotify_c import InotifyFD

log = structlog.get_logger(__name__)

GATHER_SECONDS = 0.02
"""Between two readings of what the kernel tells: the first event after a pause is taken at once."""

READ_BYTES = 256 * 1024
"""At once; an event is 16 bytes and a name."""

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


class _Inotify(InotifyFD):
    """Reads what the kernel tells, at most every `GATHER_SECONDS`, and once of each file.

    A file written to 20,000 times a second is told of as often, if each event is taken at once;
    left in the kernel's queue equal ones become one, and the rest is sifted here, before each
    event passes through two queues and two threads.
    """

    def run(self) -> None:
        while self.should_keep_running():
            for event in dict.fromkeys(self.read_events(event_buffer_size=READ_BYTES)):
                self.handle_event(event)
            self.stopped_event.wait(GATHER_SECONDS)


class _Emitter(InotifyEmitter):
    """An emitter of our own reader's events; its owner sets `inotify` before the first root."""

    inotify: _Inotify

    def __init__(
        self,
        event_queue: EventQueue,
        watch: ObservedWatch,
        *,
        timeout: float = DEFAULT_EMITTER_TIMEOUT,
        event_filter: list[type[FileSystemEvent]] | None = None,
    ) -> None:
        super().__init__(
            event_queue,
            watch,
            timeout=timeout,
            event_filter=event_filter,
            inotify_fd=self.inotify,
        )


class _Arrivals(FileSystemEventHandler):
    """Hears that something was made or renamed in a directory above a root that is missing."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.came = False
        self._wake = wake

    def dispatch(self, event: FileSystemEvent) -> None:
        self.came = True
        self._wake()


class Watch:
    """Watches every root that exists, and the nearest directory above one that does not."""

    def __init__(self, roots: Iterable[str], wake: Callable[[], None]) -> None:
        self._notes = _Notes(wake)
        self._arrivals = _Arrivals(wake)
        self._uncovered = dict.fromkeys(roots)
        self._observed: dict[str, ObservedWatch] = {}
        self._above: dict[str, ObservedWatch] = {}
        self._observer: BaseObserver | None = None
        self._inotify: _Inotify | None = None
        self.problem: str | None = None

    @property
    def covers_all(self) -> bool:
        return not self._uncovered

    @property
    def stirred(self) -> bool:
        """Has something come, above a root that is missing, since `cover` was called last?"""
        return self._arrivals.came

    def cover(self, roots: Iterable[str] = ()) -> list[str]:
        """Watch the roots that exist by now, and `roots` beside them; gives those it watches anew.

        A directory that comes after a root was looked for is heard of: what is above the root is
        watched before one looks.
        """
        self._arrivals.came = False
        self._uncovered.update(dict.fromkeys(roots))
        above = {self._nearest(root) for root in self._uncovered}
        for directory in above - set(self._above):
            observed = self._schedule(self._arrivals, directory, [DirCreatedEvent, DirMovedEvent])
            if observed is not None:
                self._above[directory] = observed
        covered = [root for root in self._uncovered if Path(root).is_dir()]
        for root in covered:
            observed = self._schedule(self._notes, root, EVENTS, recursive=True)
            if observed is not None:
                self._observed[root] = observed
            del self._uncovered[root]
        above = {self._nearest(root) for root in self._uncovered}
        for directory in [each for each in self._above if each not in above]:
            self._stop(self._above.pop(directory))
        return covered

    def lost(self, root: str) -> None:
        """The root went away (unmounted, deleted): watch it anew when it is back."""
        observed = self._observed.pop(root, None)
        if observed is not None:
            self._stop(observed)
            self._uncovered[root] = None
            self._arrivals.came = True  # nothing above it is watched yet: look once more at once

    def _nearest(self, root: str) -> str:
        directory = os.path.dirname(root)
        while not Path(directory).is_dir() and directory != "/":
            directory = os.path.dirname(directory)
        return directory

    def _schedule(
        self,
        handler: FileSystemEventHandler,
        directory: str,
        events: list[type[FileSystemEvent]],
        *,
        recursive: bool = False,
    ) -> ObservedWatch | None:
        try:
            if self._observer is None:
                self._observer = self._started()
            return self._observer.schedule(
                handler, directory, recursive=recursive, event_filter=events
            )
        except OSError as error:
            # No inotify watches or instances left: polling alone is slower, not wrong.
            if self.problem is None:
                log.warning(
                    "watch_unavailable",
                    root=directory,
                    error=str(error),
                    remedy="raise fs.inotify.max_user_watches or _instances; polling goes on",
                )
            self.problem = str(error)
            return None

    def _started(self) -> BaseObserver:
        inotify = _Inotify()
        inotify.daemon = True
        inotify.start()
        self._inotify = inotify
        observer = BaseObserver(type("_Emitter", (_Emitter,), {"inotify": inotify}))
        observer.start()
        return observer

    def _stop(self, observed: ObservedWatch) -> None:
        if self._observer is not None:
            self._observer.unschedule(observed)

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
        if self._inotify is not None:
            self._inotify.stop()
            self._inotify.join(timeout=2.0)


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

"""Log files under a writer, a rotation and a compression, with a model of what they hold."""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(eq=False)
class Content:
    """What was written between a file's making, or its truncation, and the next one."""

    number: int
    lines: list[str] = field(default_factory=list)
    partial: str = ""
    """The beginning of a line whose line feed was not written yet."""

    @property
    def messages(self) -> list[str]:
        return [*self.lines, self.partial] if self.partial else list(self.lines)


class LogFiles:
    """Real files below `folder`, and for each path the contents that it holds.

    `losable` are messages that a deletion, or a truncation without a copy, took from the volume.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: dict[Path, Content] = {}
        self.contents: list[Content] = []
        self.losable: set[str] = set()
        self._written = 0
        self._stamps = 0
        self._writers: dict[Path, int] = {}

    def close(self) -> None:
        for descriptor in self._writers.values():
            os.close(descriptor)
        self._writers.clear()

    def append(self, path: Path, count: int, width: int, *, ended: bool = True) -> None:
        """Write lines; without `ended` the last one has no line feed yet."""
        content = self._content(path)
        text = ""
        for each in range(count):
            self._written += 1
            line = self.line(content.number, self._written, width)
            if content.partial:
                line = f" and {self._written:05d}"
            text += line
            content.partial += line
            if ended or each < count - 1:
                text += "\n"
                content.lines.append(content.partial)
                content.partial = ""
        self._write(path, text)

    def line(self, content: int, number: int, width: int) -> str:
        """The text of a line that begins a new one; no two are alike."""
        return f"{content}.{number:05d} " + "x" * width

    def end_line(self, path: Path) -> None:
        """Write the line feed that a partial line waits for."""
        content = self.held[path]
        if content.partial:
            content.lines.append(content.partial)
            content.partial = ""
            self._write(path, "\n")

    def hold_open(self, path: Path) -> None:
        """The writer keeps its file open from now on, and writes at its own offset."""
        if path not in self._writers:
            self._content(path)
            self._writers[path] = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            os.lseek(self._writers[path], 0, os.SEEK_END)

    def rename(self, path: Path, to: Path) -> None:
        self._reopen(path)
        path.rename(to)
        self.held[to] = self.held.pop(path)

    def delete(self, path: Path) -> None:
        self._reopen(path)
        path.unlink()
        content = self.held.pop(path)
        if content not in self.held.values():
            self.losable.update(content.messages)

    def shift(self, path: Path, keep: int) -> None:
        """Make room for NAME.1: each generation moves on by one, the last ones are deleted."""
        for number, suffix, each in sorted(self.generations(path), reverse=True):
            if number >= keep:
                self.delete(each)
            else:
                self.rename(each, path.with_name(f"{path.name}.{number + 1}{suffix}"))

    def generations(self, path: Path) -> list[tuple[int, str, Path]]:
        """The numbered siblings, with their number and `.gz` or nothing."""
        found = []
        for each in self.held:
            rest = each.name.removeprefix(path.name + ".")
            number, _, suffix = rest.partition(".")
            if each.parent == path.parent and each.name != rest and number.isdigit():
                found.append((int(number), f".{suffix}" if suffix else "", each))
        return found

    def stamped(self, path: Path) -> Path:
        """The next time-stamped name."""
        self._stamps += 1
        return path.with_name(f"{path.name}-20261127-{self._stamps:010d}")

    def copy_and_truncate(self, path: Path, to: Path, *, between: int = 0) -> None:
        """logrotate's copytruncate; `between` lines are written between its two steps."""
        content = self.held[path]
        shutil.copy2(path, to)
        copied = Content(content.number, list(content.lines), content.partial)
        self.held[to] = copied
        self.contents.append(copied)
        self.contents.remove(content)
        if between:
            self.append(path, between, 20)
            for message in content.messages[len(copied.lines) :]:
                self.losable.add(message)
            if copied.partial and content.lines[len(copied.lines) :]:
                # The line it began was ended where the truncation took it.
                self.losable.add(copied.partial)
        os.truncate(path, 0)
        self.held[path] = self._new()

    def compress(self, path: Path, *, keeps_time: bool = True) -> None:
        """gzip: NAME becomes NAME.gz."""
        to = self.begin_compressing(path)
        self.finish_compressing(path, to, keeps_time=keeps_time)

    def begin_compressing(self, path: Path) -> Path:
        """As far as gzip has written before its end: a part of the archive."""
        to = path.with_name(path.name + ".gz")
        archive = gzip.compress(path.read_bytes())
        to.write_bytes(archive[: len(archive) // 2])
        return to

    def finish_compressing(self, path: Path, to: Path, *, keeps_time: bool = True) -> None:
        seen = path.stat()
        to.write_bytes(gzip.compress(path.read_bytes()))
        if keeps_time:
            os.utime(to, ns=(seen.st_atime_ns, seen.st_mtime_ns))
        path.unlink()
        self.held[to] = self.held.pop(path)

    def _content(self, path: Path) -> Content:
        if path not in self.held:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            self.held[path] = self._new()
        return self.held[path]

    def _new(self) -> Content:
        content = Content(len(self.contents) + 1)
        self.contents.append(content)
        return content

    def _write(self, path: Path, text: str) -> None:
        if path in self._writers:
            os.write(self._writers[path], text.encode())
            return
        with path.open("a") as file:
            file.write(text)

    def _reopen(self, path: Path) -> None:
        descriptor = self._writers.pop(path, None)
        if descriptor is not None:
            os.close(descriptor)

"""An artifact as it was seen last, and what is told of it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from sidecar.model.batch import ArtifactVersion, StreamKey
from sidecar.model.manifest import deletion, manifest
from sidecar.model.stored_object import StoredObject
from sidecar.model.stream_names import clean
from sidecar.sources.artifact_reader import Version
from sidecar.sources.matching import Found, Rule


@dataclass(frozen=True, slots=True)
class ArtifactRule:
    """An `artifacts` entry, compiled: seconds and bytes."""

    match: Rule
    log_group: str
    settle: float
    inline_limit: int
    bucket: str | None = None
    """Where content over the limit goes."""


@dataclass(frozen=True, slots=True)
class Notice:
    """A manifest, or the word of a deletion, for the stream of its artifact."""

    key: StreamKey
    message: str
    version: ArtifactVersion


@dataclass(slots=True)
class Artifact:
    """A name that is watched, whatever file has it."""

    found: Found
    rule: ArtifactRule
    seen: tuple[int, int, int] = (-1, -1, -1)
    """Size, modification time and inode as of the last look."""
    unchanged_since: float = 0.0
    renamed_into_place: bool = False
    busy: bool = False
    is_ours: bool = False
    """Claimed: no other member ships it."""
    gone_since: float | None = None
    reading: Version | None = None
    """What was read and is being kept in the bucket."""
    problem: str = ""
    """Why it cannot be read: nothing waits for it then, it is looked at now and then."""

    @property
    def path(self) -> str:
        return self.found.path

    @property
    def name(self) -> str:
        return os.path.relpath(self.found.path, self.found.root)

    def version(self, read: Version) -> ArtifactVersion:
        return ArtifactVersion(self.path, read.sha256, read.size, read.modified_ns, read.inode)

    def manifest(self, read: Version, stored: StoredObject | None) -> Notice:
        """What is told of a version that was read whole."""
        message = manifest(
            self.name,
            sha256=read.sha256,
            size=read.size,
            modified_ns=read.modified_ns,
            content=read.content,
            stored=stored,
        )
        return self._notice(message, self.version(read))

    def deletion(self, now_ms: int) -> Notice:
        return self._notice(deletion(self.name, now_ms), ArtifactVersion(self.path, "", 0, 0, 0))

    def _notice(self, message: str, version: ArtifactVersion) -> Notice:
        return Notice(StreamKey(self.rule.log_group, clean(self.name)), message, version)

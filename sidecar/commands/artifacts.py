"""`sidecar artifacts list` and `get`: what was shipped, and one of it back, checked."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sidecar import telemetry
from sidecar.commands.restoring import NotRestored, restore
from sidecar.commands.table import amount, table
from sidecar.delivery.client import Client
from sidecar.delivery.s3 import S3
from sidecar.delivery.stored import NotReadable, Stored
from sidecar.errors import ConfigurationError, on_one_line
from sidecar.model.manifest import Manifest, parsed
from sidecar.model.stream_names import LONGEST_STREAM, clean
from sidecar.settings import Settings, load

SHORT = 12
"""Digits of a version in the table; `get --version` takes as many as tell it from the others."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A version of an artifact, and when its file was deleted, if it was since."""

    group: str
    manifest: Manifest
    deleted: str | None

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        found = self.manifest
        return {
            "artifact": found.name,
            "version": found.version,
            "bytes": found.size,
            "content_type": found.content_type,
            "modified": found.modified,
            "where": found.where,
            "s3": None if found.stored is None else found.stored._asdict(),
            "deleted": self.deleted,
            "log_group": self.group,
        }


def list_artifacts(
    config: Path | None, environ: Mapping[str, str], *, versions: bool, as_json: bool
) -> int:
    """0 and the artifacts on stdout; 1 and a line on stderr when they cannot be read."""
    settings = _settings(config, environ)
    try:
        stored = Stored(Client(role_arn=settings.role_arn))
        found = [
            shipped
            for group in _groups(settings)
            for stream in stored.streams(group)
            for shipped in _of_stream(stored, group, stream, every=versions)
        ]
    except NotReadable as error:
        return _fail(str(error))
    if as_json:
        sys.stdout.write(json.dumps([each.document() for each in found], indent=2) + "\n")
        return 0
    sys.stdout.write(table(("ARTIFACT", *_HEADINGS), [_row(each) for each in found]))
    return 0


def get_artifact(
    name: str,
    config: Path | None,
    environ: Mapping[str, str],
    *,
    version: str | None,
    output: Path | None,
    as_json: bool,
) -> int:
    """0 when the file holds the version; 1 and a line on stderr when it could not be restored."""
    settings = _settings(config, environ)
    to = output or Path(name).name
    try:
        manifest = _newest(settings, name, version or "")
        written = restore(manifest, Path(to), S3(role_arn=settings.role_arn), replace=bool(output))
    except (NotReadable, NotRestored) as error:
        return _fail(str(error))
    if as_json:
        document = {"artifact": name, "version": manifest.version, "bytes": manifest.size}
        sys.stdout.write(json.dumps({**document, "output": str(written)}, indent=2) + "\n")
    else:
        sys.stdout.write(
            on_one_line(f"{written}: {manifest.size} bytes, sha256 {manifest.version}") + "\n"
        )
    return 0


def _settings(config: Path | None, environ: Mapping[str, str]) -> Settings:
    settings = load(config, environ)
    telemetry.configure(settings.log_level)
    return settings


def _groups(settings: Settings) -> list[str]:
    """Every artifacts group, each once."""
    groups = list(dict.fromkeys(entry.log_group for entry in settings.artifacts))
    if not groups:
        raise ConfigurationError(
            "artifacts", "no artifacts are configured", "name files there, or set SIDECAR_ARTIFACTS"
        )
    return groups


def _of_stream(stored: Stored, group: str, stream: str, *, every: bool) -> Iterator[Shipped]:
    """The newest version of each artifact of a stream, or every one, the newest first.

    Two names that are cleaned to one share a stream.
    """
    deleted: dict[str, str | None] = {}
    seen: set[str] = set()
    for event in stored.newest_first(group, stream):
        manifest = parsed(event.message)
        if manifest is None:
            continue
        if manifest.version is None:
            deleted.setdefault(manifest.name, manifest.deleted)
        elif every or manifest.name not in seen:
            seen.add(manifest.name)
            yield Shipped(group, manifest, deleted.get(manifest.name))
            if not every and _has_one_name(stream):
                return


def _has_one_name(stream: str) -> bool:
    """Is there no other name that is cleaned to this one? Then all of it need not be read."""
    return "_" not in stream and len(stream) < LONGEST_STREAM


def _newest(settings: Settings, name: str, version: str) -> Manifest:
    """The newest version of an artifact whose digest begins as asked. Raises NotRestored."""
    stored = Stored(Client(role_arn=settings.role_arn))
    groups = _groups(settings)
    for group in groups:
        for event in stored.newest_first(group, clean(name)):
            manifest = parsed(event.message)
            if manifest is None or manifest.name != name or manifest.version is None:
                continue
            if manifest.version.startswith(version.lower()):
                return manifest
    of = f" version {version}" if version else ""
    raise NotRestored(
        f"no artifact {name!r}{of} in {' or '.join(groups)}; "
        "`sidecar artifacts list --versions` shows what was shipped"
    )


_HEADINGS = ("VERSION", "SIZE", "MODIFIED", "CONTENT", "DELETED")


def _row(shipped: Shipped) -> tuple[str, ...]:
    found = shipped.manifest
    return (
        found.name,
        (found.version or "")[:SHORT],
        amount(found.size),
        found.modified,
        found.where,
        shipped.deleted or "",
    )


def _fail(message: str) -> int:
    sys.stderr.write(f"sidecar: {on_one_line(message)}\n")
    return 1

"""A file that holds other content by now than what was read: truncated, written anew or over.

That content is another source. What was not read of the one before is looked for in the copies and
archives beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from sidecar.sources.discovery import Found
from sidecar.sources.identity.admission import Admission
from sidecar.sources.identity.archives import Archives
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.identity.claiming import Claiming
from sidecar.sources.identity.copies import beside
from sidecar.sources.identity.examination import Examination
from sidecar.sources.identity.kin import Kin
from sidecar.sources.identity.lifecycle import Lifecycle
from sidecar.sources.identity.streams import feeds_of
from sidecar.sources.identity.whereabouts import Whereabouts, is_its_archive
from sidecar.sources.source import Source, note_several_writers
from sidecar.telemetry import Totals

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Truncation:
    """Ends the source whose content is not there any more, and claims what took its place."""

    admission: Admission
    examination: Examination
    archives: Archives
    whereabouts: Whereabouts
    claiming: Claiming
    lifecycle: Lifecycle
    kin: Kin
    totals: Totals

    def replaced(self, source: Source, now: float, now_ms: int) -> list[Source]:
        """The file's content is another's by now: it is read anew from 0.

        The unread rest of what it was comes from the copy beside it, or is given up. Gives the
        sources to read in its place, in their order.
        """
        self.totals.truncations += 1
        log.info(
            "source_truncated",
            path=source.path,
            read_to=source.position,
            unread_bytes=max(0, source.size - source.position),
        )
        was_leaving, inode, found = source.nameless, source.inode, _found(source)
        self.lifecycle.end(source)
        self.whereabouts.let_go(source)
        self.whereabouts.count_rotation(source)
        source.superseded = True
        source.rest_since = now
        successors = self._find_rest(source, now, now_ms)
        if was_leaving:
            # Whose content its name has now, if it has one, is for the next scan to tell.
            self.whereabouts.report_again.append(found.path)
            return successors
        candidate = self.examination.of(found)
        if candidate is not None and candidate.inode == inode:
            successors.append(self._succeed(source, candidate, 0, now, now_ms))
        return successors

    def overwritten(self, source: Source, agrees_to: int, now: float, now_ms: int) -> Source | None:
        """Another writer wrote over the last of what was read: what stands there now is read on
        from the last place that is as it was. Gives the source that does."""
        note_several_writers(source)
        # What was not read yet is read by the other; nothing is gone that can still be read.
        source.size = source.position
        self.lifecycle.end(source)
        source.superseded = True
        candidate = self.examination.of(_found(source))
        if candidate is None or candidate.inode != source.inode:
            return None
        successor = self._succeed(source, candidate, agrees_to, now, now_ms)
        successor.notes = source.notes
        return successor

    def _find_rest(self, source: Source, now: float, now_ms: int) -> list[Source]:
        """Admit what lies beside a file that was truncated: the rest may be among it."""
        try:
            siblings = beside(source, self.kin.bases(source.id))
        except OSError:
            return []
        unknown = []
        for found in siblings:
            known = self.whereabouts.of(found, found.inode, now)
            if known is not None and (not known.over or is_its_archive(known, found)):
                continue
            if found.compressed:
                self.archives.offer(found, now)
            else:
                unknown.append(found)
        return self.admission.admit(unknown, now, now_ms)

    def _succeed(
        self, source: Source, candidate: Candidate, start: int, now: float, now_ms: int
    ) -> Source:
        """What the file holds from `start` on feeds the same stream as a source of its own."""
        record = self.claiming.claim(candidate, feeds_of(source.record), start, now_ms)
        return self.lifecycle.add(record, candidate, source.rule, now)


def _found(source: Source) -> Found:
    """The file under the source's name, as a scan that found it there would give it."""
    return Found(source.path, source.rule.match, source.record.claim.root, source.entry_inode)

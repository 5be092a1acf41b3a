"""A source as its record left it: reads on from the checkpoint, and nothing twice.

Beyond the checkpoint may lie what is settled already, what a request of an earlier process had
whose outcome is not known, and what is owed.
"""

from __future__ import annotations

from collections import deque

from sidecar.model.assembler import Assembler
from sidecar.model.ledger import Ledger, SourceRecord
from sidecar.sources.identity.candidate import Candidate
from sidecar.sources.rules import LogRule
from sidecar.sources.source import Again, Source


def restored(
    record: SourceRecord,
    candidate: Candidate,
    rule: LogRule,
    ledger: Ledger,
    *,
    renamed_away: bool,
    abandoned: bool,
    now: float,
) -> Source:
    """The live side of the record, whose content the candidate holds."""
    tail = candidate.tail if candidate.record is record else b""
    source = Source(
        record=record,
        rule=rule,
        assembler=Assembler(
            rule.assembly,
            stream=record.feeds[1],
            resume=record.resume,
            head=candidate.head,
            before=tail,
        ),
        position=record.acknowledged,
        settled_ahead=deque(),
        head=candidate.head,
        tail=tail,
        entry_inode=candidate.found.inode,
        order=candidate.modified,
        grew_at=now,
        renamed_away=renamed_away,
        archive=candidate.archive,
        abandoned=abandoned,
    )
    _pass_over(source, ledger)
    source.seen_to = source.position
    source.size = max(source.position, candidate.size)
    return source


def _pass_over(source: Source, ledger: Ledger) -> None:
    """Note what is not to be read on the way, with the times it had."""
    record = source.record
    ahead = [(start, end, record.edges[end][1]) for start, end in record.beyond]
    for batch, intent in ledger.intents.items():
        resumes = {(at.source, at.offset): at.resume for at in intent.resumes}
        for span in intent.spans:
            if span.source == record.source and span.end > record.acknowledged:
                source.held.add(batch)
                start = max(span.start, record.acknowledged)
                ahead.append((start, span.end, resumes.get((span.source, span.end))))
    for missing, after in ledger.owed.of(record.source):
        source.again.append(Again(record, *missing[1:]))
        ahead.append((missing.start, missing.end, after))
    source.pass_over(ahead)

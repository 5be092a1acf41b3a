"""The ledger: the fold of a journal."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.fingerprint import Fingerprint, Marker
from sidecar.model.history import MOST_EVENTS, MOST_GAPS, MOST_STREAMS, History
from sidecar.model.journal import (
    BatchAbandoned,
    BatchStored,
    Entry,
    Settled,
    SourceClaimed,
    SourceFingerprinted,
    SourceForgotten,
    Span,
)
from sidecar.model.records import Resume
from tests.unit.entries import claimed, delivered, fold, histories, intent, span


@given(histories())
def test_a_snapshot_rebuilds_the_ledger(history: list[Entry]) -> None:
    """Folding the fewest entries gives what folding all of them gave."""
    ledger = fold(history)
    assert fold(list(ledger.entries())) == ledger


@given(histories())
def test_c03_the_checkpoint_never_passes_an_unsettled_byte(history: list[Entry]) -> None:
    """However settlements are ordered, the checkpoint ends the unbroken run of settled bytes.

    Would catch: `settle` moving `acknowledged` to `span.end` whenever it is larger.
    """
    settled: dict[int, set[int]] = {}
    starts = {e.source: e.start for e in history if isinstance(e, SourceClaimed)}
    for upto in range(len(history)):
        entry = history[upto]
        if isinstance(entry, SourceClaimed):
            settled[entry.source] = set()
        elif isinstance(entry, Settled):
            for one in entry.spans:
                if one.source in settled:
                    first = max(one.start, starts[one.source])
                    settled[one.source].update(range(first, one.end))
        elif isinstance(entry, SourceForgotten):
            settled.pop(entry.source, None)
    ledger = fold(history)
    assert set(ledger.sources) == set(settled)
    for number, record in ledger.sources.items():
        low_water = starts[number]
        while low_water in settled[number]:
            low_water += 1
        assert record.acknowledged == low_water
        assert sum(record.settled_bytes.values()) == len(settled[number])
        assert {b for r in record.beyond for b in range(*r)} == {
            b for b in settled[number] if b >= low_water
        }
        if low_water > starts[number]:
            assert record.marker == Marker(1, low_water)


@given(histories())
def test_the_checkpoint_never_goes_back(history: list[Entry]) -> None:
    """No entry makes a checkpoint smaller."""
    ledger = fold([])
    for entry in history:
        before = {number: record.acknowledged for number, record in ledger.sources.items()}
        ledger.apply(entry)
        for number, record in ledger.sources.items():
            assert record.acknowledged >= before.get(number, 0)


@given(histories(), st.data())
def test_lines_written_twice_change_nothing(history: list[Entry], data: st.DataObject) -> None:
    """After a failed write the last lines are written again; the ledger is the same.

    Only possible duplicates may be counted twice.
    """
    end = data.draw(st.integers(0, len(history)))
    start = data.draw(st.integers(0, end))
    once, twice = fold(history), fold(history[:end] + history[start:end] + history[end:])
    assert twice.possible_duplicates >= once.possible_duplicates
    assert replace(twice, possible_duplicates=0) == replace(once, possible_duplicates=0)


def test_acknowledgements_in_any_order_end_alike() -> None:
    """Four ranges settled in each of their 24 orders give one record, with the last marker."""
    resume = Resume(30, 2, 5)
    spans = [
        span(1, 0, 10),
        span(1, 10, 20, "rejected"),
        span(1, 20, 30, "filtered"),
        span(1, 30, 40)._replace(resume=resume),
    ]
    for order in itertools.permutations(spans):
        record = fold([claimed(1), *(Settled(None, (one,)) for one in order)]).sources[1]
        assert record.acknowledged == 40
        assert (record.marker, record.resume) == (Marker(1, 40), resume)
        assert record.settled_bytes == {"delivered": 20, "rejected": 10, "filtered": 10, "gone": 0}
        assert not record.beyond
        assert not record.edges


def test_a_resume_is_gone_once_the_checkpoint_moved_on() -> None:
    """Where an oversize line goes on concerns only the checkpoint inside that line."""
    inside = Settled(None, (Span(1, 0, 10, "delivered", resume=Resume(0, 2, -1)),))
    ledger = fold([claimed(1), inside])
    assert ledger.sources[1].resume == Resume(0, 2, -1)
    ledger.apply(delivered(1, 10, 20))
    assert ledger.sources[1].resume is None


def test_a_source_starts_at_its_start_offset() -> None:
    """Bytes before the start are not ours: neither backlog nor counted."""
    ledger = fold([claimed(1, start=100), delivered(1, 50, 150)])
    assert ledger.sources[1].acknowledged == 150
    assert ledger.settled_bytes()["delivered"] == 50


def test_an_intent_is_open_until_its_result() -> None:
    """Only intents without a result are unknown."""
    ledger = fold([claimed(1), intent(1, (1, 0, 10)), intent(2, (1, 10, 20))])
    assert set(ledger.intents) == {1, 2}
    ledger.apply(delivered(1, 10, 20, batch=2))
    assert set(ledger.intents) == {1}
    ledger.apply(Settled(1, ()))
    assert not ledger.intents
    assert ledger.sources[1].acknowledged == 0


def test_batches_may_be_sent_in_any_order_and_again() -> None:
    """A number is given out when a batch is cut; it may be sent later, and again when refused."""
    ledger = fold([claimed(1), intent(2, (1, 10, 20)), intent(1, (1, 0, 10)), Settled(1, ())])
    assert set(ledger.intents) == {2}
    ledger.apply(intent(1, (1, 0, 10)))
    assert set(ledger.intents) == {1, 2}
    assert ledger.next_batch == 3


def test_an_abandoned_batch_counts_as_possible_duplicates() -> None:
    """Its events may be stored twice, and that number survives a snapshot."""
    ledger = fold([claimed(1), intent(1, (1, 0, 10)), BatchAbandoned(1), BatchAbandoned(1)])
    assert ledger.possible_duplicates == 3
    assert fold(list(ledger.entries())).possible_duplicates == 3


def test_arrival_times_are_remembered_by_stream() -> None:
    """The newest arrival time survives a snapshot, so that the next one is later."""
    ledger = fold([claimed(1), intent(1, (1, 0, 10), arrival=True), intent(2, (1, 10, 20))])
    assert fold(list(ledger.entries())).arrivals == {("/g", "s"): 201}


def test_numbers_are_never_used_again() -> None:
    """The number of a forgotten source stays taken, in snapshots too."""
    ledger = fold([claimed(1), claimed(2), intent(7, (2, 0, 1)), SourceForgotten(2)])
    again = fold(list(ledger.entries()))
    assert (again.next_source, again.next_batch) == (3, 8)
    assert not ledger.apply(claimed(2))
    assert set(ledger.sources) == {1}


def test_a_forgotten_source_leaves_nothing_behind() -> None:
    """With its last source a stream's arrival time and the source's intents go."""
    ledger = fold([claimed(1), intent(1, (1, 0, 10), arrival=True), SourceForgotten(1)])
    assert not ledger.sources
    assert not ledger.intents
    assert not ledger.arrivals


def test_c06_the_ledger_of_100_000_past_files_stays_small() -> None:
    """Once forgotten, past files cost no entry in the snapshot.

    Would catch: `_forgotten` keeping the stream's arrival time.
    """
    ledger = fold([])
    for number in range(1, 100_001):
        ledger.apply(claimed(number, stream=f"s{number}"))
        ledger.apply(delivered(number, 0, 10))
        ledger.apply(SourceForgotten(number))
    assert len(list(ledger.entries())) == 1


def test_what_speaks_of_unknown_sources_is_told() -> None:
    """When a claim was lost, its later entries change nothing and say so."""
    ledger = fold([claimed(1)])
    assert ledger.apply(delivered(1, 0, 5))
    assert not ledger.apply(delivered(9, 0, 5))
    assert not ledger.apply(intent(1, (9, 0, 5)))
    assert not ledger.apply(SourceFingerprinted(9, 1, "00"))
    assert set(ledger.sources) == {1}
    assert not ledger.intents


def test_a_fingerprint_only_grows() -> None:
    """A shorter one that comes later does not replace a longer one."""
    long, short = Fingerprint.of(b"abcdef"), Fingerprint.of(b"abc")
    ledger = fold([claimed(1), SourceFingerprinted(1, *long), SourceFingerprinted(1, *short)])
    assert ledger.sources[1].fingerprint == long


def test_c02_what_is_acknowledged_is_remembered_event_by_event() -> None:
    """A stored batch is in the history, its refused events are not, an unstored one is not.

    Catches: refused events remembered as stored, which would hide others that are.
    """
    sent = intent(1, (1, 0, 10))
    stored = Settled(1, (span(1, 0, 10),), stored=True)
    ledger = fold([claimed(1), sent, stored])
    assert list(ledger.history.keys(("/g", "s"), 0, 120)) == [(100 << 32) | 1]
    assert len(list(ledger.history.keys(("/g", "s"), 0, 999))) == 3
    assert not list(ledger.history.keys(("/g", "other"), 0, 999))
    refused = Settled(1, (span(1, 0, 10, "rejected"),), stored=True)
    for unstored in (refused, Settled(1, ())):
        assert not fold([claimed(1), sent, unstored]).history.batches


def test_c02_the_history_is_bounded_and_says_what_is_forgotten() -> None:
    """Beyond its bound the oldest batches go, and what lies in their times is not known any more.

    Catches: batches that are forgotten without a gap, so that their events look unknown.
    """
    history = History()
    entry = BatchStored(1, "/g", "s", 100, 200, MOST_EVENTS // 2, 0, "")
    for number in range(1, 4):
        history.add(replace(entry, batch=number, greatest=100 * number))
    assert set(history.batches) == {2, 3}
    assert not history.reaches(("/g", "s"), 50, 100)
    assert history.reaches(("/g", "s"), 101, 200)
    assert history.reaches(("/g", "t"), 0, 200)


def test_c02_what_is_read_late_has_times_of_which_all_is_known() -> None:
    """An archive that is read after newer lines of its stream: however much of those is forgotten,
    it is known that nothing was stored at its times, and so are gaps of that kind after a restart;
    those that lie nearest to one another become one.

    Catches: gaps that become the end of the history, and the farthest made one first.
    """
    stored = BatchStored(1, "/g", "s", 0, 0, MOST_EVENTS // 2, 0, "")
    ledger = fold([claimed(1)])
    for number in range(10 * MOST_GAPS):
        # A batch each second of a minute, and then a minute without any.
        at = 120_000 * (number // 60) + 1_000 * (number % 60)
        ledger.apply(replace(stored, batch=1 + number, least=at, greatest=at + 800))
    again = fold(list(ledger.entries()))
    for history in (ledger.history, again.history):
        assert sum(map(len, history.gaps.values())) == MOST_GAPS
        assert history.reaches(("/g", "s"), 59_801, 119_999)
        assert history.reaches(("/g", "s"), 179_801, 239_999)
        assert not history.reaches(("/g", "s"), 59_800, 119_999)
        assert not history.reaches(("/g", "s"), 59_801, 120_000)
        assert not history.reaches(("/g", "s"), 30_801, 30_999)


def test_c02_what_goes_on_beside_an_unknown_request_does_not_put_it_out_of_reach() -> None:
    """However much its stream acknowledges later, an open request can be asked about: gaps on both
    sides of it stay two, and what shares a time with it is forgotten last. So it is for one that
    came to nothing, whose events are to be sent again with the same times.

    Catches: gaps made one over the times of a request whose outcome is unknown.
    """
    stored = BatchStored(1, "/g", "s", 0, 0, MOST_EVENTS // 2, 0, "")
    sent = intent(50, (1, 0, 10))
    before = replace(stored, batch=49, least=sent.least - 9, greatest=sent.least - 1)
    after = replace(stored, batch=51, least=sent.greatest + 1, greatest=sent.greatest + 9)
    later = [
        replace(stored, batch=60 + each, least=1000 * each, greatest=1000 * each + 99)
        for each in range(1, MOST_GAPS + 3)
    ]
    ledger = fold([claimed(1), before, sent, after, *later])
    again = fold(list(ledger.entries()))
    for known in (ledger.history, again.history):
        assert known.reaches(("/g", "s"), sent.least, sent.greatest)
        assert not known.reaches(("/g", "s"), before.least, before.least)
        assert not known.reaches(("/g", "s"), after.least, after.least)
        assert not known.reaches(("/g", "s"), 1000, 1000)
        assert len(known.gaps["/g", "s"]) == MOST_GAPS

    beside = replace(before, greatest=sent.least, count=1)
    for closed in ([], [Settled(50, ())]):
        kept = fold([claimed(1), beside, sent, *closed, *later]).history
        assert kept.reaches(("/g", "s"), sent.least, sent.greatest)
        assert beside.batch in kept.batches

    for entry in (
        Settled(50, ()),
        delivered(1, 0, 10),
        *(replace(each, batch=each.batch + 20) for each in later),
    ):
        ledger.apply(entry)
    assert not ledger.history.reaches(("/g", "s"), sent.least, sent.greatest)


def test_c02_the_last_batch_of_a_slow_stream_is_remembered() -> None:
    """However much goes to other streams: the slow one's next batch may begin with the timestamp
    its last one ended with, and what is unknown of it can be told all the same.

    Catches: letting the oldest batch go, whosever it is.
    """
    history = History()
    slow = BatchStored(1, "/g", "slow", 100, 200, 10, 0, "")
    history.add(slow)
    for number in range(2, 8):
        busy = replace(slow, stream="busy", batch=number, count=MOST_EVENTS // 2)
        history.add(replace(busy, least=100 * number, greatest=100 * number + 50))
    assert set(history.batches) == {1, 7}
    assert history.reaches(("/g", "slow"), 200, 200)
    assert not history.reaches(("/g", "busy"), 600, 600)


def test_c06_what_is_forgotten_of_many_streams_is_bounded() -> None:
    """Of the streams longest ago only one end is kept for all. Catches: an entry a past stream."""
    history = History()
    for number in range(10 * MOST_STREAMS):
        history.end(("/g", str(number)), number)
        history.gap(("/g", f"gap {number}"), number, number)
    assert len(history.ends) + len(history.gaps) <= MOST_STREAMS + 1
    assert not history.reaches(("/g", "new"), 0, 1)
    assert history.reaches(("/g", "new"), 10 * MOST_STREAMS, 10 * MOST_STREAMS)


def test_c02_nothing_is_known_of_the_times_of_an_abandoned_batch() -> None:
    """It may be stored twice: what meets its times is not certain, what lies before is.

    Catches: `forget` left out, and an end where a gap is enough.
    """
    ledger = fold([claimed(1), intent(1, (1, 0, 10)), BatchAbandoned(1)])
    assert not ledger.history.reaches(("/g", "s"), 201, 300)
    assert ledger.history.reaches(("/g", "s"), 202, 300)
    assert ledger.history.reaches(("/g", "s"), 0, 99)

"""Taking over a dead member's ledger."""

from dataclasses import replace

from hypothesis import given

from sidecar.model.adoption import adopt
from sidecar.model.fingerprint import Fingerprint
from sidecar.model.journal import (
    ArtifactShipped,
    BatchAbandoned,
    Entry,
    Settled,
    SourceFingerprinted,
    SourceMoved,
)
from sidecar.model.ledger import Ledger
from tests.unit.entries import claimed, delivered, fold, histories, intent


def without_numbers(ledger: Ledger) -> list[str]:
    """The sources' records, whatever their numbers."""
    return sorted(
        (
            repr((replace(record.claim, source=0), record.acknowledged, record.beyond))
            + repr((record.fingerprint, record.marker, record.resume, record.settled_bytes))
            for record in ledger.sources.values()
        ),
    )


@given(histories(), histories())
def test_a_take_over_loses_nothing_and_is_journaled_whole(
    ours: list[Entry], theirs: list[Entry]
) -> None:
    """An empty ledger that adopts two has all of the first, and its journal rebuilds it."""
    ledger = Ledger()
    first = fold(theirs)
    journal = adopt(ledger, first)
    assert without_numbers(ledger) == without_numbers(first)
    assert len(ledger.intents) == len(first.intents)
    assert ledger.arrivals == first.arrivals
    assert ledger.artifacts == first.artifacts
    assert len(ledger.history.batches) == len(first.history.batches)
    assert ledger.history.ends == first.history.ends
    journal += adopt(ledger, fold(ours))
    assert fold(journal) == ledger


@given(histories())
def test_a_ledger_taken_over_twice_is_there_once(history: list[Entry]) -> None:
    """A member that died before removing the folder it took over leaves it to be read again."""
    ledger = Ledger()
    other = fold([entry for entry in history if getattr(entry, "spans", True)])
    adopt(ledger, other)
    sources, intents = without_numbers(ledger), len(ledger.intents)
    history, ends = len(ledger.history.batches), dict(ledger.history.ends)
    adopt(ledger, other)
    assert without_numbers(ledger) == sources
    assert len(ledger.intents) == intents
    assert (len(ledger.history.batches), ledger.history.ends) == (history, ends)


def test_the_further_checkpoint_wins_whoever_is_first() -> None:
    """A stale folder takes nothing back, in either order of take-over."""
    stale = fold([claimed(1), delivered(1, 0, 10)])
    fresh = fold([claimed(1), delivered(1, 0, 50)])
    for order in ([stale, fresh], [fresh, stale]):
        ledger = Ledger()
        for other in order:
            adopt(ledger, other)
        assert [record.acknowledged for record in ledger.sources.values()] == [50]


def test_a_source_known_by_content_is_there_once() -> None:
    """The same inode with the same first bytes is one source, whoever claimed it."""
    digest = Fingerprint.of(b"same")
    ours = fold([claimed(1), SourceFingerprinted(1, *digest), delivered(1, 0, 10)])
    other = fold([replace(claimed(1), at_ms=999), SourceFingerprinted(1, *digest)])
    assert adopt(ours, other) == []
    assert len(ours.sources) == 1


def test_two_sources_of_one_dead_member_stay_two() -> None:
    """After a truncation one inode has two records with the same first bytes; both matter."""
    digest = Fingerprint.of(b"same header")
    again = replace(claimed(2), inode=claimed(1).inode)
    other = fold(
        [claimed(1), again, SourceFingerprinted(1, *digest), SourceFingerprinted(2, *digest)]
    )
    ledger = Ledger()
    adopt(ledger, other)
    assert len(ledger.sources) == 2


def test_intents_follow_their_sources_under_new_numbers() -> None:
    """An unknown outcome stays unknown, for the ranges it concerned."""
    ours = fold([claimed(1, at_ms=1000), intent(1, (1, 0, 10))])
    other = fold([replace(claimed(5), path="/logs/other"), intent(3, (5, 0, 7))])
    adopt(ours, other)
    (number,) = [n for n, record in ours.sources.items() if record.path == "/logs/other"]
    assert set(ours.intents) == {1, 2}
    assert ours.intents[2].spans[0][:3] == (number, 0, 7)


def test_what_else_was_known_is_merged() -> None:
    """Moved paths, artifacts, the newest arrival times and possible duplicates come along."""
    older = ArtifactShipped("/a", "1" * 64, 1, 1, 1, at_ms=1)
    newer = replace(older, version="2" * 64, at_ms=2)
    ours = fold([claimed(1, at_ms=1000), intent(4, (1, 0, 9), arrival=True), older])
    ours.apply(BatchAbandoned(4))
    other = fold(
        [
            claimed(2),
            SourceMoved(2, "/logs/moved"),
            intent(9, (2, 0, 9), arrival=True),
            Settled(9, ()),
            intent(10, (2, 0, 9)),
            BatchAbandoned(10),
            newer,
        ]
    )
    adopt(ours, other)
    assert ours.artifacts == {"/a": newer}
    assert ours.arrivals == {("/g", "s"): 209}
    assert ours.possible_duplicates == 6
    assert [record.path for record in ours.sources.values()] == ["/logs/1.log", "/logs/moved"]


def test_c02_intents_of_a_source_we_know_better_come_along() -> None:
    """Both have the source; what the other had under way is unknown all the same, either way.

    Catches: intents that go with the record that is given up.
    """
    for ours_settled, theirs_settled in ((20, 10), (10, 20)):
        ours = fold([claimed(1), delivered(1, 0, ours_settled), intent(1, (1, 30, 40))])
        other = fold([claimed(1), delivered(1, 0, theirs_settled), intent(2, (1, 40, 50))])
        adopt(ours, other)
        (number,) = ours.sources
        ranges = sorted(span[:3] for each in ours.intents.values() for span in each.spans)
        assert ranges == [(number, 30, 40), (number, 40, 50)]
        assert all(each.sources == (number,) for each in ours.intents.values())


def test_c02_what_an_earlier_take_over_found_out_is_not_asked_again() -> None:
    """A dead member's folder that could not be removed is taken over once more, after its request
    was resolved: that request is not unknown again, in either order of take-over.

    Catches: an inquiry whose events were acknowledged meanwhile, and are sent a second time.
    """
    dead = fold([claimed(1), intent(1, (1, 0, 10))])
    found: list[Entry] = [claimed(1), intent(1, (1, 0, 10)), delivered(1, 0, 10, batch=1)]
    again: list[Entry] = [claimed(1), intent(1, (1, 0, 10)), Settled(1, ()), delivered(1, 0, 10)]
    for resolved in (found, again):
        for order in ([dead, fold(resolved)], [fold(resolved), dead]):
            ledger = Ledger()
            for other in order:
                adopt(ledger, other)
            assert [record.acknowledged for record in ledger.sources.values()] == [10]
            assert ledger.intents == {}

"""Fingerprints of first bytes and markers before an offset."""

from hypothesis import given
from hypothesis import strategies as st

from sidecar.model.fingerprint import FULL, MARKER_LENGTH, NO_MARKER, Fingerprint, Marker


@given(st.binary(max_size=2 * FULL), st.binary(max_size=FULL))
def test_a_file_that_grew_still_matches(head: bytes, more: bytes) -> None:
    """A fingerprint matches its file at any later length, and never a shorter one."""
    fingerprint = Fingerprint.of(head)
    assert fingerprint.matches(head + more)
    if fingerprint.length:
        assert not fingerprint.matches(head[: fingerprint.length - 1])


@given(st.binary(min_size=1, max_size=FULL), st.data())
def test_another_first_byte_anywhere_is_another_file(head: bytes, data: st.DataObject) -> None:
    """One changed byte among those seen is enough."""
    at = data.draw(st.integers(0, len(head) - 1))
    other = head[:at] + bytes([head[at] ^ 1]) + head[at + 1 :]
    assert not Fingerprint.of(head).matches(other)


def test_it_grows_until_full_and_then_stays() -> None:
    """It covers more bytes as the file grows, 1024 at most."""
    fingerprint = Fingerprint.of(b"a" * 10)
    grown = fingerprint.extended_by(b"a" * 500)
    full = grown.extended_by(b"a" * 5000)
    assert (fingerprint.length, grown.length, full.length) == (10, 500, FULL)
    assert full.full
    assert full.extended_by(b"a" * 9000) is full


def test_it_is_not_extended_by_another_file() -> None:
    """Content that does not match leaves it as it is."""
    fingerprint = Fingerprint.of(b"abc")
    assert fingerprint.extended_by(b"abX and more") is fingerprint
    assert fingerprint.extended_by(b"ab") is fingerprint


@given(st.binary(max_size=200))
def test_a_marker_matches_the_bytes_it_was_made_of(before: bytes) -> None:
    """It covers the last MARKER_LENGTH bytes; what lies before them makes no difference."""
    marker = Marker.of(before)
    assert marker.length == min(len(before), MARKER_LENGTH)
    assert marker.matches(before)
    assert marker.matches(b"x" * 100 + before)


@given(st.binary(min_size=1, max_size=MARKER_LENGTH), st.data())
def test_a_marker_does_not_match_other_bytes(before: bytes, data: st.DataObject) -> None:
    """One changed byte among the marked ones, or too few bytes, is a mismatch."""
    at = data.draw(st.integers(0, len(before) - 1))
    other = before[:at] + bytes([before[at] ^ 1]) + before[at + 1 :]
    assert not Marker.of(before).matches(other)
    assert not Marker.of(before).matches(before[1:])


def test_no_marker_claims_nothing() -> None:
    """At offset 0 there is nothing to compare, and anything goes."""
    assert NO_MARKER.matches(b"")
    assert NO_MARKER.matches(b"anything")

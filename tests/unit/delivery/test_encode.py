"""Bodies of requests: what goes in comes out, whatever the text holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.delivery import encode

ANY_TEXT = st.text()
NAMES = st.text(min_size=1, max_size=20)
EVENTS = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=2**53),
        ANY_TEXT | st.sampled_from(['"logEvents":[', "\\n\n\\", '","', "\x00\x7f\u2028", "é漢😀"]),
    ),
    min_size=1,
)


def parted(events: list[tuple[int, str]]) -> tuple[list[int], list[str]]:
    return [timestamp for timestamp, _ in events], [message for _, message in events]


@given(NAMES, NAMES, EVENTS)
def test_a_body_is_the_request_and_decodes_to_its_events(
    group: str, stream: str, events: list[tuple[int, str]]
) -> None:
    """Another JSON reader finds the names and events of the service's model, and so does decode."""
    body = encode.body(group, stream, *parted(events))

    assert json.loads(body) == {
        "logGroupName": group,
        "logStreamName": stream,
        "logEvents": [{"timestamp": t, "message": m} for t, m in events],
    }
    assert encode.decode(body) == events


@given(NAMES, NAMES, NAMES, EVENTS)
def test_the_crc_is_of_the_events_alone(
    group: str, stream: str, other: str, events: list[tuple[int, str]]
) -> None:
    """A journal's CRC still holds when the same events are encoded for another stream or group."""
    mine = encode.crc(encode.body(group, stream, *parted(events)))

    assert mine == encode.crc(encode.body(other, other + stream, *parted(events)))
    assert mine == encode.crc(encode.body('"logEvents":[', stream, *parted(events)))


@given(EVENTS, st.data())
def test_the_crc_tells_other_events_apart(
    events: list[tuple[int, str]], data: st.DataObject
) -> None:
    """One message, one timestamp or one event more changes the CRC."""
    times, messages = parted(events)
    mine = encode.crc(encode.body("g", "s", times, messages))
    at = data.draw(st.integers(0, len(events) - 1))

    longer = [*messages[:at], messages[at] + "x", *messages[at + 1 :]]
    later = [*times[:at], times[at] + 1, *times[at + 1 :]]
    assert mine != encode.crc(encode.body("g", "s", times, longer))
    assert mine != encode.crc(encode.body("g", "s", later, messages))
    assert mine != encode.crc(encode.body("g", "s", [*times, 1], [*messages, "x"]))


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=())), min_size=1))
def test_a_lone_surrogate_becomes_a_replacement_of_the_same_size(messages: list[str]) -> None:
    """Text without UTF-8 (a file name's, say) is sent with U+FFFD, and its counted size holds."""
    body = encode.body("g\udcff", "s\udc80", [7] * len(messages), messages)

    names = json.loads(body)
    assert (names["logGroupName"], names["logStreamName"]) == ("g\ufffd", "s\ufffd")
    for before, (_, after) in zip(messages, encode.decode(body), strict=True):
        assert after == encode.without_surrogates(before)
        assert encode.message_bytes(before) == len(after.encode())


def test_as_many_timestamps_as_messages() -> None:
    """A batch whose columns disagree is not encoded at all, rather than cut to the shorter one."""
    with pytest.raises(ValueError, match="longer"):
        encode.body("g", "s", [1], ["a", "b"])


def test_a_batch_counts_26_bytes_an_event() -> None:
    """8,322 messages of 100 bytes fill a batch, as the service's rule has it, and one more not."""
    assert encode.batch_bytes([100] * 8322) <= encode.MAX_BATCH_BYTES
    assert encode.batch_bytes([100] * 8323) > encode.MAX_BATCH_BYTES
    assert encode.batch_bytes([encode.MAX_MESSAGE_BYTES]) == encode.MAX_BATCH_BYTES
    assert encode.message_bytes("é漢😀") == 2 + 3 + 4

"""How times are written at the beginning of a line, and as a value.

Each form is one regular expression with three groups: the time down to the second, the digits of
its fraction, and what else fixes it (zone or year). None of them reaches over a line feed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

DAY_MS = 86_400_000
MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
# No place on Earth is farther from Greenwich (Etc/GMT-14); one hour more is let pass.
FARTHEST_ZONE = timedelta(hours=15)

# A bare number below this (March 1973 in seconds) is a duration or a count, not a time.
LEAST_SECONDS = 100_000_000

_MONTH = "(?:" + "|".join(MONTHS) + ")"
_DAY_NAME = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_CLOCK = r"\d\d:\d\d:\d\d"
_FRACTION = r"(?:[.,](\d{1,9})\d*)?"
_ZONE = r"((?: ?(?:[Zz]|UTC|GMT)(?![A-Za-z])|[+-]\d\d(?::?\d\d)?(?!\d)| [+-]\d\d:?\d\d(?!\d))?)"
_ISO_SECOND = r"((?:\d{4}-\d\d-\d\d[Tt ]|\d{4}/\d\d/\d\d[T ])\d\d:\d\d(?::\d\d)?|\d{8}[Tt]\d{6})"
# Only seconds, which are of ten digits, have a fraction that is worth a millisecond.
_EPOCH_FRACTION = r"(?:(?<!\d{11})\.(\d{1,9})\d*|\.\d+)?"
_ACCESS = rf"(\d\d/{_MONTH}/\d{{4}}:{_CLOCK}){_FRACTION}((?: [+-]\d{{4}})?)"
_CLIENT_FIELDS = r'(?![ \t\r]*\{)(?:[^\[\]"\n]{0,256} )?'
_TIME_ENDS = r"(?!\d|:\d)"
_COLOUR = r"(?:\x1b\[[0-9;]*m)*"
_SYSLOG_5424 = r"(?:<\d{1,3}>\d{1,2} )?"
_LOGFMT = r'(?:(?:time|ts|timestamp)="?)?'

ISO_LINE_HEAD = _COLOUR + _SYSLOG_5424 + r"\[?" + _COLOUR + _LOGFMT + _ISO_SECOND
"""Up to the second, of an ISO 8601 time at a line's beginning."""

ISO_VALUE_HEAD = _ISO_SECOND
"""Up to the second, of an ISO 8601 time that stands alone."""


@dataclass(frozen=True)
class Form:
    """One way of writing a time."""

    name: str
    source: str
    second: Callable[[str, str, int, tzinfo | None], int | None]
    """Milliseconds of (time down to the second, the rest, now, zone), None where invalid."""


def _instant(
    fields: tuple[int, int, int, int, int, int], offset: tzinfo | None, zone: tzinfo | None
) -> int | None:
    """Milliseconds of a calendar time; a leap second is the second after it.

    Without ``offset`` it is local. A local time that daylight saving repeats means its first
    occurrence; one that it skips is read with the offset from before the change, so it comes
    out an hour later on the clock (PEP 495, fold=0).
    """
    leap = fields[5] == 60
    try:
        moment = datetime(*fields[:5], 59 if leap else fields[5], tzinfo=offset or zone)
        seconds = round(moment.timestamp()) + leap
    except (ValueError, OverflowError, OSError):
        return None
    return seconds * 1000 if seconds >= 0 else None


def _zone(text: str) -> tuple[bool, tzinfo | None]:
    """Whether ``text`` is a possible zone, and which; none for the empty one."""
    text = text.strip()
    if not text:
        return True, None
    if text[0] not in "+-":
        return True, UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if offset > FARTHEST_ZONE or int(digits[2:]) > 59:
        return False, None
    return True, timezone(-offset if text[0] == "-" else offset)


def iso_second(second: str, rest: str, now_ms: int, zone: tzinfo | None) -> int | None:
    """Of ISO 8601, extended or basic, with hyphens or slashes."""
    del now_ms
    digits = re.sub(r"\D", "", second).ljust(14, "0")
    valid, offset = _zone(rest)
    if not valid:
        return None
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:8])
    clock = int(digits[8:10]), int(digits[10:12]), int(digits[12:14])
    return _instant((year, month, day, *clock), offset, zone)


def _access_second(second: str, rest: str, now_ms: int, zone: tzinfo | None) -> int | None:
    del now_ms
    date, hour, minute, sec = second.split(":")
    day, month, year = date.split("/")
    valid, offset = _zone(rest)
    if not valid:
        return None
    fields = int(year), MONTHS[month], int(day), int(hour), int(minute), int(sec)
    return _instant(fields, offset, zone)


def nearest_year(
    now_ms: int, in_year: Callable[[int], int | None], zone: tzinfo | None
) -> int | None:
    """The one of last, this and next year's times that is nearest to the beginning of today."""
    today = now_ms - now_ms % DAY_MS
    year = datetime.fromtimestamp(today / 1000, zone or UTC).year
    times = [in_year(y) for y in (year, year - 1, year + 1)]
    valid = [time for time in times if time is not None]
    return min(valid, key=lambda time: abs(time - today), default=None)


def _named_month_second(second: str, rest: str, now_ms: int, zone: tzinfo | None) -> int | None:
    month, day, *year, clock = second.split()
    if rest.strip():
        year = [rest.strip()]
    hour, minute, sec = (int(part) for part in clock.split(":"))

    def in_year(year: int) -> int | None:
        return _instant((year, MONTHS[month], int(day), hour, minute, sec), None, zone)

    return in_year(int(year[0])) if year else nearest_year(now_ms, in_year, zone)


def _klog_second(second: str, rest: str, now_ms: int, zone: tzinfo | None) -> int | None:
    del rest
    month, day = int(second[:2]), int(second[2:4])
    hour, minute, sec = (int(part) for part in second[5:].split(":"))

    def in_year(year: int) -> int | None:
        return _instant((year, month, day, hour, minute, sec), None, zone)

    return nearest_year(now_ms, in_year, zone)


def number_ms(number: float) -> int | None:
    """Milliseconds of a number of s, ms, µs or ns since the epoch, told apart by magnitude."""
    if not LEAST_SECONDS <= number < LEAST_SECONDS * 10**12:
        return None
    if number < LEAST_SECONDS * 10**3:
        return round(number * 1000)
    if number < LEAST_SECONDS * 10**6:
        return int(number)
    return int(number // (1000 if number < LEAST_SECONDS * 10**9 else 1_000_000))


def _epoch_second(second: str, rest: str, now_ms: int, zone: tzinfo | None) -> int | None:
    del rest, now_ms, zone
    return number_ms(int(second))


LINE_FORMS = (
    Form(
        "iso",
        ISO_LINE_HEAD + _FRACTION + _ZONE + _TIME_ENDS,
        iso_second,
    ),
    Form(
        "syslog",
        rf"(?:<\d{{1,3}}>)?({_MONTH} +\d{{1,2}}(?: \d{{4}})? {_CLOCK}){_FRACTION}()" + _TIME_ENDS,
        _named_month_second,
    ),
    Form(
        "access",
        _CLIENT_FIELDS + r"\[" + _ACCESS + r"\]",
        _access_second,
    ),
    Form(
        "ctime",
        rf"\[?{_DAY_NAME},? ({_MONTH} +\d{{1,2}} {_CLOCK}){_FRACTION}((?: \d{{4}})?)" + _TIME_ENDS,
        _named_month_second,
    ),
    Form("klog", rf"[IWEF](\d{{4}} {_CLOCK}){_FRACTION}()(?= )", _klog_second),
    # As many digits as s, ms, µs and ns have today: other numbers at a line's start are no times.
    Form(
        "epoch",
        r"\[?([1-9]\d{9}(?:\d{3}|\d{6}|\d{9})?(?!\d))" + _EPOCH_FRACTION + r"()(?=[\s:\]]|\Z)",
        _epoch_second,
    ),
)
"""What may stand at the beginning of a line; the first that fits is the one."""

VALUE_FORMS = (
    Form("iso", ISO_VALUE_HEAD + _FRACTION + _ZONE, iso_second),
    Form("access", _ACCESS, _access_second),
    Form("epoch", r"(\d{9,20})" + _EPOCH_FRACTION + "()", _epoch_second),
)
"""What a JSON string that is a time may be, from end to end."""

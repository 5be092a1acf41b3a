"""Durations and sizes as people write them."""

import pytest
from pydantic import TypeAdapter, ValidationError

from sidecar.settings.quantities import Duration, Size

DURATION: TypeAdapter[float] = TypeAdapter(Duration)
SIZE: TypeAdapter[int] = TypeAdapter(Size)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("50ms", 0.05), ("1s", 1), ("2m", 120), ("3h", 10800), ("7d", 604800), ("1.5s", 1.5), (0, 0)],
)
def test_durations_are_seconds(written: object, seconds: float) -> None:
    """Each unit of a duration counts what it says."""
    assert DURATION.validate_python(written) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "written", ["1", 5, "s", "1 minute", "-1s", "1s2", "", True, None, [], "∞s"]
)
def test_other_durations_are_refused(written: object) -> None:
    """A number without a unit, an unknown unit, a sign or a list is no duration."""
    with pytest.raises(ValidationError):
        DURATION.validate_python(written)


@pytest.mark.parametrize(
    ("written", "size"),
    [
        (1000000, 1000000),
        ("1000000", 1000000),
        ("256KiB", 262144),
        ("1MiB", 1048576),
        ("10MB", 10000000),
        ("1.5KiB", 1536),
        ("5B", 5),
        ("2 GiB", 2147483648),
        ("1kB", 1000),
    ],
)
def test_sizes_are_bytes(written: object, size: int) -> None:
    """KiB, MiB and GiB are powers of 1024, kB, MB and GB of 1000."""
    assert SIZE.validate_python(written) == size


@pytest.mark.parametrize("written", ["1K", "1mb", -1, "-1KiB", 1.5, "0.3B", False, {}, "KiB"])
def test_other_sizes_are_refused(written: object) -> None:
    """An unknown unit, a sign or a part of a byte is no size."""
    with pytest.raises(ValidationError):
        SIZE.validate_python(written)

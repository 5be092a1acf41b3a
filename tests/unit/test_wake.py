"""What the pump sleeps on."""

import os

import pytest

from sidecar.wake import Wake


def test_a_waking_is_remembered_and_then_forgotten() -> None:
    """A waking before the wait ends it at once, and ends no other."""
    wake = Wake()
    wake.set()
    wake.set()
    assert wake.wait(0)
    assert not wake.wait(0)


def test_a_waking_while_another_is_taken_deafens_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that comes in the middle of `wait` does not stop later ones from waking.

    Catches: clearing the flag before the eventfd is read.
    """
    wake = Wake()
    read = os.eventfd_read

    def with_a_waking_just_before(descriptor: int) -> int:
        wake.set()
        return read(descriptor)

    wake.set()
    monkeypatch.setattr(os, "eventfd_read", with_a_waking_just_before)
    assert wake.wait(0)
    wake.set()
    assert wake.wait(0)

"""Turns lag, partial and flicker faults into the moments at which a batch can be read."""

from __future__ import annotations

from collections.abc import Iterable

from .batch import EVERYTHING, Piece, Visibility
from .faults import Fault


def planned(faults: Iterable[Fault], count: int, now_ms: int) -> Visibility:
    """The visibility of a batch of `count` events stored at `now_ms`; faults add up."""
    from_ms = now_ms
    pieces: tuple[Piece, ...] = ()
    dark: tuple[tuple[int, int], ...] = ()
    plan = list(faults)
    for fault in plan:
        if fault.kind == "lag":
            from_ms += round(fault.duration * 1000)
    for fault in plan:
        if fault.kind == "partial":
            pieces = _pieces(fault, count, from_ms)
        elif fault.kind == "flicker":
            dark += tuple(_dark(fault, from_ms))
    if not pieces and from_ms > now_ms:
        pieces = (Piece(0, count, from_ms),)
    return Visibility(pieces, dark) if pieces or dark else EVERYTHING


def _pieces(fault: Fault, count: int, from_ms: int) -> tuple[Piece, ...]:
    """Equal parts in random order; the last appears when the fault's time is over."""
    parts = max(1, min(fault.pieces, count))
    cuts = [count * part // parts for part in range(parts + 1)]
    order = list(range(1, parts + 1))
    fault.random.shuffle(order)
    step = fault.duration * 1000 / parts
    return tuple(
        Piece(cuts[part], cuts[part + 1], from_ms + round(step * order[part]))
        for part in range(parts)
    )


def _dark(fault: Fault, from_ms: int) -> Iterable[tuple[int, int]]:
    """Readable for `after`, unreadable for `seconds`, and so on."""
    shown, hidden = round(fault.after * 1000), round(fault.duration * 1000)
    for cycle in range(fault.cycles):
        since = from_ms + shown + cycle * (shown + hidden)
        yield since, since + hidden

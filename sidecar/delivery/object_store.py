"""The port to a store of whole objects: keep one, and give it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias

from sidecar.model.stored_object import Refused, StoredObject, Wanted

Pieces: TypeAlias = Callable[[int], Iterator[bytes]]
"""Gives the content from its start in pieces of the asked size, the last one shorter.

Raises ContentTorn instead of the last piece where it turns out not to be what was announced.
"""


class ContentTorn(Exception):  # noqa: N818 - an answer of the volume, not a fault
    """What was read is not the version that was announced: it changed meanwhile."""


class ObjectUnreadable(Exception):  # noqa: N818
    """The object cannot be had; the text says why, and what to do."""


class ObjectStore(Protocol):
    """Every act may be called from several threads at once."""

    def keep(self, wanted: Wanted, pieces: Pieces) -> StoredObject | Refused:
        """See to it that the content is there under its key; what is there is not sent again.

        Either the whole content is kept, verified by the store, or nothing of it. Raises nothing
        but what `pieces` raises, after it has cleaned up.
        """
        ...

    def read(self, stored: StoredObject) -> Iterator[bytes]:
        """The content, piece by piece. Raises ObjectUnreadable."""
        ...

"""Short ways to feed an assembler."""

from __future__ import annotations

from typing import Any

from sidecar.model.assembler import Assembler
from sidecar.model.assembly_rules import AssemblyRules
from sidecar.model.records import Records

NOW = 1_795_424_329_000
STREAM = "task/app.log"


def assembler(**plain: Any) -> Assembler:
    """An assembler with these settings; arrival times unless they say otherwise."""
    return Assembler(AssemblyRules.of(**{"timestamp": "arrival"} | plain), stream=STREAM)


def records_of(data: bytes, **plain: Any) -> Records:
    """The records of a finished source."""
    return assembler(**plain).feed(data, 0, NOW, finished=True)


def messages_of(data: bytes, **plain: Any) -> list[str]:
    """The messages of a finished source."""
    return records_of(data, **plain).messages

"""The changes: what, where, and the tests that must fail."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """`old` stands exactly once in `file`; with `new` in its place, `tests` must fail."""

    number: str
    file: str
    old: str
    new: str
    tests: str


READING = "tests/integration/reading"
DELIVERING = "tests/integration/delivering"

MUTANTS = (
    Mutant(
        "R01",
        "sidecar/sources/catalogue.py",
        "            start = 0\n            if self.at_first_start",
        "            start = candidate.size\n            if self.at_first_start",
        f"{READING}/test_rotation.py -k r01",
    ),
    Mutant(
        "R03",
        "sidecar/sources/siblings.py",
        'return [match["name"]] if match else []',
        "return []",
        f"{READING}/test_rotation.py -k r03",
    ),
    Mutant(
        "T01",
        "sidecar/sources/tailer.py",
        "if data[:before] != source.tail:",
        "if False:",
        f"{READING}/test_truncated.py -k t01",
    ),
    Mutant(
        "T02",
        "sidecar/sources/copies.py",
        "        return Likeness.COPY\n",
        "        return Likeness.NONE\n",
        f"{READING}/test_rotation.py -k t02",
    ),
    Mutant(
        "T04",
        "sidecar/sources/tailer.py",
        "            source.shrunk_at = now\n            return Turn()\n",
        "            return Turn(verdict=Verdict.REPLACED)\n",
        f"{READING}/test_truncated.py {READING}/test_rotation.py -k t04",
    ),
    Mutant(
        "I02",
        "sidecar/model/fingerprint.py",
        "return len(head) >= self.length and Fingerprint.of(head[: self.length]) == self",
        "return Fingerprint.of(head) == self",
        f"{READING}/test_rotation.py -k i02",
    ),
    Mutant(
        "C03",
        "sidecar/model/ledger.py",
        "        if start == self.acknowledged and not self.beyond:\n",
        "        if not self.beyond:\n",
        "tests/unit/test_ledger.py",
    ),
    Mutant(
        "W01",
        "sidecar/delivery/encode.py",
        "MAX_EVENTS: Final = 10_000",
        "MAX_EVENTS: Final = 10_001",
        f"{DELIVERING}/test_limits.py",
    ),
    Mutant(
        "W02",
        "sidecar/delivery/cutting.py",
        "        if not groups or timestamps[index] - least > encode.MAX_SPAN_MS:",
        "        if not groups:",
        f"{DELIVERING}/test_limits.py",
    ),
    Mutant(
        "W05",
        "sidecar/delivery/client.py",
        '"total_max_attempts": 1',
        '"total_max_attempts": 3',
        "tests/contracts/test_cloudwatch_faults.py",
    ),
    Mutant(
        "W08",
        "sidecar/delivery/delivery.py",
        "        if batch.count > 1:\n            self._record(Settled(batch.number, ()))",
        "        if False:\n            self._record(Settled(batch.number, ()))",
        f"{DELIVERING}/test_troubles.py -k w08",
    ),
    Mutant(
        "W11",
        "sidecar/delivery/delivery.py",
        "most = max(1, self._in_flight // 2)",
        "most = self._in_flight",
        f"{DELIVERING}/test_outages.py -k w11",
    ),
)

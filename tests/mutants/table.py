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
    Mutant(
        "A01",
        "sidecar/sources/artifacts.py",
        "        elif quiet >= artifact.rule.settle or",
        "        elif True or",
        f"{READING}/test_artifacts.py -k a01",
    ),
    Mutant(
        "A01",
        "sidecar/sources/artifacts.py",
        "artifact.renamed_into_place |= renamed_into_place",
        "artifact.renamed_into_place |= False",
        f"{READING}/test_artifacts.py -k a01",
    ),
    Mutant(
        "A02",
        "sidecar/sources/artifacts.py",
        "if known is not None and known.version == version.sha256:",
        "if False:",
        f"{READING}/test_artifacts.py -k a02",
    ),
    Mutant(
        "A03",
        "sidecar/sources/artifact_reader.py",
        "if before.st_size <= inline_limit else None",
        "if before.st_size < inline_limit else None",
        f"{READING}/test_artifacts.py -k a03",
    ),
    Mutant(
        "A03",
        "sidecar/delivery/s3.py",
        "        # Then this upload is not done, and is aborted like any other that failed.\n",
        "        done()\n",
        "tests/contracts/test_object_store.py -k a03_the_same",
    ),
    Mutant(
        "A03",
        "sidecar/delivery/leftovers.py",
        "            if not finished:",
        "            if False:",
        "tests/contracts/test_object_store.py -k a03_what_fails",
    ),
    Mutant(
        "A03",
        "sidecar/commands/restoring.py",
        "    if digest.hexdigest() != manifest.version:",
        "    if False:",
        "tests/integration/commands/test_artifacts.py -k not_as_shipped",
    ),
    Mutant(
        "A04",
        "sidecar/delivery/uploads.py",
        " or digest.hexdigest() != wanted.sha256:",
        ":",
        "tests/contracts/test_object_store.py -k a04",
    ),
    Mutant(
        "A04",
        "sidecar/sources/artifact_reader.py",
        "    if not unchanged or at",
        "    if at",
        f"{READING}/test_artifacts.py -k a04",
    ),
    Mutant(
        "delete_after",
        "sidecar/sources/unlinking.py",
        "if not any(_has_gone_on(each, seen, directory.number) for each in successors):",
        "if False:",
        f"{READING}/test_delete_after.py -k speaks_against",
    ),
    Mutant(
        "delete_after",
        "sidecar/sources/unlinking.py",
        "or seen.st_mtime > known.quiet_since:",
        "or False:",
        f"{READING}/test_delete_after.py -k speaks_against",
    ),
    Mutant(
        "delete_after",
        "sidecar/sources/unlinking.py",
        "    if not known.marker.matches(before):",
        "    if False:",
        f"{READING}/test_delete_after.py -k speaks_against",
    ),
    Mutant(
        "delete_after",
        "sidecar/sources/removal.py",
        'return source.finished and not (settled["rejected"] or settled["gone"])',
        "return source.finished",
        f"{READING}/test_delete_after.py -k refused",
    ),
    Mutant(
        "delete_after",
        "sidecar/model/ledger.py",
        "            yield SourceFinished(source, *self.finished)",
        "            pass",
        f"{READING}/test_delete_after.py -k outlives",
    ),
    Mutant(
        "delete_after",
        "sidecar/sources/pruning.py",
        "        if self._is_dead(first):",
        "        if True:",
        f"{READING}/test_delete_after.py -k past_days",
    ),
)

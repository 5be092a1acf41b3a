"""What was written against what is stored: line by line, artifact by artifact."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.demo.stored import Line, Version


@dataclass
class Comparison:
    """Counts, and in `findings` each difference in words."""

    written: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    artifacts_written: int = 0
    artifacts_shipped: int = 0
    median: float = 0.0
    """Milliseconds from the time in the line to the time CloudWatch gave the event."""
    p99: float = 0.0
    findings: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Nothing differs, and there was something to compare."""
        return not self.findings and self.written > 0 and self.artifacts_written > 0


def compare(
    lines: Counter[str],
    artifacts: Mapping[str, str],
    stored: Sequence[Line],
    versions: Sequence[Version],
) -> Comparison:
    """`artifacts` are sha256 by name, those that were deleted since included."""
    result = Comparison(
        written=lines.total(),
        stored=len(stored),
        artifacts_written=len(artifacts),
        median=percentile([line.delay for line in stored], 50),
        p99=percentile([line.delay for line in stored], 99),
    )
    compare_lines(result, lines, Counter(line.message for line in stored))
    compare_artifacts(result, artifacts, versions)
    return result


def compare_lines(result: Comparison, written: Counter[str], stored: Counter[str]) -> None:
    for message, times in (written - stored).items():
        result.lost += times
        result.findings.append(f"lost {times} time(s): {message[:200]}")
    for message, times in (stored - written).items():
        if message in written:
            result.duplicated += times
            result.findings.append(f"duplicated {times} time(s): {message[:200]}")
        else:
            result.findings.append(f"stored, but written nowhere: {message[:200]}")


def compare_artifacts(
    result: Comparison, written: Mapping[str, str], versions: Sequence[Version]
) -> None:
    count = Counter((version.name, version.sha256) for version in versions)
    for name, sha256 in written.items():
        times = count.pop((name, sha256), 0)
        result.artifacts_shipped += times > 0
        if times != 1:
            result.findings.append(f"artifact {name} was shipped {times} times")
        result.lost += times == 0
        result.duplicated += max(0, times - 1)
    for name, sha256 in count:
        result.findings.append(f"artifact {name} was shipped as {sha256[:12]}, which it never was")
    for version in versions:
        content = version.content
        if content is not None and hashlib.sha256(content).hexdigest() != version.sha256:
            result.findings.append(f"artifact {version.name} has another content than its sha256")


def percentile(values: Sequence[int], rank: int) -> float:
    """The smallest value that at least `rank` percent do not exceed; 0 of none."""
    ordered = sorted(values)
    return float(ordered[max(0, -(-len(ordered) * rank // 100) - 1)]) if ordered else 0.0

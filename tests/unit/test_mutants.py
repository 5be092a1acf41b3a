"""The table of `make mutants` speaks of the code as it is."""

from pathlib import Path

import pytest

from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.number)
def test_each_change_can_be_made(mutant: Mutant) -> None:
    """What a mutant replaces stands once in its file, and its tests are where it says."""
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.old != mutant.new
    assert (ROOT / mutant.tests.split()[0].partition("::")[0]).exists()

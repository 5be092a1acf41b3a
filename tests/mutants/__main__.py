"""`python -m tests.mutants [--count N]`: apply the changes one by one to a copy of the tree.

Exit status 0 when every change is caught by its test, 1 when one survives or does not apply.
"""

import argparse
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.mutants.table import MUTANTS, Mutant

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "*.egg-info", ".hyp*")
SECONDS = 300


def main() -> int:
    parser = argparse.ArgumentParser(description="Prove that the tests bite.")
    parser.add_argument("--count", type=int, default=len(MUTANTS), help="so many, at random")
    count = parser.parse_args().count
    chosen = random.sample(MUTANTS, min(count, len(MUTANTS)))
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
        survivors = [mutant for mutant in sorted(chosen) if not is_caught(tree, mutant)]
    print(f"{len(chosen)} changes, {len(chosen) - len(survivors)} caught")
    return 1 if survivors else 0


def is_caught(tree: Path, mutant: Mutant) -> bool:
    """Apply the change to the tree, run its tests, and take it back."""
    file = tree / mutant.file
    original = file.read_text()
    if original.count(mutant.old) != 1:
        print(f"{mutant.number}  DOES NOT APPLY  {mutant.file}")
        return False
    file.write_text(original.replace(mutant.old, mutant.new))
    try:
        command = [sys.executable, "-m", "pytest", "-q", "-x", *shlex.split(mutant.tests)]
        run = subprocess.run(command, cwd=tree, capture_output=True, timeout=SECONDS, check=False)
        caught = run.returncode == 1
    except subprocess.TimeoutExpired:
        caught = True
    finally:
        file.write_text(original)
    print(f"{mutant.number}  {'caught' if caught else 'SURVIVED'}  {mutant.file}", flush=True)
    return caught


if __name__ == "__main__":
    sys.exit(main())

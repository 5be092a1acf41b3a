"""`python -m task-definitions`: check, render, register."""

import sys
from pathlib import Path

# The folder's name is no package's, so what is in it is found by path.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from deploying.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

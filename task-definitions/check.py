"""Checks task definitions, templates and policies before AWS sees them.

    python task-definitions/check.py FILE…

The same as `python -m task-definitions check FILE…`; --help tells more.
"""

import sys

from checker.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

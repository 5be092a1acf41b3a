"""`python -m tests.demo [--seconds N]`: a doorway."""

import sys

from tests.demo.interruption import Interruption


def main() -> int:
    """0 nothing lost or duplicated; 1 something was, or a part died; 130 abandoned."""
    # Before the imports that take time: Ctrl-C is answered from the first moment on.
    interruption = Interruption.installed()
    from tests.demo.demo import run

    return run(sys.argv[1:], interruption)


if __name__ == "__main__":
    sys.exit(main())

"""In the function's test image: serves `POST /` on FUNCTION_PORT, the function beside it."""

import os
import signal
import sys
from pathlib import Path
from subprocess import Popen

from .endpoint import RuntimeEndpoint


def main() -> int:
    os.umask(0o027)  # the collector reads by the group
    with RuntimeEndpoint("0.0.0.0", int(os.environ["FUNCTION_PORT"])) as endpoint:
        environment = {**os.environ, "AWS_LAMBDA_RUNTIME_API": endpoint.address}
        command = [sys.executable, "-m", "awslambdaric", "function.profile"]
        child = Popen(command, cwd=Path(os.environ["LAMBDA_TASK_ROOT"]), env=environment)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        return child.wait()


if __name__ == "__main__":
    sys.exit(main())

"""In the function's test image: serves `POST /` on port 8080 and runs the function beside it."""

import os
import signal
import sys
from pathlib import Path
from subprocess import Popen

from .endpoint import RuntimeEndpoint


def main() -> int:
    with RuntimeEndpoint("0.0.0.0", 8080) as endpoint:
        environment = {**os.environ, "AWS_LAMBDA_RUNTIME_API": endpoint.address}
        command = [sys.executable, "-m", "awslambdaric", "function.profile"]
        child = Popen(command, cwd=Path(os.environ["LAMBDA_TASK_ROOT"]), env=environment)
        signal.signal(signal.SIGTERM, lambda *_: child.terminate())
        return child.wait()


if __name__ == "__main__":
    sys.exit(main())
